"""Lightning's trainer with what a run of ours needs, and without what its user need not read."""

from __future__ import annotations

import csv
import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyg_topn.utils.optional import is_installed, require

L = require("lightning.pytorch", extra="train")
MONITOR = "val/connected_vu"
INTERVAL = 30.0  # Seconds between checkpoints, the most that a kill costs.

# What Lightning says of itself, and of the folder that a resumed run writes to.
_NOISE = (
    ".*LeafSpec.*",
    ".*logs directory.*exists and is not empty",
    ".*Checkpoint directory.*exists and is not empty",
    ".*smaller than the logging interval",
)


def make_trainer(
    out: Path,
    timer: Any,
    epochs: int | None,
    *,
    ema_decay: float = 0.0,
    patience: int = 50,
    progress_bar: bool = True,
    resumed: dict[str, Any] | None = None,
) -> Any:
    """A trainer that writes checkpoints and logs to a folder, or goes on with those there."""
    cb, folder = L.callbacks, out / "checkpoints"
    interval = timedelta(seconds=INTERVAL)
    options = {"dirpath": folder, "enable_version_counter": False}
    # Not when an epoch ends, Lightning's default: one resumed at its last batch has no figure.
    best = {"save_on_train_epoch_end": False, **options}
    after = {"check_on_train_epoch_end": False, "patience": patience}
    callbacks = [
        timer,
        _SaveAtEnd(folder / "last.ckpt"),  # Before the averages replace the weights.
        _StopEarly(MONITOR, mode="max", **after),
        _KeepBest(filename="best", monitor=MONITOR, mode="max", **best),
        cb.ModelCheckpoint(filename="last", train_time_interval=interval, **options),
    ]
    if ema_decay:
        callbacks.append(cb.WeightAveraging(use_buffers=False, multi_avg_fn=_Average(ema_decay)))
    if progress_bar:
        callbacks.append(_RichBar() if is_installed("rich") else _PlainBar())
    loggers = [_csv_logger(out, resumed)]
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


def fit(trainer: Any, module: Any, loaders: tuple[Any, Any], last: Path | None) -> None:
    """Train; an interrupt comes out as one, not as the exit that Lightning makes of it."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, *loaders, ckpt_path=last, weights_only=True if last else None)
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what Lightning has to say about itself."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _NOISE:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _csv_logger(out: Path, resumed: dict[str, Any] | None) -> Any:
    """A logger that keeps the rows up to the checkpoint, where Lightning's deletes them all."""
    logger = L.loggers.CSVLogger(out, "logs", version="", flush_logs_every_n_steps=1)
    path = out / "logs" / "metrics.csv"
    if resumed is None or not path.is_file():
        return logger
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if (row["step"] or "").isdigit()]
    writer = logger.experiment
    writer.metrics = [
        {key: value for key, value in row.items() if key and value}
        for row in rows
        if int(row["step"]) < resumed["global_step"]
    ]
    writer.save()
    return logger


class _Average:
    """Exponential moving average that forgets the first steps faster than the later ones."""

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def __call__(self, average: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        steps = float(count)
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(average, current, 1 - decay)


class _SaveAtEnd(L.callbacks.Callback):  # type: ignore[name-defined]
    """A last checkpoint when training ends, so that a finished run is known as such."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        trainer.save_checkpoint(self.path)


class _KeepBest(L.callbacks.ModelCheckpoint):  # type: ignore[name-defined]
    """The best model of the last stage: one of a stage before it is not finished."""

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if pl_module.is_last_stage:
            super().on_validation_end(trainer, pl_module)


class _StopEarly(L.callbacks.EarlyStopping):  # type: ignore[name-defined]
    """An early stop in the last stage only: before it, samples are not what is trained for."""

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if pl_module.is_last_stage:
            super().on_validation_end(trainer, pl_module)


class _FewMetrics:
    """Of a progress bar: the used share of the budget, and few figures under short names."""

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)  # type: ignore[misc]
        used = min(1.0, pl_module.progress(trainer))
        shown = {k.removeprefix("val/"): v for k, v in metrics.items() if k != "v_num"}
        return {"budget": f"{100 * used:.0f}%", **shown}


class _PlainBar(_FewMetrics, L.callbacks.TQDMProgressBar):  # type: ignore[name-defined]
    pass


class _RichBar(_FewMetrics, L.callbacks.RichProgressBar):  # type: ignore[name-defined]
    def __init__(self) -> None:
        theme = require("lightning.pytorch.callbacks.progress.rich_progress", extra="train")
        super().__init__(theme=theme.RichProgressBarTheme(metrics_format=".3g"))

    def configure_columns(self, trainer: Any) -> list[Any]:
        """Description, bar and batches; of the time, the used share of the budget says more."""
        columns = list(super().configure_columns(trainer)[:3])
        columns[1].bar_width = 16  # Narrow enough for a line of 80 characters.
        return columns

    def _get_train_description(self, current_epoch: int) -> str:
        """The epoch; Lightning adds the last one, which is -2 if there is none."""
        return f"Epoch {current_epoch}".ljust(len(self.validation_description))
