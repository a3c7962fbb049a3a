"""Training runs on synthetic sets, measured once and remembered, for the benchmark beside this."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _curves import read_curve
from _defaults import defaults
from _remembered import write_result

import pyg_topn
from pyg_topn._run_checks import check_numbers
from pyg_topn._set_figures import EXTRA_POINTS, generation, reconstruction
from pyg_topn.datasets import SyntheticMolecules
from pyg_topn.losses import SetVAELoss, WassersteinLoss
from pyg_topn.models import SetVAE, build_set_vae
from pyg_topn.set_recipe import SetRecipe
from pyg_topn.set_training import train_synthetic

__all__ = ["EXTRA_POINTS", "Run", "check", "measure"]


@dataclass(frozen=True)
class Run:
    """What identifies a run; everything that changes its figures is here."""

    recipe: SetRecipe = field(default_factory=SetRecipe)
    seed: int = 0
    minutes: float | None = None
    epochs: int | None = None
    processor_time: bool = False
    number: int = 1000

    def __post_init__(self) -> None:
        check_numbers(self.minutes, self.epochs, self.seed, num_samples=self.number)
        if self.number < 2:
            raise ValueError("Expected 'number' to be at least 2, for the diversity (got 1)")

    @property
    def name(self) -> str:
        # Runs that differ in the seed share a name; those with other defaults do not.
        facts = {**asdict(self), "seed": None, "weights": self.loss.weights}
        facts["defaults"] = [defaults(build_set_vae), defaults(SyntheticMolecules)]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.recipe.creation}-{digest}-{self.seed}"

    @property
    def loss(self) -> SetVAELoss:
        """What is minimised."""
        return SetVAELoss(WassersteinLoss(self.recipe.p), self.recipe.weights)


def check(run: Run, root: str) -> None:
    """Make the data, the loss and the model, so that none is refused when others have been trained
    for hours."""
    recipe = run.recipe
    sets = SyntheticMolecules(root, num_sets=recipe.num_sets, log=False, **recipe.data)
    _ = run.loss
    histogram = sets.size_histogram().tolist()
    build_set_vae(histogram, creation=recipe.creation, prior=recipe.prior, **recipe.model)


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
        write_result(path, found)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def judge(vae: SetVAE, run: Run, root: str) -> dict[str, Any]:
    """Every figure of table 4, with distances of both orders."""
    recipe = run.recipe
    train = SyntheticMolecules(root, num_sets=recipe.num_sets, log=False, **recipe.data)
    test = SyntheticMolecules(root, "test", max(recipe.num_sets // 4, 2), log=False, **recipe.data)
    found: dict[str, Any] = {"largest": vae.decoder.max_num_nodes}
    for split, dataset in (("train", train), ("test", test)):
        distances = reconstruction(vae, dataset, run.seed)
        found.update({f"{split}_{name}": value for name, value in distances.items()})
    return {**found, **generation(vae, train.valency, run.number, run.seed)}
