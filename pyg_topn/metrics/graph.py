"""Distances, validity, uniqueness and novelty of generated graphs that are not molecules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np

from pyg_topn.metrics._graph_classes import GraphClasses
from pyg_topn.metrics._graph_distances import Distances, graph_distances
from pyg_topn.metrics._graph_statistics import GraphStatistics, graph_statistics
from pyg_topn.metrics._graph_validity import VALIDITY
from pyg_topn.metrics._plain_graphs import PlainGraph, read_graphs
from pyg_topn.metrics.graph_report import GraphReport
from pyg_topn.metrics.scores import ValidityScores

Criterion = Callable[[nx.Graph], bool]


class GraphMetrics:
    r"""How much generated graphs look like held-out ones, and which are valid, unique and novel.

    Used like a metric of torchmetrics: :meth:`update` as often as there are graphs,
    :meth:`compute`, :meth:`reset`. Graphs are batches, datasets, lists or single graphs of PyG, or
    graphs of networkx.

    Four statistics of a graph are compared by their squared maximum mean discrepancy
    (:func:`~pyg_topn.metrics.squared_mmd`): the histograms of degrees, of clustering coefficients
    (100 bins, :math:`\sigma = .1`) and of eigenvalues of the normalised Laplacian (200 bins), and
    the mean :func:`~pyg_topn.metrics.orbit_counts` (:math:`\sigma = 30`). Papers use two kernels:

    * :obj:`"gdss"`: Gaussian of the earth mover's distance (of the Euclidean distance for orbits);
    * :obj:`"gran"`: Gaussian of the total variation (GRAN, SPECTRE, DiGress).

    The ratio is the mean over the statistics of :math:`MMD^2(generated, test) /
    MMD^2(train, test)`. Graphs of the same distribution as the data have 1 if there are as many as
    training graphs; fewer of them have more, as the estimate is biased.

    Graphs are the same if they are isomorphic, which is decided by their canonical orders. A graph
    without nodes is not valid and has no statistics.

    Args:
        train: Training graphs: novelty is measured against them, and the ratio needs them.
        held_out: Held-out graphs that the distances are measured to.
        valid: Which graphs are valid: the name of a family of
            :class:`~pyg_topn.datasets.GenericGraphs`, of which :obj:`"planar"` (connected and
            planar), :obj:`"tree"` and :obj:`"lobster"` have a criterion; or a function of a graph
            of networkx.
        use_labels: Whether isomorphic graphs have the same labels, too. The distances ignore
            labels.
        label: Which model or setting this is; printed with the figures.

    Raises:
        TypeError: If something is given that is no graph.
        ValueError: If a family is unknown, a reference is empty, or a graph is not undirected and
            simple.

    Example:
        >>> train, held_out = [nx.path_graph(4), nx.star_graph(4)], [nx.star_graph(3)]
        >>> metrics = GraphMetrics(train, held_out, valid="tree")
        >>> metrics.update([nx.star_graph(3), nx.path_graph(4), nx.cycle_graph(4)])
        >>> report = metrics.compute()
        >>> report.every.num_unique, report.valid.num_valid, report.valid.num_novel
        (3, 2, 1)
        >>> round(report.mmd["gran"]["degree"], 3)
        0.201
    """

    def __init__(
        self,
        train: Any = None,
        held_out: Any = None,
        *,
        valid: str | Criterion | None = None,
        use_labels: bool = False,
        label: str = "",
    ) -> None:
        if isinstance(valid, str) and valid not in VALIDITY:
            raise ValueError(f"Expected 'valid' to be one of {list(VALIDITY)} (got {valid!r})")
        self._criterion = VALIDITY[valid] if isinstance(valid, str) else valid
        self.use_labels, self.label = use_labels, label
        self._train = self._read_reference("train", train)
        self._held_out = self._read_reference("held_out", held_out)
        self._classes = GraphClasses()
        self._known: set[int] | None = None
        self._reference: tuple[GraphStatistics, Distances] | None = None
        self.reset()

    def reset(self) -> None:
        r"""Forget all graphs, but not what was computed for the reference."""
        self._graphs: list[PlainGraph] = []
        self._report: GraphReport | None = None

    def update(self, graphs: Any) -> None:
        r"""Add graphs.

        Args:
            graphs: A batch, a dataset, a graph, or several. Of labels, one-hot rows or integers
                in :obj:`x` and :obj:`edge_attr` are read, and attributes :obj:`label` of networkx,
                integers.

        Raises:
            TypeError: If something is no graph, or a label that is used no integer.
            ValueError: If a graph is not undirected and simple.
        """
        self._graphs += self._read(graphs)
        self._report = None

    def compute(self) -> GraphReport:
        r"""Everything about the graphs added since the last :meth:`reset`.

        Raises:
            ValueError: If there are none.
        """
        if not self._graphs:
            raise ValueError("Expected at least one graph before compute() (got 0)")
        if self._report is None:
            graphs, numbers = self._graphs, self._classes.numbers(self._graphs)
            mmd, train_mmd = self._distances()
            self._report = GraphReport(
                num_graphs=len(graphs),
                num_nodes=float(np.mean([graph.num_nodes for graph in graphs])),
                num_edges=float(np.mean([graph.num_edges for graph in graphs])),
                every=self._scores(numbers),
                valid=self._valid_scores(numbers),
                mmd=mmd,
                train_mmd=train_mmd,
                label=self.label,
            )
        return self._report

    def _read(self, graphs: Any) -> list[PlainGraph]:
        return read_graphs(graphs, self.use_labels)

    def _read_reference(self, name: str, graphs: Any) -> list[PlainGraph] | None:
        if graphs is None:
            return None
        read = self._read(graphs)
        fewest = min((graph.num_nodes for graph in read), default=0)
        if fewest == 0:
            raise ValueError(
                f"Expected '{name}' to hold graphs, all of them with nodes "
                f"(got {len(read)} graphs{', one without nodes' if read else ''})"
            )
        return read

    def _scores(self, numbers: list[int]) -> ValidityScores:
        """The scores of these graphs among all."""
        if self._known is None and self._train is not None:
            self._known = set(self._classes.numbers(self._train))
        novel = None if self._known is None else len(set(numbers) - self._known)
        return ValidityScores(len(self._graphs), len(numbers), len(set(numbers)), novel)

    def _valid_scores(self, numbers: list[int]) -> ValidityScores | None:
        if self._criterion is None:
            return None
        verdicts = [
            graph.num_nodes > 0 and self._criterion(graph.to_networkx()) for graph in self._graphs
        ]
        return self._scores([k for k, good in zip(numbers, verdicts, strict=True) if good])

    def _distances(self) -> tuple[Distances, Distances]:
        """Of the generated graphs and of the training graphs to the held-out ones."""
        graphs = [graph for graph in self._graphs if graph.num_nodes]
        if self._held_out is None or not graphs:
            return {}, {}
        if self._reference is None:
            held_out = graph_statistics(self._held_out)
            unit = graph_distances(graph_statistics(self._train), held_out) if self._train else {}
            self._reference = held_out, unit
        held_out, unit = self._reference
        return graph_distances(graph_statistics(graphs), held_out), unit

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self._graphs)} graphs)"
