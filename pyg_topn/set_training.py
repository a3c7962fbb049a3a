"""Training a set VAE in a plain loop."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn._budget import Budget
from pyg_topn._data_latents import DataLatents
from pyg_topn._plain_loop import ENTRIES, PlainLoop, Row
from pyg_topn._run_checks import check_fit, check_numbers, check_places, read_checkpoint
from pyg_topn._set_figures import generation, reconstruction
from pyg_topn.datasets import SyntheticMolecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import SetVAELoss, WassersteinLoss
from pyg_topn.models import SetVAE, build_set_vae
from pyg_topn.nn.prior import RectifiedFlowPrior
from pyg_topn.plot import plot_training_curves
from pyg_topn.pretrained import save
from pyg_topn.set_recipe import SetRecipe
from pyg_topn.utils._files import write_at_once
from pyg_topn.utils._paths import make_folder


def train_synthetic(
    out: str | os.PathLike[str],
    *,
    creation: str = "top_n",
    prior: str = "gaussian",
    minutes: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    resume: bool = False,
    root: str | os.PathLike[str] = "data/synthetic",
    num_samples: int = 1000,
    progress_bar: bool = True,
    processor_time: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    r"""Train the set VAE of appendix D.2 on synthetic molecules.

    The folder :obj:`out` receives ``model``, ``checkpoints``, ``logs`` and ``training_curves.png``.
    A killed run goes on with :obj:`resume=True` from its last checkpoint, at most half a minute
    back; a finished one too, if the budget has grown. Batches are of sets of similar sizes, as in
    the paper.

    Ten times in a run, the model is measured on sets that are neither those for training nor
    those for testing: the distances :math:`W_1` and :math:`W_2` of reconstructions, and of new sets
    and larger ones the distance between the histograms of valencies, and the share of points with
    no neighbour or more than 4. That takes no time of the budget.

    Args:
        out: The output folder.
        creation: The creation layer.
        prior: ``"gaussian"``, as in the paper, or ``"rectified_flow"``, which is fitted to latent
            vectors of the data in the last part of a run.
        minutes: The budget in minutes of training.
        epochs: The budget in epochs; give one of both. By default 5 minutes.
        seed: Of everything that is drawn.
        resume: Whether to go on where a run in the same folder stopped; starts one if there is
            none.
        root: Where the processed data set is kept.
        num_samples: How many sets are generated at every measurement.
        progress_bar: Whether to show one.
        processor_time: Whether minutes are those of the processor that the training thread has
            used, which what else runs on the machine does not change.
        changes: What else is to differ, fields of :class:`~pyg_topn.set_recipe.SetRecipe`.

    Returns:
        The folder of the model.

    Raises:
        ValueError: If an argument is out of range, the folder holds another run, or its checkpoint
            is damaged.
        TypeError: If :obj:`changes` names what is no field.
        OSError: If a folder cannot be written.
        ImportError: If matplotlib is not installed.
    """
    recipe = SetRecipe(creation, prior=prior, **(changes or {}))
    minutes = 5.0 if minutes is None and epochs is None else minutes
    check_numbers(minutes, epochs, seed, num_samples=num_samples)
    described = {**asdict(recipe), "seed": seed}
    out, last = Path(out), Path(out) / "checkpoints" / "last.pt"
    check_places(out, Path(root), described, resume, needs=(("matplotlib.figure", "plot"),))
    resumed = read_checkpoint(last, ENTRIES) if resume and last.is_file() else None
    loss_fn = SetVAELoss(WassersteinLoss(recipe.p), recipe.weights)
    curve = make_folder(out / "logs") / "metrics.csv"
    train, val = _splits(root, recipe, progress_bar)
    torch.manual_seed(seed)
    sizes = train.size_histogram().tolist()
    arguments = {"size_histogram": sizes, "creation": creation, "prior": prior, **recipe.model}
    vae = build_set_vae(**arguments)
    check_fit(vae, resumed, last)
    flow = _Flow(vae, train, recipe)
    loop = PlainLoop(
        vae,
        ResidentLoader(train, recipe.batch_size, shuffle=True, seed=seed, bucket=True),
        lambda batch: _terms(vae, loss_fn, batch) if loop.stage[0] == 0 else flow(),
        Budget(minutes, epochs, processor_time),
        recipe.learning_rate,
        schedule=recipe.schedule,
        stages=recipe.stages,
        checkpoint=last,
        measure=lambda: _measure(vae, train.valency, val, num_samples),
        on_row=lambda rows: _write_curve(rows, curve),
        shown=("train/loss", "val/w1", "generation/incorrect"),
        label=creation if progress_bar else None,
    )
    if resumed is not None:
        loop.restore(resumed)
    (out / "arguments.json").write_text(json.dumps(described) + "\n", encoding="utf-8")
    loop.run()
    folder = save(vae.eval(), out / "model", arguments, card={**described, **loop.curve[-1]})
    plot_training_curves(curve, out / "training_curves.png")
    return folder


def _splits(
    root: str | os.PathLike[str], recipe: SetRecipe, log: bool
) -> tuple[SyntheticMolecules, SyntheticMolecules]:
    """The sets to train on, and some to validate on."""
    number = recipe.num_sets
    options: dict[str, Any] = {"log": log, **recipe.data}
    train = SyntheticMolecules(root, num_sets=number, **options)
    return train, SyntheticMolecules(root, "val", max(number // 4, 2), **options)


def _terms(vae: SetVAE, loss_fn: SetVAELoss, batch: Batch) -> dict[str, Tensor]:
    output = vae(batch)
    return dict(loss_fn(output.prediction, batch, output.posterior))


class _Flow:
    """The loss of a flow on latent vectors of the data, of an encoder that no longer changes."""

    def __init__(self, vae: SetVAE, sets: SyntheticMolecules, recipe: SetRecipe) -> None:
        self.vae, self.sets, self.recipe = vae, sets, recipe
        self.latents: DataLatents | None = None

    def __call__(self) -> dict[str, Tensor]:
        prior = self.vae.prior
        assert isinstance(prior, RectifiedFlowPrior)
        if self.latents is None:
            self.latents = DataLatents.encode(self.vae, ResidentLoader(self.sets, 1))
            self.latents.standardise(prior)
        z, num_nodes, _ = self.latents.draw(self.recipe.flow_batch, self.recipe.flow_noise)
        velocity = prior.loss(z, num_nodes)
        return {"velocity": velocity, "loss": velocity}


def _measure(vae: SetVAE, valency: Tensor, val: SyntheticMolecules, number: int) -> Row:
    """The figures of the learning curve, the same ones drawn every time."""
    found = {f"val/{name}": value for name, value in reconstruction(vae, val).items()}
    drawn = generation(vae, valency, number, num_pairs=0)
    for part in ("generation", "extrapolation"):
        report = drawn[part]
        found[f"{part}/valency"] = report["valency_distance"]
        found[f"{part}/incorrect"] = report["incorrect"]
    return found


def _write_curve(rows: list[Row], path: Path) -> None:
    """The learning curve as a file that is there whole or not at all."""

    def write(draft: Path) -> None:
        with draft.open("w", newline="", encoding="utf-8") as file:
            # Stages have terms of their own; what one has not is left blank.
            writer = csv.DictWriter(file, dict.fromkeys(name for row in rows for name in row))
            writer.writeheader()
            writer.writerows(rows)

    write_at_once(path, write)
