"""Training runs on SetMNIST, measured once and remembered, for the benchmark beside this file."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from _defaults import defaults
from _remembered import write_result
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn._budget import Budget
from pyg_topn._plain_loop import ENTRIES, PlainLoop
from pyg_topn._run_checks import read_checkpoint
from pyg_topn.datasets import SetMNIST
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import ChamferLoss
from pyg_topn.models import DSPN, TSPN, build_dspn, build_tspn
from pyg_topn.pretrained import save

BUILDERS = {"tspn": build_tspn, "dspn": build_dspn}
CLASSES = {"tspn": TSPN, "dspn": DSPN}
LEARNING_RATES = {"tspn": 1e-3, "dspn": 3e-3}  # Where minutes are few.
CREATIONS = ("iid", "first_n", "mlp", "top_n", "top_n_same")
STEP_WEIGHTS = ("linear", "uniform")
VALIDATION = 300  # The last digits of the training set, for the learning curve.


@dataclass(frozen=True)
class Plan:
    """What a run may take, and how it goes about it."""

    minutes: float | None = None  # of training
    epochs: float | None = None
    processor_time: bool = False
    lr: float | None = None  # see LEARNING_RATES
    schedule: str = "cosine"
    batch_size: int = 32
    bucket: bool = False
    hidden_channels: int = 256
    spread: float | None = 0.25  # of the points that encoders see; None: as they are
    step_size: float = 25.0  # of DSPN
    max_move: float | None = 0.2  # of DSPN
    step_weights: str = "linear"  # of DSPN
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("lr", "spread", "step_size", "max_move"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"Expected '{name}' to be positive and finite (got {value})")
        for name in ("batch_size", "hidden_channels"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {getattr(self, name)})")
        if self.processor_time and torch.device(self.device).type != "cpu":
            raise ValueError(
                f"Expected a run on the CPU to count its processor time (got '{self.device}')"
            )
        if (self.minutes, self.epochs) != (None, None):
            Budget(self.minutes, self.epochs)

    @property
    def budget(self) -> Budget:
        return Budget(self.minutes, self.epochs, self.processor_time)

    def __str__(self) -> str:
        rate = self.lr or " and ".join(f"{lr:g} ({name})" for name, lr in LEARNING_RATES.items())
        bucket = " of similar sizes" if self.bucket else ""
        spread = "points as they are" if self.spread is None else f"(x - 0.5) / {self.spread:g}"
        bound = "unbounded" if self.max_move is None else f"at most {self.max_move:g}"
        return (
            f"{self.budget} of training a run, learning rate {rate}, {self.schedule}, "
            f"batches of {self.batch_size} sets{bucket}, {self.hidden_channels} channels, "
            f"encoders see {spread}, DSPN's steps {self.step_size:g}, each point's {bound}, "
            f"{self.step_weights} weights, on {self.device}"
        )


def measure(
    runs: Path, root: str | Path, model: str, creation: str, seed: int, plan: Plan
) -> dict[str, Any]:
    """Train and measure, or read what was measured before; a killed run goes on where it was."""
    content = json.dumps(identity(model, creation, plan), sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    out = runs / f"{model}-{creation}-{digest}-{seed}"
    path = out / "measured.json"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        train, test = (SetMNIST(root, split, model, log=False) for split in ("train", "test"))
        torch.manual_seed(seed)
        chosen = arguments(model, creation, largest_set(train), plan)
        net = BUILDERS[model](**chosen).to(plan.device)
        loop = fit(net, train, seed, plan, rate_of(model, plan), out / "checkpoint.pt")
        found = {"model": model, "creation": creation, "seed": seed, **asdict(plan)}
        found["lr"] = rate_of(model, plan)
        used = {"steps": loop.step, "epochs": loop.step / len(loop.loader)}
        found.update(used, seconds=loop.seconds, **evaluate(net, test, seed, plan.device))
        save(net, out / "model", chosen, card=found)
        write_result(path, {**found, "curve": loop.curve})
        (out / "checkpoint.pt").unlink(missing_ok=True)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def rate_of(model: str, plan: Plan) -> float:
    """The learning rate of a run."""
    return LEARNING_RATES[model] if plan.lr is None else plan.lr


def largest_set(dataset: SetMNIST) -> int:
    """The most points of a set."""
    return len(dataset.size_histogram()) - 1


def identity(model: str, creation: str, plan: Plan) -> dict[str, Any]:
    """What changes the figures of a run, defaults included: they may be others tomorrow. Not the
    data."""
    chosen = arguments(model, creation, 0, plan)
    built = {**defaults(CLASSES[model]), **defaults(BUILDERS[model]), **chosen}
    return {
        "model": model,
        "creation": creation,
        **asdict(plan),
        "lr": rate_of(model, plan),
        "arguments": built,
        "validation": VALIDATION,
    }


def arguments(model: str, creation: str, largest: int, plan: Plan) -> dict[str, Any]:
    """What a model of the paper is built from, for sets of at most so many points."""
    points = {"top_n": 2 * largest, "top_n_same": largest}.get(creation)
    kind = "top_n" if creation == "top_n_same" else creation
    chosen: dict[str, Any] = {"max_num_nodes": largest, "creation": kind}
    chosen |= {"hidden_channels": plan.hidden_channels, "spread": plan.spread}
    if model == "dspn":
        chosen |= {"step_size": plan.step_size, "max_move": plan.max_move}
    return chosen if points is None else {**chosen, "num_reference_points": points}


def step_weights(number: int, kind: str, like: Tensor) -> Tensor:
    """The weights of the initial sets and of those of each step, which add up to 1: all the same,
    or as 1 : 2 : 3 and so on. The last sets are what is asked for."""
    weights = torch.arange(1, number + 1, device=like.device, dtype=like.dtype)
    weights = weights if kind == "linear" else torch.ones_like(weights)
    return weights / weights.sum()


def loss_of(
    net: TSPN | DSPN, batch: Batch, loss_fn: ChamferLoss, weights: str = Plan.step_weights
) -> dict[str, Tensor]:
    """What is minimised: of DSPN the weighted mean over all steps, the initial sets included; and
    the cross entropy of sizes, from which nothing but the size predictor learns."""
    z = net.encode(batch)
    num_nodes = batch.ptr.diff().cpu()
    decoded = net.decode(z, num_nodes)
    steps = decoded if isinstance(decoded, list) else [decoded]
    assert net.sizes is not None
    losses = torch.stack([loss_fn(step, batch) for step in steps])
    chamfer = (step_weights(len(steps), weights, losses) * losses).sum()
    sizes = net.sizes.loss(z, num_nodes)
    return {"chamfer": chamfer, "sizes": sizes, "loss": chamfer + sizes}


def fit(
    net: TSPN | DSPN, dataset: SetMNIST, seed: int, plan: Plan, lr: float, checkpoint: Path
) -> PlainLoop:
    """Train until the budget is used up, from the checkpoint on if there is one."""
    held_out = min(VALIDATION, len(dataset) // 4)
    train, val = dataset[:-held_out], dataset[-held_out:]
    loader = ResidentLoader(
        train, plan.batch_size, shuffle=True, seed=seed, device=plan.device, bucket=plan.bucket
    )
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")

    def curve() -> dict[str, float]:
        found = evaluate(net, val, 0, plan.device)
        return {f"val/{name}": value for name, value in found.items()}

    loop = PlainLoop(
        net,
        loader,
        lambda batch: loss_of(net, batch, loss_fn, plan.step_weights),
        plan.budget,
        lr,
        schedule=plan.schedule,
        checkpoint=checkpoint,
        measure=curve,
    )
    if checkpoint.is_file():
        loop.restore(read_checkpoint(checkpoint, ENTRIES))
    loop.run()
    return loop


@torch.no_grad()
def evaluate(net: TSPN | DSPN, dataset: SetMNIST, seed: int, device: str) -> dict[str, float]:
    """The Chamfer loss of every set at its true size, averaged; that of the initial sets of DSPN;
    and the mean error of the predicted sizes."""
    net.eval()
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean", reduction="none")
    generator = torch.Generator(device).manual_seed(seed)
    assert net.sizes is not None
    sums = torch.zeros(3, dtype=torch.float64)
    # Sets of similar sizes go together: less padding, and the same figures.
    for batch in ResidentLoader(dataset, 128, bucket=True, device=device):
        z, num_nodes = net.encode(batch), batch.ptr.diff().cpu()
        decoded = net.decode(z, num_nodes, generator)
        steps = decoded if isinstance(decoded, list) else [decoded]
        sums[0] += loss_fn(steps[-1], batch).sum().double().cpu()
        sums[1] += loss_fn(steps[0], batch).sum().double().cpu()
        sums[2] += (net.sizes.sample(z, mode=True).cpu() - num_nodes).abs().sum()
    chamfer, initial, size_error = (sums / len(dataset)).tolist()
    found = {"chamfer": chamfer, "size_error": size_error}
    return {**found, "initial": initial} if isinstance(net, DSPN) else found
