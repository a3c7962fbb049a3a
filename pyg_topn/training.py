"""Training a graph VAE with Lightning."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from pyg_topn._graph_vae_module import GraphVAEModule
from pyg_topn._processor_timer import ProcessorTimer
from pyg_topn._run_checks import (
    check_fit,
    check_numbers,
    check_places,
    known_conditions,
    read_checkpoint,
)
from pyg_topn._teacher import learn_from, read_teacher, without_its_stages
from pyg_topn._trainer import MONITOR, fit, make_trainer, quiet
from pyg_topn.datasets import HeavyAtomQM9
from pyg_topn.loader import ResidentLoader
from pyg_topn.models import build_graph_vae
from pyg_topn.plot import plot_training_curves
from pyg_topn.pretrained import save
from pyg_topn.recipe import plain, recipe
from pyg_topn.utils._names import check_names
from pyg_topn.utils.optional import require
from pyg_topn.utils.precision import check_precision

L = require("lightning.pytorch", extra="train")

__all__ = ["MONITOR", "GraphVAEModule", "train_qm9"]


def train_qm9(
    out: str | os.PathLike[str],
    *,
    recipe_name: str = "default",
    creation: str = "top_n",
    matcher: str | None = None,
    prior: str | None = None,
    minutes: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    resume: bool = False,
    root: str | os.PathLike[str] = "data/qm9",
    patience: int = 50,
    progress_bar: bool = True,
    num_samples: int = 2000,
    num_train: int | None = None,
    changes: Mapping[str, Any] | None = None,
    processor_time: bool = False,
    conditions: Sequence[str] = (),
    teacher: str | os.PathLike[str] | None = None,
    precision: str = "auto",
) -> Path:
    r"""Train a graph VAE on the training split of QM9.

    The folder :obj:`out` receives ``model`` (the best model by :obj:`val/connected_vu`, the share
    of distinct, valid and connected molecules among samples), ``checkpoints``, ``logs``
    (TensorBoard and CSV) and ``training_curves.png``. A killed run goes on with
    :obj:`resume=True` from its last checkpoint, at most half a minute back; a finished one too, if
    the budget has grown.

    Args:
        out: The output folder.
        recipe_name: ``"default"`` or ``"paper"``.
        creation: The creation layer.
        matcher: The matcher, if not the recipe's own.
        prior: The prior, if not the recipe's own.
        minutes: The budget in minutes of training, validation included.
        epochs: The budget in epochs; give one of both. By default 5 minutes.
        seed: Of everything that is drawn.
        resume: Whether to go on where a run in the same folder stopped; starts one if there is
            none.
        root: Where the processed data set is kept.
        patience: After how many validations of the last stage without a better sample the run
            stops early.
        progress_bar: Whether to show one.
        num_samples: How many molecules are sampled at every validation.
        num_train: How many molecules of the training split to train on, drawn by the seed; by
            default all. An epoch is as long as one of all molecules, so that few are seen several
            times in it: what is done once an epoch would take most of the time otherwise.
        changes: What else is to differ from the recipe, see :func:`~pyg_topn.recipe.recipe`.
        processor_time: Whether minutes are those of the processor that the training thread has
            used, which what else runs on the machine does not change; on a CPU only.
        conditions: Names of properties that the model can be asked for, in any case, those of
            :class:`~pyg_topn.datasets.HeavyAtomQM9`; a classifier-free share is hidden in training.
        teacher: For :obj:`prior="one_step"`, a trained model with a rectified flow, as a folder or
            a name, that takes the place of the stages in which it would be trained.
        precision: Of products, ``"float32"``, ``"bfloat16"`` or ``"auto"``, see
            :func:`~pyg_topn.utils.autocast`; weights are in single precision.

    Returns:
        The folder of the model.

    Raises:
        ValueError: If an argument is out of range, the folder holds another run, or its checkpoint
            is damaged.
        OSError: If a folder cannot be written.
        ImportError: If RDKit or matplotlib is not installed.
    """
    conditions = known_conditions(conditions)
    chosen = recipe(recipe_name, creation, matcher, prior, **(changes or {}))
    minutes = 5.0 if minutes is None and epochs is None else minutes
    if teacher is not None:
        chosen = without_its_stages(chosen)
    check_numbers(minutes, epochs, seed, patience, num_samples)
    check_precision(precision)
    names = {"recipe": recipe_name, "creation": creation, "matcher": matcher, "prior": prior}
    others = _others(conditions, teacher, precision, processor_time)
    rest = {"seed": seed, "num_train": num_train, "changes": plain(changes or {})}
    arguments = {**names, **others, **rest}
    out, last = Path(out), Path(out) / "checkpoints" / "last.ckpt"
    check_places(out, Path(root), arguments, resume)
    resumed = read_checkpoint(last) if resume and last.is_file() else None
    known = None if teacher is None or resumed else read_teacher(teacher)
    out.mkdir(parents=True, exist_ok=True)
    L.seed_everything(seed, verbose=False)
    train, val = _splits(root, num_train, chosen.batch_size, seed, conditions)
    model_arguments = _model_arguments(train, chosen.model, conditions)
    model = build_graph_vae(**model_arguments)
    if conditions:
        model.standardise_conditions(train._data.y[list(train.indices())])
    model.vocabulary = train.vocabulary
    if known is not None:
        learn_from(model, known)
    size, hidden = chosen.batch_size, ("smiles", "idx")
    loaders = (
        ResidentLoader(train, size, shuffle=True, drop_last=True, seed=seed, exclude_keys=hidden),
        ResidentLoader(val, size, exclude_keys=hidden),
    )
    (out / "arguments.json").write_text(json.dumps(arguments) + "\n", encoding="utf-8")
    timer, progress = _budget(minutes, epochs, processor_time)
    module = GraphVAEModule(model, chosen, progress, num_samples, precision)
    check_fit(module, resumed, last)
    shown: dict[str, Any] = {"patience": patience, "progress_bar": progress_bar, "resumed": resumed}
    with quiet():
        trainer = make_trainer(out, timer, epochs, ema_decay=chosen.ema_decay, **shown)
        fit(trainer, module, loaders, None if resumed is None else last)
    return _finish(out, module, model_arguments, arguments)


def _others(
    conditions: Sequence[str],
    teacher: str | os.PathLike[str] | None,
    precision: str,
    processor_time: bool,
) -> dict[str, Any]:
    """Arguments that most runs do not have: theirs were known before these were."""
    found: dict[str, Any] = {}
    if conditions:
        found["conditions"] = list(check_names(conditions))
    if teacher is not None:
        found["teacher"] = os.fspath(teacher)
    if precision != "auto":
        found["precision"] = precision
    if processor_time:
        found["processor_time"] = True
    return found


def _splits(
    root: str | os.PathLike[str],
    num_train: int | None,
    batch_size: int,
    seed: int,
    conditions: Sequence[str],
) -> tuple[HeavyAtomQM9, HeavyAtomQM9]:
    """The molecules to train on, and some to validate on."""
    train, val = (HeavyAtomQM9(root, split, conditions) for split in ("train", "val"))
    if num_train is None:
        return train, val[:4096]
    if not batch_size <= num_train <= len(train):
        raise ValueError(
            f"Expected 'num_train' to be at least a batch of {batch_size}, and at most "
            f"{len(train)} (got {num_train})"
        )
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(train), generator=generator)[:num_train]
    return train[drawn.repeat(-(-len(train) // num_train))[: len(train)]], val[:4096]


def _model_arguments(
    train: HeavyAtomQM9, options: Mapping[str, Any], conditions: Sequence[str]
) -> dict[str, Any]:
    """What the model is built from, as plain JSON types."""
    asked = {"conditions": list(conditions)} if conditions else {}
    return {
        **asked,
        "num_node_types": len(train.vocabulary.atoms),
        "edge_orders": list(train.vocabulary.bond_orders),
        "size_histogram": train.size_histogram().tolist(),
        **options,
    }


def _budget(
    minutes: float | None, epochs: int | None, processor_time: bool
) -> tuple[Any, Callable[[Any], float]]:
    """A timer that ends the run, and how far a trainer is, from 0 to 1."""
    duration = None if minutes is None else timedelta(minutes=minutes)
    kind = ProcessorTimer if processor_time else L.callbacks.Timer
    timer = kind(duration, verbose=False)

    def progress(trainer: Any) -> float:
        if minutes is not None:
            return float(timer.time_elapsed("train")) / (60 * minutes)
        steps = (epochs or 1) * trainer.num_training_batches
        return float(trainer.global_step / steps) if steps else 0.0

    return timer, progress


def _finish(
    out: Path,
    module: GraphVAEModule,
    model_arguments: dict[str, Any],
    arguments: dict[str, Any],
) -> Path:
    """Save the best model and the curves."""
    path = out / "checkpoints" / "best.ckpt"
    # A run killed in its very first validation has a last one only; its weights are averages too.
    best = read_checkpoint(path if path.is_file() else path.with_name("last.ckpt"))
    prefix = "model."
    weights = {
        k.removeprefix(prefix): v for k, v in best["state_dict"].items() if k.startswith(prefix)
    }
    module.model.load_state_dict(weights)
    card = {
        **arguments,
        "data": "QM9, training split",
        "prior": module.model.prior.label,
        "step": best["global_step"],
        "epoch": best["epoch"],
    }
    vocabulary = module.model.vocabulary
    folder = save(module.model.eval(), out / "model", model_arguments, vocabulary, card)
    plot_training_curves(out / "logs" / "metrics.csv", out / "training_curves.png")
    return folder
