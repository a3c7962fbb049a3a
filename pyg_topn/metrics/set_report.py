"""What was measured on generated sets."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SetReport:
    r"""The figures of :class:`~pyg_topn.metrics.SetMetrics`.

    Shares are between 0 and 1; the table prints percent. What was not asked for, or cannot be
    computed, is :obj:`None` and printed as a dash.

    Attributes:
        num_sets: How many sets were given.
        num_points: How many points they have.
        valencies: Number of points of every valency.
        isolated: Share of points without a neighbour.
        crowded: Share of points with too many neighbours.
        valency_distance: Wasserstein distance (of first order) between the histograms of valencies
            of these points and of the data.
        diversity: Mean Wasserstein distance of second order between random pairs of sets.
        diversity_w1: Mean of the distances of first order.
        label: Which model or setting this is.

    Example:
        >>> report = SetReport(2, 5, {0: 1, 1: 4}, isolated=0.2, crowded=0.0, label="toy")
        >>> report.incorrect
        0.2
        >>> print(report.table())
        toy: 2 sets of 2.5 points on average
        ------------------------------------------
        valencies, distance to the data          -
        valency 0 or too large [%]           20.00
          without a neighbour [%]            20.00
          too many neighbours [%]             0.00
        diversity, W2                            -
        diversity, W1                            -
        ------------------------------------------
    """

    num_sets: int
    num_points: int
    valencies: Mapping[int, int] = field(default_factory=dict)
    isolated: float = 0.0
    crowded: float = 0.0
    valency_distance: float | None = None
    diversity: float | None = None
    diversity_w1: float | None = None
    label: str = ""

    @property
    def incorrect(self) -> float:
        """Share of points whose valency is 0 or too large."""
        return self.isolated + self.crowded

    def scalars(self) -> dict[str, float]:
        r"""The main figures by short names, for a logger; those that are :obj:`None` left out."""
        figures = {
            "valency_distance": self.valency_distance,
            "incorrect": self.incorrect,
            "isolated": self.isolated,
            "crowded": self.crowded,
            "diversity": self.diversity,
            "diversity_w1": self.diversity_w1,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        r"""Everything as plain JSON types."""
        return {
            "label": self.label,
            "num_sets": self.num_sets,
            "num_points": self.num_points,
            "valencies": {str(valency): count for valency, count in self.valencies.items()},
            "valency_distance": self.valency_distance,
            "incorrect": self.incorrect,
            "isolated": self.isolated,
            "crowded": self.crowded,
            "diversity": self.diversity,
            "diversity_w1": self.diversity_w1,
        }

    def table(self) -> str:
        r"""The figures as a plain-text table of at most 100 columns."""
        mean = self.num_points / self.num_sets
        title = f"{self.num_sets:,} sets of {mean:.1f} points on average"
        rows = {
            "valencies, distance to the data": (self.valency_distance, 1),
            "valency 0 or too large [%]": (self.incorrect, 100),
            "  without a neighbour [%]": (self.isolated, 100),
            "  too many neighbours [%]": (self.crowded, 100),
            "diversity, W2": (self.diversity, 1),
            "diversity, W1": (self.diversity_w1, 1),
        }
        lines = textwrap.wrap(f"{self.label}: {title}" if self.label else title, 100)
        rule = "-" * 42
        cells = {
            name: "-" if value is None else f"{factor * value:.2f}"
            for name, (value, factor) in rows.items()
        }
        lines += [rule, *(f"{name:34s}{cell:>8s}" for name, cell in cells.items()), rule]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()
