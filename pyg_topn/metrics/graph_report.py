"""What was measured on generated graphs that are not molecules."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyg_topn.metrics._graph_distances import STATISTICS, TITLES, Distances, distance_ratios
from pyg_topn.metrics.scores import ValidityScores


@dataclass(frozen=True)
class GraphReport:
    r"""The figures of :class:`~pyg_topn.metrics.GraphMetrics`.

    Shares are between 0 and 1; the table prints percent. What was not asked for, or cannot be
    computed, is :obj:`None` and printed as a dash.

    Attributes:
        num_graphs: How many graphs were given.
        num_nodes: How many nodes they have on average.
        num_edges: How many edges they have on average.
        every: Distinct and novel graphs, every graph taken as valid.
        valid: Valid, distinct and novel graphs; :obj:`None` without a criterion.
        mmd: Squared MMD to the held-out graphs, by kernels (:obj:`"gdss"`, :obj:`"gran"`) and
            statistic (:obj:`"degree"`, :obj:`"clustering"`, :obj:`"orbit"`, :obj:`"spectrum"`).
        train_mmd: The same of the training graphs.
        label: Which model or setting this is.

    Example:
        >>> from pyg_topn.metrics import ValidityScores
        >>> every, valid = ValidityScores(4, 4, 3, 2), ValidityScores(4, 2, 1, 1)
        >>> report = GraphReport(4, 9.5, 12.0, every, valid, label="toy")
        >>> for line in report.table().splitlines()[2:6]:
        ...     print(line[:9] + line[40:])
        percent        valid     unique       V.U.      novel     V.U.N.
        ----------------------------------------------------------------
        every gra     100.00      75.00      75.00      66.67      50.00
        valid          50.00      50.00      25.00     100.00      25.00
    """

    num_graphs: int
    num_nodes: float
    num_edges: float
    every: ValidityScores
    valid: ValidityScores | None = None
    mmd: Distances = field(default_factory=dict)
    train_mmd: Distances = field(default_factory=dict)
    label: str = ""

    @property
    def ratios(self) -> dict[str, dict[str, float | None]]:
        """Squared MMD in units of those of the training graphs, and the :obj:`"mean"` of them.

        Empty without training graphs. A statistic without a positive distance between training
        and held-out graphs, as the clustering of trees, has no ratio and is left out of the mean.
        """
        return distance_ratios(self.mmd, self.train_mmd) if self.train_mmd else {}

    def scalars(self) -> dict[str, float]:
        r"""The main figures by short names, for a logger; those that are :obj:`None` left out."""
        scores = self.valid or self.every
        figures: dict[str, float | None] = {
            "valid": None if self.valid is None else self.valid.valid,
            "unique": scores.unique,
            "novel": scores.novel,
            "vun": None if self.valid is None else self.valid.vun,
        }
        for name, distances in self.mmd.items():
            figures.update((f"{name}_{key}", value) for key, value in distances.items())
        for name, ratios in self.ratios.items():
            figures[f"{name}_ratio"] = ratios["mean"]
        return {name: value for name, value in figures.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        r"""Everything as plain JSON types."""
        return {
            "label": self.label,
            "num_graphs": self.num_graphs,
            "num_nodes": self.num_nodes,
            "num_edges": self.num_edges,
            "every": self.every.to_dict(),
            "valid": None if self.valid is None else self.valid.to_dict(),
            "mmd": _copy(self.mmd),
            "train_mmd": _copy(self.train_mmd),
            "ratios": _copy(self.ratios),
        }

    def table(self) -> str:
        r"""The figures as a plain-text table of at most 100 columns."""
        title = f"{self.num_graphs:,} graphs of {self.num_nodes:.1f} nodes and "
        title += f"{self.num_edges:.1f} edges on average"
        rule = "-" * 95
        lines = textwrap.wrap(f"{self.label}: {title}" if self.label else title, 100)
        names = ("valid", "unique", "V.U.", "novel", "V.U.N.")
        lines += [rule, f"{'percent':40s}" + _cells(names), rule]
        lines.append(f"{'every graph taken as valid':40s}" + _scores(self.every))
        lines.append(f"{'valid':40s}" + _scores(self.valid))
        for name, distances in self.mmd.items():
            lines += [rule, f"{TITLES[name]:40s}" + _cells((*STATISTICS, "mean"))]
            lines += self._rows(name, distances)
        return "\n".join([*lines, rule])

    def _rows(self, name: str, distances: Mapping[str, float]) -> list[str]:
        rows = {"squared MMD": [f"{distances[key]:.5f}" for key in STATISTICS]}
        if self.train_mmd:
            train, ratios = self.train_mmd[name], self.ratios[name]
            rows["squared MMD, training graphs"] = [f"{train[key]:.5f}" for key in STATISTICS]
            values = [ratios[key] for key in (*STATISTICS, "mean")]
            rows["ratio"] = ["-" if value is None else f"{value:.2f}" for value in values]
        return [f"{text:40s}" + _cells(cells) for text, cells in rows.items()]

    def __str__(self) -> str:
        return self.table()


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"{text:>11s}" for text in texts)


def _scores(scores: ValidityScores | None) -> str:
    if scores is None:
        return _cells("-----")
    unique = scores.unique if scores.num_valid else None
    values = [scores.valid, unique, scores.vu, scores.novel, scores.vun]
    return _cells("-" if value is None else f"{100 * value:.2f}" for value in values)


def _copy(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: dict(values) for name, values in figures.items()}
