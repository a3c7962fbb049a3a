"""Training runs on synthetic sets, measured once and remembered, for the benchmark beside this."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from pyg_topn.datasets import SyntheticMolecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import SetVAELoss, WassersteinLoss
from pyg_topn.metrics import SetMetrics
from pyg_topn.models import SetVAE, build_set_vae

EXTRA_POINTS = 10


@dataclass(frozen=True)
class Run:
    """What identifies a run; everything that changes its figures is here."""

    creation: str = "top_n"
    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    lr: float = 2e-4
    schedule: str = "plateau"
    batch_size: int = 128
    p: int = 2
    number: int = 1000
    num_sets: int = 2000
    weights: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.creation}-{digest[:10]}-{self.seed}"


def measure(run: Run, root: str, out: Path) -> dict[str, Any]:
    """Train and measure, or read what was measured before."""
    path = out / f"{run.name}.json"
    if not path.is_file():
        train = SyntheticMolecules(root, num_sets=run.num_sets, log=False, **run.data)
        test = SyntheticMolecules(root, "test", run.num_sets // 4, log=False, **run.data)
        begin = time.monotonic()
        vae, trained = fit(run, train)
        found = {"run": asdict(run), "seconds": time.monotonic() - begin, **trained}
        found.update(judge(vae, run, train, test))
        out.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def fit(run: Run, train: SyntheticMolecules) -> tuple[SetVAE, dict[str, float]]:
    """A model trained within the budget; the time that it is given counts training alone."""
    torch.manual_seed(run.seed)
    loader = ResidentLoader(train, run.batch_size, shuffle=True, seed=run.seed)
    vae = build_set_vae(train.size_histogram().tolist(), creation=run.creation, **run.model)
    loss_fn = SetVAELoss(WassersteinLoss(run.p), run.weights)
    optimizer = torch.optim.Adam(vae.parameters(), lr=run.lr)
    halve = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=750)
    begin, epoch, progress = time.monotonic(), 0, 0.0
    while progress < 1:
        total = 0.0
        if run.schedule == "cosine":
            warm = min(1.0, (epoch + 1) / 5)
            optimizer.param_groups[0]["lr"] = run.lr * warm * (1 + math.cos(math.pi * progress)) / 2
        for batch in loader:
            output = vae(batch)
            terms = loss_fn(output.prediction, batch, output.posterior)
            optimizer.zero_grad()
            terms["loss"].backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimizer.step()
            total += float(terms["reconstruction"].detach()) * batch.num_graphs / len(train)
        epoch += 1
        if run.schedule == "plateau":
            halve.step(total)
        spent = (time.monotonic() - begin) / 60
        done = [epoch / run.epochs] if run.epochs else []
        progress = max([*done, *([spent / run.minutes] if run.minutes else [])])
    return vae.eval(), {"epochs_done": epoch, "training_reconstruction": total}


@torch.no_grad()
def judge(
    vae: SetVAE, run: Run, train: SyntheticMolecules, test: SyntheticMolecules
) -> dict[str, Any]:
    """Every figure of table 4, with distances of both orders."""
    generator = torch.Generator().manual_seed(run.seed)
    found: dict[str, Any] = {}
    for name, dataset in (("train", train), ("test", test)):
        for p in (1, 2):
            found[f"{name}_w{p}"] = reconstruction(vae, dataset, p)
    drawn = vae.sizes.sample(run.number, generator)
    limit = vae.decoder.max_num_nodes
    larger = drawn + EXTRA_POINTS if limit is None else (drawn + EXTRA_POINTS).clamp(max=limit)
    found["clipped"] = float((larger < drawn + EXTRA_POINTS).double().mean())
    for name, sizes in (("generation", drawn), ("extrapolation", larger)):
        batch = vae.sample(run.number, sizes, generator)
        metrics = SetMetrics(train.valency, seed=run.seed)
        metrics.update(batch.pos, batch.ptr.diff())
        found[name] = metrics.compute().to_dict()
    return found


def reconstruction(vae: SetVAE, dataset: SyntheticMolecules, p: int) -> float:
    """The mean over sets of the distance (a root for p = 2) to what their posterior means give."""
    distances = [
        WassersteinLoss(p, "none")(vae.decode(vae.encode(sets).mean, sets.ptr.diff()), sets)
        for sets in ResidentLoader(dataset, 500)
    ]
    return float(torch.cat(distances).pow(1 / p).mean())
