"""Training a graph VAE with Lightning."""

from __future__ import annotations

import json
import math
import os
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.datasets import HeavyAtomQM9
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import GraphVAELoss, PriorRegularizer
from pyg_topn.losses.matching import matcher_resolver
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.plot import plot_training_curves
from pyg_topn.pretrained import save
from pyg_topn.recipe import Recipe, recipe
from pyg_topn.utils.optional import is_installed, require

L = require("lightning.pytorch", extra="train")
MONITOR = "val/connected_vu"


class GraphVAEModule(L.LightningModule):  # type: ignore[name-defined]
    r"""The training of a :class:`GraphVAE` as a Lightning module.

    Args:
        model: The model, with a vocabulary.
        chosen: The recipe.
        progress: How far the run is, from 0 to 1; the schedules follow it.
        num_samples: How many molecules are sampled at every validation.

    Example:
        >>> chosen = recipe("default")
        >>> vocabulary = MoleculeVocabulary.qm9()
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2], **chosen.model)
        >>> vae.vocabulary = vocabulary
        >>> GraphVAEModule(vae, chosen, lambda trainer: 0.0).loss.matcher
        CanonicalMatcher()
    """

    def __init__(
        self, model: GraphVAE, chosen: Recipe, progress: Any, num_samples: int = 2000
    ) -> None:
        super().__init__()
        assert model.vocabulary is not None
        orders = model.vocabulary.bond_orders
        self.model, self.chosen, self.progress = model, chosen, progress
        self.num_samples = num_samples
        self.loss = GraphVAELoss(matcher_resolver(chosen.matcher), orders, chosen.weights)
        self.regularizer = PriorRegularizer(model.vocabulary.valences, orders)

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.chosen.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate(self, step: int) -> float:
        progress = min(self.progress(self._trainer), 1.0)
        return min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * progress))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        terms = self._terms(batch)
        ramp = min(1.0, 0.05 + self.progress(self.trainer) / self.chosen.warm_up)
        loss = terms["loss"] - (1 - ramp) * self.loss.weights.get("kl", 1.0) * terms["kl"]
        if self.chosen.regularizer:
            count = max(1, int(batch.num_graphs * self.chosen.prior_share))
            sizes = batch._slice_dict["x"].diff()[:count]
            penalties = self.regularizer(self.model.decode(self.model.prior(count), sizes))
            for name, weight in self.chosen.regularizer.items():
                loss = loss + ramp * weight * penalties[name]
                terms[f"prior_{name}"] = penalties[name]
        self.log_dict({f"train/{key}": value.detach() for key, value in terms.items()})
        self.log("train/lr", self.optimizers().param_groups[0]["lr"])
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        output = self.model(batch)
        terms: dict[str, Tensor] = self.loss(output.distribution, batch, output.posterior)
        return terms

    def validation_step(self, batch: Batch, index: int) -> None:
        terms = self._terms(batch)
        values = {f"val/{key}": value for key, value in terms.items()}
        self.log_dict(values, batch_size=batch.num_graphs)

    def on_validation_epoch_end(self) -> None:
        generator = torch.Generator().manual_seed(1)
        batch = self.model.sample(self.num_samples, generator=generator)
        assert self.model.vocabulary is not None
        metrics = MoleculeMetrics(nspdk=False)
        metrics.update(self.model.vocabulary.to_molecules(batch))
        scalars = metrics.compute().scalars()
        shown = ("connected", "vu")
        for key, value in scalars.items():
            self.log(f"val/{key}", value, prog_bar=key in shown)


def train_qm9(
    out: str | os.PathLike[str],
    *,
    recipe_name: str = "default",
    creation: str = "top_n",
    matcher: str | None = None,
    minutes: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    resume: bool = False,
    root: str | os.PathLike[str] = "data/qm9",
    patience: int = 50,
    progress_bar: bool = True,
    num_samples: int = 2000,
) -> Path:
    r"""Train a graph VAE on the training split of QM9.

    The folder :obj:`out` receives ``model`` (the best model by :obj:`val/connected_vu`, the share
    of distinct, valid and connected molecules among samples), ``checkpoints``, ``logs``
    (TensorBoard and CSV) and ``training_curves.png``. A killed run goes on with
    :obj:`resume=True` from its last checkpoint, at most half a minute back.

    Args:
        out: The output folder.
        recipe_name: ``"default"`` or ``"paper"``.
        creation: The creation layer.
        matcher: The matcher, if not the recipe's own.
        minutes: The budget in minutes of training, validation included.
        epochs: The budget in epochs; give one of both. By default 5 minutes.
        seed: Of everything that is drawn.
        resume: Whether to go on where a run in the same folder stopped; starts one if there is
            none.
        root: Where the processed data set is kept.
        patience: After how many validations without a better sample the run stops early.
        progress_bar: Whether to show one.
        num_samples: How many molecules are sampled at every validation.

    Returns:
        The folder of the model.

    Raises:
        ValueError: If an argument is out of range, or the folder holds another run.
        OSError: If the folder cannot be written.
    """
    chosen = recipe(recipe_name, creation, matcher)
    minutes = 5.0 if minutes is None and epochs is None else minutes
    arguments = {"recipe": recipe_name, "creation": creation, "matcher": matcher, "seed": seed}
    out = _prepare(Path(out), arguments, minutes, epochs, resume)
    L.seed_everything(seed, verbose=False)
    train, val = HeavyAtomQM9(root, "train"), HeavyAtomQM9(root, "val")
    vocabulary = train.vocabulary
    model_arguments = {
        "num_node_types": len(vocabulary.atoms),
        "edge_orders": list(vocabulary.bond_orders),
        "size_histogram": train.size_histogram().tolist(),
        **chosen.model,
    }
    model = build_graph_vae(**model_arguments)
    model.vocabulary = vocabulary
    timer = L.callbacks.Timer(
        None if minutes is None else timedelta(minutes=minutes), verbose=False
    )

    def progress(trainer: Any) -> float:
        if minutes is not None:
            return float(timer.time_elapsed("train")) / (60 * minutes)
        steps = (epochs or 1) * trainer.num_training_batches
        return float(trainer.global_step / steps) if steps else 0.0

    module = GraphVAEModule(model, chosen, progress, num_samples)
    trainer = _trainer(out, chosen, [timer], epochs, patience, progress_bar)
    loaders = (
        ResidentLoader(train, chosen.batch_size, True, True, seed, exclude_keys=("smiles", "idx")),
        ResidentLoader(val[:4096], chosen.batch_size, exclude_keys=("smiles", "idx")),
    )
    last = out / "checkpoints" / "last.ckpt"
    _fit(trainer, module, loaders, last if resume and last.is_file() else None)
    return _finish(out, trainer, module, model_arguments, arguments)


