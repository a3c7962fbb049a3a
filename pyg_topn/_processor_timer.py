"""A budget in processor time, for machines that other work shares."""

from __future__ import annotations

import time
from typing import Any

from pyg_topn.utils.optional import require

L = require("lightning.pytorch", extra="train")


class ProcessorTimer(L.callbacks.Timer):  # type: ignore[name-defined]
    """Lightning's timer, by the clock of the thread that trains.

    A budget by the clock on the wall buys fewer steps while something else runs. This clock stands
    still while the thread waits for a core. With several threads of torch the training thread
    works along with the others, so it still counts minutes, not their sum; with a GPU, which it
    mostly waits for, it counts too little, and the clock on the wall is the one to use.
    """

    def time_elapsed(self, stage: str = "train") -> float:
        if stage != "train":
            return float(super().time_elapsed(stage))
        return self._offset + (0.0 if self._begin is None else time.thread_time() - self._begin)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self._begin = time.thread_time()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_end(trainer, pl_module)
        self._offset, self._begin = self.time_elapsed(), None

    _begin: float | None = None
