"""Functions that take turns on the clock, so that a busy moment of the machine meets all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np


def seconds(
    functions: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of every call of each, without those of the first rounds."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(warm_up + repeats):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            if repeat >= warm_up:
                found[name].append(time.perf_counter() - begin)
    return found


def milliseconds(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Milliseconds of each, the median."""
    timed = seconds(functions, repeats)
    return {name: 1000 * float(np.median(values)) for name, values in timed.items()}
