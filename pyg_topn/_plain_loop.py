"""Training in a plain loop, within a budget, that goes on where it was killed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from tqdm.auto import tqdm

from pyg_topn._budget import Budget
from pyg_topn.loader import ResidentLoader
from pyg_topn.set_recipe import SCHEDULES
from pyg_topn.stage import place
from pyg_topn.utils._files import write_at_once

INTERVAL = 30.0  # Seconds of training between checkpoints, the most that a kill costs.
ENTRIES = {"state_dict", "optimizer", "plateau", "loader", "random", "counts", "sums", "curve"}

LossOf = Callable[[Batch], Mapping[str, Tensor]]
Row = dict[str, float]


def rate(share: float, warm_up: float = 0.05) -> float:
    """The learning rate at a share of the run, as a share of the highest: it grows linearly, and
    falls to 0 along a cosine."""
    grown = min(1.0, 0.01 + share / warm_up) if warm_up > 0 else 1.0
    return grown * (1 + math.cos(math.pi * min(1.0, share))) / 2


class PlainLoop:
    r"""Adam, a schedule, a clipped gradient, checkpoints and a learning curve.

    Args:
        net: What is trained.
        loader: The batches.
        loss_of: From a batch to the terms of the loss by name, ``"loss"`` being minimised.
        budget: How long.
        learning_rate: At its highest.
        schedule: ``"cosine"``, see :func:`rate`; ``"plateau"``, halved when the epoch's mean of the
            term ``"reconstruction"`` has not improved for 750 epochs; or ``"constant"``.
        clip: The largest norm of the gradient.
        stages: The shares of the budget that stages take, one after the other: in each, a cosine
            begins anew.
        checkpoint: The file of the checkpoint; it is whole at any time.
        measure: Figures of the net to put on the learning curve, in time that does not count.
        shown: Names of figures of the curve that a progress bar shows.
        num_rows: How often the curve is measured in a run.
        on_row: Called with the curve whenever it has grown.
        label: In front of a progress bar; none is shown without.

    Example:
        >>> from torch_geometric.datasets import FakeDataset
        >>> loader = ResidentLoader(FakeDataset(num_graphs=4, num_channels=2), 2)
        >>> net = nn.Linear(2, 1)
        >>> loop = PlainLoop(net, loader, lambda b: {"loss": net(b.x).mean()}, Budget(epochs=3))
        >>> loop.run()
        >>> loop.step, len(loop.curve)
        (6, 6)
    """

    def __init__(
        self,
        net: nn.Module,
        loader: ResidentLoader,
        loss_of: LossOf,
        budget: Budget,
        learning_rate: float = 1e-3,
        *,
        schedule: str = "cosine",
        clip: float = 1.0,
        stages: Sequence[float] = (1.0,),
        checkpoint: Path | None = None,
        measure: Callable[[], Row] | None = None,
        shown: Sequence[str] = ("train/loss",),
        num_rows: int = 10,
        on_row: Callable[[list[Row]], None] | None = None,
        label: str | None = None,
    ) -> None:
        if schedule not in SCHEDULES:
            raise ValueError(f"Expected a schedule among {', '.join(SCHEDULES)} (got '{schedule}')")
        if not 0 < learning_rate < math.inf:
            raise ValueError(f"Expected 'learning_rate' above 0 (got {learning_rate})")
        self.net, self.loader, self.loss_of, self.budget = net, loader, loss_of, budget
        self.learning_rate, self.schedule, self.clip = learning_rate, schedule, clip
        self.stages = tuple(stages)
        self.checkpoint, self.label, self.shown = checkpoint, label, shown
        self.measure, self.num_rows, self.on_row = measure, num_rows, on_row
        self.optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate, fused=True)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=0.5, patience=750
        )
        self.step, self.seconds, self.saved = 0, 0.0, 0.0
        # Sums stay where the net is until a row or a checkpoint asks for them: to read one is to
        # wait for the device.
        self.epoch_sum: Tensor | float = 0.0  # of a term
        self.sums: dict[str, tuple[Tensor | float, int]] = {}  # of all since the last row
        self.curve: list[Row] = []

    @property
    def share(self) -> float:
        """The share of the budget that is used up."""
        return self.budget.share(self.seconds, self.step / len(self.loader))

    @property
    def stage(self) -> tuple[int, float]:
        """The stage that the run is in, and the share of it that is used up."""
        return place(self.stages, self.share)

    @property
    def _device(self) -> torch.device:
        return next(self.net.parameters()).device

    def run(self) -> None:
        """Train until the budget is used up."""
        bar = tqdm(total=100, unit="%", desc=self.label, disable=self.label is None)
        self.net.train()
        begin = self.budget.clock() - self.seconds
        while self.share < 1:
            for batch in self.loader:
                before = self.share
                self._step(batch)
                self.seconds = self.budget.clock() - begin
                if math.floor(self.share * self.num_rows) > math.floor(before * self.num_rows):
                    self._add_row()
                    bar.set_postfix({k: f"{self.curve[-1][k]:.3g}" for k in self.shown})
                if self.step % len(self.loader) == 0:
                    self._end_epoch()  # Before a checkpoint, which goes on with the next epoch.
                if self.share >= 1 or self.seconds - self.saved >= INTERVAL:
                    self.save()
                begin = self.budget.clock() - self.seconds  # Neither of these counts.
                bar.update(min(100, int(100 * self.share)) - bar.n)
                if self.share >= 1:
                    break
        bar.close()
        # A budget that had been used up before it was made smaller has no row of its last step.
        if not self.curve or self.curve[-1]["step"] != self.step:
            self._add_row()

    def _step(self, batch: Batch) -> None:
        if self.schedule == "cosine":
            self.optimizer.param_groups[0]["lr"] = self.learning_rate * rate(self.stage[1])
        terms = self.loss_of(batch)
        self.optimizer.zero_grad()
        terms["loss"].backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optimizer.step()
        self.step += 1
        values = {name: term.detach() for name, term in terms.items()}
        for name, value in values.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value, count + 1)
        term = values.get("reconstruction", values["loss"])
        self.epoch_sum = self.epoch_sum + term * batch.num_graphs

    def _end_epoch(self) -> None:
        if self.schedule == "plateau":
            self.plateau.step(float(self.epoch_sum))
        self.epoch_sum = 0.0

    def _add_row(self) -> None:
        """What the loss was on average since the last row, and what is measured now."""
        row: Row = {
            "step": self.step,
            "epoch": self.step / len(self.loader),
            "minutes": self.seconds / 60,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            **{f"train/{name}": float(total) / count for name, (total, count) in self.sums.items()},
        }
        if self.measure is not None:
            self.net.eval()
            row.update(self.measure())
            self.net.train()
        self.sums = {}
        self.curve.append(row)
        if self.on_row is not None:
            self.on_row(self.curve)

    def save(self) -> None:
        """Write a checkpoint, whole or not at all."""
        self.saved = self.seconds
        if self.checkpoint is None:
            return
        state = {
            "state_dict": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "loader": self.loader.state_dict(),
            "random": torch.get_rng_state(),
            "counts": (self.step, self.seconds, float(self.epoch_sum)),
            "sums": {name: (float(total), count) for name, (total, count) in self.sums.items()},
            "curve": self.curve,
        }
        if self._device.type == "cuda":  # What is drawn there has a generator of its own.
            state["random_cuda"] = torch.cuda.get_rng_state(self._device)
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(self.checkpoint, lambda path: torch.save(state, path))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        self.net.load_state_dict(state["state_dict"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])
        self.loader.load_state_dict(state["loader"])
        torch.set_rng_state(state["random"])
        if self._device.type == "cuda" and "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"], self._device)
        self.step, self.seconds, self.epoch_sum = state["counts"]
        self.saved = self.seconds
        self.sums, self.curve = dict(state["sums"]), list(state["curve"])