def _prepare(
    out: Path, arguments: dict[str, Any], minutes: float | None, epochs: int | None, resume: bool
) -> Path:
    """Check the budget and the folder before any work, and remember what is run in it."""
    if (minutes is not None) == (epochs is not None):
        raise ValueError(f"Expected 'minutes' or 'epochs', not both (got {minutes} and {epochs})")
    budget = minutes if epochs is None else epochs
    if budget is None or not 0 < budget < math.inf:
        raise ValueError(f"Expected a positive budget of minutes or epochs (got {budget})")
    if out.exists() and not out.is_dir():
        raise OSError(f"Expected a folder to write to (got the file '{out}')")
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise OSError(f"Expected a folder that can be written to (got '{out}')")
    described = out / "arguments.json"
    if described.is_file():
        known = json.loads(described.read_text(encoding="utf-8"))
        if not resume:
            raise ValueError(
                f"Expected a folder without a run (got '{out}', which has one). "
                "Resume it, or choose another folder."
            )
        if known != arguments:
            raise ValueError(
                f"Expected the arguments of the run in '{out}': {known} (got {arguments})"
            )
    described.write_text(json.dumps(arguments) + "\n", encoding="utf-8")
    return out


def _trainer(
    out: Path,
    chosen: Recipe,
    callbacks: list[Any],
    epochs: int | None,
    patience: int,
    progress_bar: bool,
) -> Any:
    cb = L.callbacks
    folder = out / "checkpoints"
    callbacks = [
        *callbacks,
        cb.EarlyStopping(MONITOR, mode="max", patience=patience),
        cb.ModelCheckpoint(
            folder, "best", monitor=MONITOR, mode="max", enable_version_counter=False
        ),
        cb.ModelCheckpoint(
            folder,
            "last",
            train_time_interval=timedelta(seconds=30),
            enable_version_counter=False,
        ),
    ]
    if chosen.ema_decay:
        callbacks.append(
            cb.WeightAveraging(use_buffers=False, multi_avg_fn=_Average(chosen.ema_decay))
        )
    if progress_bar:
        rich = is_installed("rich")
        callbacks.append(cb.RichProgressBar() if rich else cb.TQDMProgressBar())
    loggers = [L.loggers.CSVLogger(out, "logs", version="")]
    if is_installed("tensorboard"):
        loggers.append(L.loggers.TensorBoardLogger(out, "logs", version="tensorboard"))
    return L.Trainer(
        max_epochs=epochs or -1,
        callbacks=callbacks,
        logger=loggers,
        gradient_clip_val=5.0,
        enable_progress_bar=progress_bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        devices=1,
    )


class _Average:
    """Exponential moving average that forgets the first steps faster than the later ones."""

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def __call__(self, average: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        steps = float(count)
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(average, current, 1 - decay)


def _fit(trainer: Any, module: GraphVAEModule, loaders: tuple[Any, Any], last: Path | None) -> None:
    try:
        trainer.fit(module, *loaders, ckpt_path=last, weights_only=True if last else None)
    except (RuntimeError, OSError, EOFError, KeyError, UnpicklingError) as error:
        if last is None or trainer.global_step > 0:
            raise
        raise ValueError(
            f"Expected a checkpoint of this run in '{last}' (got a damaged or a different one: "
            f"{str(error).splitlines()[0]}). Delete it to start again."
        ) from error


def _finish(
    out: Path,
    trainer: Any,
    module: GraphVAEModule,
    model_arguments: dict[str, Any],
    arguments: dict[str, Any],
) -> Path:
    """Save the best model and the curves; a second Ctrl-C or a crash leaves the checkpoints."""
    checkpoints = out / "checkpoints"
    if trainer.interrupted:
        raise KeyboardInterrupt
    best = torch.load(checkpoints / "best.ckpt", map_location="cpu", weights_only=True)
    prefix = "model."
    weights = {
        k.removeprefix(prefix): v for k, v in best["state_dict"].items() if k.startswith(prefix)
    }
    module.model.load_state_dict(weights)
    card = {
        **arguments,
        "data": "QM9, training split",
        "prior": "N(0, I)",
        "step": best["global_step"],
        "epoch": best["epoch"],
    }
    vocabulary = module.model.vocabulary
    folder = save(module.model.eval(), out / "model", model_arguments, vocabulary, card)
    plot_training_curves(out / "logs" / "metrics.csv", out / "training_curves.png")
    return folder
