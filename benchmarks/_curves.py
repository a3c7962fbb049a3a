"""Learning curves of runs, as text."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Curve = list[dict[str, float]]


def read_curve(path: Path) -> Curve:
    """The rows that a training run wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [{name: float(value or "nan") for name, value in row.items()} for row in rows]


def print_curves(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], columns: Mapping[str, tuple[str, float]]
) -> None:
    """What was measured on the way, averaged over seeds: whether more training would pay.

    Args:
        rows: The runs of every method, each with its ``"curve"``.
        columns: The column of a curve and a factor, by the heading.
    """
    print(f"\n{'on the way':18s}{'step':>10s}" + "".join(f"{head:>16s}" for head in columns))
    for name, runs in rows.items():
        for at in zip(*(run["curve"] for run in runs), strict=False):
            cells = [
                f"{scale * sum(row[key] for row in at) / len(at):16.2f}"
                for key, scale in columns.values()
            ]
            step = sum(row["step"] for row in at) / len(at)
            print(f"{name:18s}{step:10.0f}" + "".join(cells))
