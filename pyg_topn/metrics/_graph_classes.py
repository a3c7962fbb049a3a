"""Isomorphism classes of graphs, by canonical forms."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import categorical_edge_match, categorical_node_match

from pyg_topn.metrics._plain_graphs import Ints, PlainGraph, concatenate
from pyg_topn.utils.canonical import canonical_order

CHUNK = 64  # graphs whose canonical orders are computed together

_same_node, _same_edge = categorical_node_match("label", 0), categorical_edge_match("label", 0)


class GraphClasses:
    """Numbers isomorphism classes in the order in which their first graphs come.

    Isomorphic graphs have the same canonical form. The few that are too symmetric for one are
    compared by networkx, with graphs of the same degrees.
    """

    def __init__(self) -> None:
        self._number: dict[bytes, int] = {}
        self._alike: dict[bytes, list[tuple[PlainGraph, bool, int]]] = {}
        self._count = 0

    def numbers(self, graphs: Sequence[PlainGraph]) -> list[int]:
        """The class of every graph."""
        numbers: list[int] = []
        for first in range(0, len(graphs), CHUNK):
            part = graphs[first : first + CHUNK]
            numbers += [
                self._class(*pair) for pair in zip(part, canonical_forms(part), strict=True)
            ]
        return numbers

    def _class(self, graph: PlainGraph, form: bytes | None) -> int:
        if form in self._number:
            return self._number[form]
        alike = self._alike.setdefault(_invariant(graph), [])
        number = self._count
        for other, has_form, known in alike:
            if not (form and has_form) and _isomorphic(graph, other):
                number = known
                break
        else:
            alike.append((graph, form is not None, number))
            self._count += 1
        if form is not None:
            self._number[form] = number
        return number


def canonical_forms(graphs: Sequence[PlainGraph]) -> list[bytes | None]:
    """Equal bytes for isomorphic graphs and no others; None if a graph is too symmetric."""
    edge_index, size, node_label, edge_label = concatenate(graphs)
    try:
        order = canonical_order(edge_index, size, node_label, edge_label)
    except ValueError:
        if len(graphs) == 1:
            return [None]
        return [form for graph in graphs for form in canonical_forms([graph])]
    orders = np.split(order, size.cumsum()[:-1])
    return [_form(graph, order) for graph, order in zip(graphs, orders, strict=True)]


def _form(graph: PlainGraph, order: Ints) -> bytes:
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    row, col = place[graph.edge_index]
    edges = np.stack([row, col, graph.edge_label])[:, np.lexsort((col, row))]
    parts = (np.array([graph.num_nodes]), graph.node_label[order], edges)
    return b"".join(part.astype(np.int64).tobytes() for part in parts)


def _invariant(graph: PlainGraph) -> bytes:
    degree = np.bincount(graph.edge_index[0], minlength=graph.num_nodes)
    return np.sort(degree).tobytes()


def _isomorphic(graph: PlainGraph, other: PlainGraph) -> bool:
    return bool(
        nx.is_isomorphic(
            graph.to_networkx(), other.to_networkx(), node_match=_same_node, edge_match=_same_edge
        )
    )
