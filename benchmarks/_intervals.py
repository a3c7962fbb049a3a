"""Means over seeds and how far to trust them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t as student


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the half width of its 95 % interval over seeds (Student's t)."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2 or math.isnan(mean):
        return mean, math.nan
    width = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    return mean, width / math.sqrt(len(values))


def cell(values: Sequence[float], scale: float = 1.0, digits: int = 2) -> str:
    """Mean and interval as text."""
    mean, width = interval([scale * value for value in values])
    plus = "" if math.isnan(width) else f"±{width:.{digits}f}"
    return f"{mean:.{digits}f}{plus}"
