"""Training runs on synthetic sets, measured once and remembered, for the benchmark beside this."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _curves import read_curve

import pyg_topn
from pyg_topn._set_figures import EXTRA_POINTS, generation, reconstruction
from pyg_topn.datasets import SyntheticMolecules
from pyg_topn.models import SetVAE
from pyg_topn.set_recipe import SetRecipe
from pyg_topn.set_training import train_synthetic

__all__ = ["EXTRA_POINTS", "Run", "measure"]


@dataclass(frozen=True)
class Run:
    """What identifies a run; everything that changes its figures is here."""

    recipe: SetRecipe = field(default_factory=SetRecipe)
    seed: int = 0
    minutes: float | None = None
    epochs: int | None = None
    processor_time: bool = False
    number: int = 1000

    @property
    def name(self) -> str:
        facts = {**asdict(self), "seed": None}  # Runs that differ in the seed share a name.
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.recipe.creation}-{digest}-{self.seed}"


def measure(run: Run, root: str, out: Path) -> dict[str, Any]:
    """Train and measure, or read what was measured before; a killed run goes on where it was."""
    folder = out / run.name
    path = folder / "measured.json"
    if not path.is_file():
        changes = asdict(run.recipe)
        model = train_synthetic(
            folder,
            creation=changes.pop("creation"),
            prior=changes.pop("prior"),
            minutes=run.minutes,
            epochs=run.epochs,
            processor_time=run.processor_time,
            seed=run.seed,
            resume=True,
            root=root,
            num_samples=run.number,
            progress_bar=False,
            changes=changes,
        )
        vae = pyg_topn.load(model)
        assert isinstance(vae, SetVAE)
        curve = read_curve(folder / "logs" / "metrics.csv")
        found = {"run": asdict(run), **judge(vae, run, root), "curve": curve}
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def judge(vae: SetVAE, run: Run, root: str) -> dict[str, Any]:
    """Every figure of table 4, with distances of both orders."""
    recipe = run.recipe
    train = SyntheticMolecules(root, num_sets=recipe.num_sets, log=False, **recipe.data)
    test = SyntheticMolecules(root, "test", recipe.num_sets // 4, log=False, **recipe.data)
    found: dict[str, Any] = {}
    for split, dataset in (("train", train), ("test", test)):
        distances = reconstruction(vae, dataset, run.seed)
        found.update({f"{split}_{name}": value for name, value in distances.items()})
    return {**found, **generation(vae, train.valency, run.number, run.seed)}
