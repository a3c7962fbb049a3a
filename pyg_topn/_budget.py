"""How long a training run may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    r"""Minutes of training, epochs, or both, of which the first that is used up ends the run.

    Args:
        minutes: Minutes of training alone.
        epochs: Passes over the data.
        processor_time: Whether minutes are those of the processor that the training thread has
            used: what else runs on the machine buys a run no fewer steps. On a CPU only. With
            several threads of torch the training thread works along with the others, so that they
            count as one.

    Raises:
        ValueError: If there is no budget, or one is not positive.

    Example:
        >>> Budget(minutes=2.0).share(seconds=30.0, epochs=7.0)
        0.25
        >>> print(Budget(2.0, 4.0, processor_time=True))
        2 minutes of processor time or 4 epochs
    """

    minutes: float | None = None
    epochs: float | None = None
    processor_time: bool = False

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.minutes, self.epochs) if limit is not None]
        if not limits or not all(0 < limit < math.inf for limit in limits):
            raise ValueError(
                "Expected a positive budget of minutes or epochs "
                f"(got {self.minutes} and {self.epochs})"
            )

    @property
    def clock(self) -> Callable[[], float]:
        """What tells seconds."""
        return time.thread_time if self.processor_time else time.monotonic

    def share(self, seconds: float, epochs: float) -> float:
        """Return the share that is used up; 1 and more ends the run."""
        by_minutes = 0.0 if self.minutes is None else seconds / (60 * self.minutes)
        return by_minutes if self.epochs is None else max(by_minutes, epochs / self.epochs)

    def __str__(self) -> str:
        minutes = "minutes of processor time" if self.processor_time else "minutes"
        limits = {minutes: self.minutes, "epochs": self.epochs}
        return " or ".join(f"{value:g} {name}" for name, value in limits.items() if value)
