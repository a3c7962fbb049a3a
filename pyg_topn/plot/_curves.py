"""Curves of a training run."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyg_topn.plot._figure import CYCLE, check_path, label, panels, save

_AXES = ("step", "epoch")
_SHARES = {
    *("valid", "connected", "relaxed", "valence", "unique", "vu", "novel", "vun"),
    *("connected_vu", "connected_vun"),
}
_FIRST = ("loss", "samples", "fcd", "nspdk")
_Series = tuple[list[float], list[float]]


def plot_training_curves(
    metrics: str | os.PathLike[str] | Mapping[str, Sequence[float | None]],
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> Path:
    r"""Draw everything that a training run logged, one panel for each quantity.

    Columns are named :obj:`"stage/quantity"`, such as :obj:`"train/loss"` and :obj:`"val/loss"`,
    which share a panel. Shares of samples (:obj:`"val/valid"`, :obj:`"val/unique"`, ...) share one
    in percent. Curves of more than 200 points are drawn with their running mean.

    Args:
        metrics: A :obj:`metrics.csv` of Lightning's :obj:`CSVLogger`, with blanks where a quantity
            was not logged, or its columns as a dictionary with :obj:`None` or NaN for blanks.
        path: File to write, ending in :obj:`.png`, :obj:`.pdf` or :obj:`.svg`.
        title: Heading of the figure.

    Returns:
        The path.

    Raises:
        ValueError: If there is no quantity with a value, or the suffix is no format.
        OSError: If :obj:`metrics` cannot be read or the folder cannot be written to.

    Example:
        >>> plot_training_curves("logs/version_0/metrics.csv", "curves.png")  # doctest: +SKIP
    """
    path = check_path(path)
    columns = dict(metrics) if isinstance(metrics, Mapping) else _read(metrics)
    steps = next((name for name in _AXES if _numbers(columns.get(name, ()))), "row")
    grouped: dict[str, dict[str, _Series]] = {}
    for name, values in columns.items():
        series = _series(columns.get(steps), values)
        if name not in _AXES and series[0]:
            panel, line = _place(name)
            grouped.setdefault(panel, {})[line] = series
    if not grouped:
        raise ValueError(f"Expected a column of numbers besides {_AXES} (got {list(columns)})")
    order = sorted(grouped, key=lambda panel: (_rank(panel), panel))
    figure, axes = panels(len(order), 3, title, (4.0, 2.9))
    for axis, panel in zip(axes, order, strict=True):
        _draw(axis, panel, grouped[panel], steps)
    return save(figure, path)


def _read(path: str | os.PathLike[str]) -> dict[str, list[float | None]]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = rows[0].keys() if rows else ()
    return {name: [_number(row[name]) for row in rows] for name in names if name}


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [number for value in values if (number := _number(value)) is not None]


def _series(steps: Sequence[float | None] | None, values: Sequence[float | None]) -> _Series:
    """The points of one column, those without a value or a step left out."""
    xs: list[float] = []
    ys: list[float] = []
    for row, value in enumerate(values):
        x = float(row) if steps is None else _number(steps[row]) if row < len(steps) else None
        y = _number(value)
        if x is not None and y is not None:
            xs.append(x)
            ys.append(y)
    return xs, ys


def _place(name: str) -> tuple[str, str]:
    """Panel and line of a column; Lightning appends _step and _epoch to what it logs as both."""
    stage, _, quantity = name.rpartition("/")
    for suffix in ("_step", "_epoch"):
        if quantity.endswith(suffix):
            quantity, stage = quantity[: -len(suffix)], f"{stage} ({suffix[1:]})".strip()
    if quantity in _SHARES:
        return "samples", quantity.replace("_", " ")
    return quantity, stage or quantity


def _rank(panel: str) -> int:
    if panel in _FIRST:
        return _FIRST.index(panel)
    return len(_FIRST) + panel.startswith("lr")


def _draw(axis: Any, panel: str, lines: Mapping[str, _Series], steps: str) -> None:
    percent = panel == "samples"
    for colour, (name, (xs, ys)) in zip(_colours(len(lines)), lines.items(), strict=True):
        x, y = np.array(xs), np.array(ys) * (100 if percent else 1)
        if len(x) > 200:
            axis.plot(x, y, color=colour, alpha=0.2, linewidth=0.7)
            y = _running_mean(y, len(y) // 40)
        marker = "o" if len(x) <= 30 else None
        axis.plot(x, y, color=colour, linewidth=1.6, marker=marker, markersize=3, label=name)
    every = [value for _, ys in lines.values() for value in ys]
    scales = not percent and not panel.startswith("lr")
    if scales and min(every) > 0 and max(every) > 100 * min(every):
        axis.set_yscale("log")
    label(axis, panel, steps, "percent of samples" if percent else panel)
    if percent:
        axis.set_ylim(0, 102)
    if len(lines) > 1 or next(iter(lines)) != panel:
        axis.legend(fontsize=7, frameon=False)


def _colours(count: int) -> list[str]:
    return [CYCLE[index % len(CYCLE)] for index in range(count)]


def _running_mean(values: np.ndarray, half: int) -> np.ndarray:
    """Mean over the neighbours within half a window on each side, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)
