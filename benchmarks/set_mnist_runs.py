"""Training runs on SetMNIST, measured once and remembered, for the benchmark beside this file."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.datasets import SetMNIST
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import ChamferLoss
from pyg_topn.models import DSPN, TSPN
from pyg_topn.nn.creation import Creation, SizePredictor
from pyg_topn.resolver import creation_resolver

MODELS = ("tspn", "dspn")
CREATIONS = ("iid", "first_n", "mlp", "top_n", "top_n_same")
LEARNING_RATES = {"tspn": 5e-4, "dspn": 1e-4}
LATENT_CHANNELS = {"tspn": 256, "dspn": 64}
POINT_CHANNELS = {"tspn": 256, "dspn": 2}  # of created points
SAVE_SECONDS = 60.0


@dataclass(frozen=True)
class Budget:
    """What a run may take, and how it goes about it."""

    minutes: float | None  # of training
    epochs: float | None
    lr: float | None
    batch_size: int = 32
    device: str = "cpu"

    def __str__(self) -> str:
        limits = {"minutes": self.minutes, "epochs": self.epochs}
        text = " or ".join(f"{value:g} {name}" for name, value in limits.items() if value)
        return f"{text} of training a run, batches of {self.batch_size}, on {self.device}"

    def progress(self, seconds: float, epochs: float) -> float:
        """The share that is used up, 1 when training is to end."""
        used = 0.0
        if self.minutes is not None:
            used = seconds / (60 * self.minutes)
        return used if self.epochs is None else max(used, epochs / self.epochs)


def measure(
    runs: Path, root: str | Path, model: str, creation: str, seed: int, budget: Budget
) -> dict[str, Any]:
    """Train and measure, or read what was measured before; a killed run goes on where it was."""
    content = json.dumps([model, creation, asdict(budget)], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    out = runs / f"{model}-{creation}-{digest}-{seed}"
    path = out / "measured.json"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        splits = {split: SetMNIST(root, split, model) for split in ("train", "test")}
        largest = max(len(dataset.size_histogram()) for dataset in splits.values()) - 1
        torch.manual_seed(seed)
        net = build(model, creation, largest).to(budget.device)
        used = train(net, splits["train"], seed, budget, LEARNING_RATES[model], out)
        found = {**used, **evaluate(net, splits["test"], seed, budget.device)}
        found = {"model": model, "creation": creation, "seed": seed, **asdict(budget), **found}
        write(path, json.dumps(found, indent=2) + "\n")
        (out / "checkpoint.pt").unlink(missing_ok=True)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def build(model: str, creation: str, largest: int) -> TSPN | DSPN:
    """A model of the paper, for sets of at most so many points."""
    latent = LATENT_CHANNELS[model]
    sizes = SizePredictor(latent, largest, hidden_channels=128, detach=True)
    layer = create(creation, latent, POINT_CHANNELS[model], largest)
    return (TSPN if model == "tspn" else DSPN)(2, layer, sizes=sizes)


def create(name: str, latent: int, channels: int, largest: int) -> Creation:
    """A creation layer by the name that it has here."""
    limits: dict[str, dict[str, int]] = {
        "iid": {},
        "first_n": {"max_num_nodes": largest},
        "mlp": {"max_num_nodes": largest},
        "top_n": {"num_reference_points": 2 * largest},
        "top_n_same": {"num_reference_points": largest},
    }
    kind = "top_n" if name == "top_n_same" else name
    return creation_resolver(kind, latent_channels=latent, out_channels=channels, **limits[name])


def loss_of(net: TSPN | DSPN, batch: Batch, loss_fn: ChamferLoss) -> Tensor:
    """What is minimised: of DSPN the mean over all steps, the initial sets included; and the cross
    entropy of sizes, from which nothing but the size predictor learns."""
    z = net.encode(batch)
    num_nodes = batch.ptr.diff().cpu()
    decoded = net.decode(z, num_nodes)
    steps = decoded if isinstance(decoded, list) else [decoded]
    loss = torch.stack([loss_fn(step, batch) for step in steps]).mean()
    assert net.sizes is not None
    return loss + net.sizes.loss(z, num_nodes)


def train(
    net: TSPN | DSPN, dataset: SetMNIST, seed: int, budget: Budget, lr: float, out: Path
) -> dict[str, Any]:
    """Train until the budget is used up, and say what was used."""
    loader = ResidentLoader(
        dataset, budget.batch_size, shuffle=True, seed=seed, device=budget.device
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=lr if budget.lr is None else budget.lr)
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    checkpoint = out / "checkpoint.pt"
    step, spent = restore(checkpoint, net, optimizer, loader)
    begin = saved = time.monotonic()
    net.train()
    for batch in endless(loader):
        now = time.monotonic()
        if budget.progress(spent + now - begin, step / len(loader)) >= 1:
            break
        if now - saved > SAVE_SECONDS:
            # Before the batch, which the loader counts as done once the next one is asked for.
            save(checkpoint, net, optimizer, loader, step, spent + now - begin)
            saved = time.monotonic()
        loss = loss_of(net, batch, loss_fn)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    seconds = spent + time.monotonic() - begin
    return {"steps": step, "epochs": step / len(loader), "seconds": seconds}


def endless(loader: ResidentLoader) -> Iterator[Batch]:
    """One epoch after another."""
    while True:
        yield from loader


def save(
    path: Path,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: ResidentLoader,
    step: int,
    seconds: float,
) -> None:
    """Write a checkpoint that is there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    state = {
        "net": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "loader": {"epoch": step // len(loader), "position": step % len(loader)},
        "random": torch.get_rng_state(),
        "step": step,
        "seconds": seconds,
    }
    torch.save(state, temporary)
    os.replace(temporary, path)


def restore(
    path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, loader: ResidentLoader
) -> tuple[int, float]:
    """Go on from a checkpoint if there is one: its step and the seconds spent so far."""
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, weights_only=True, map_location="cpu")
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    loader.load_state_dict(state["loader"])
    torch.set_rng_state(state["random"])
    return int(state["step"]), float(state["seconds"])


@torch.no_grad()
def evaluate(net: TSPN | DSPN, dataset: SetMNIST, seed: int, device: str) -> dict[str, float]:
    """The Chamfer loss of every test set at its true size, averaged; that of the initial sets of
    DSPN; and the mean error of the predicted sizes."""
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
