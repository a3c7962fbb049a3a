"""Graphs of PyG and of networkx as arrays."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_topn.utils._graph_checks import check_arrays, check_simple

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlainGraph:
    """A simple undirected graph with labels.

    Args:
        edge_index: Both directions of every edge, [2, E].
        node_label: [n].
        edge_label: [E].
    """

    edge_index: Ints
    node_label: Ints
    edge_label: Ints

    def __post_init__(self) -> None:
        size = np.array([self.num_nodes])
        check_arrays(self.edge_index, size, self.node_label, self.edge_label)
        check_simple(self.edge_index, self.edge_label, np.zeros(self.num_nodes, dtype=np.int64))

    @property
    def num_nodes(self) -> int:
        return int(self.node_label.size)

    @property
    def num_edges(self) -> int:
        return self.edge_index.shape[1] // 2

    def without_labels(self) -> PlainGraph:
        """The same graph, all labels being zero."""
        zeros = np.zeros_like
        return PlainGraph(self.edge_index, zeros(self.node_label), zeros(self.edge_label))

    def to_networkx(self) -> nx.Graph:
        """With labels as attributes :obj:`label`."""
        graph = nx.Graph()
        graph.add_nodes_from((i, {"label": k}) for i, k in enumerate(self.node_label.tolist()))
        edges = zip(*self.edge_index.tolist(), self.edge_label.tolist(), strict=True)
        graph.add_edges_from((i, j, {"label": k}) for i, j, k in edges)
        return graph


def read_graphs(graphs: Any, use_labels: bool = True) -> list[PlainGraph]:
    """Read a batch, a dataset, one graph, or several of PyG or networkx; labels are 0 if they are
    not to be used.

    Raises:
        TypeError: If there is something else, or a label of networkx is no integer.
        ValueError: If a graph is not undirected and simple.
    """
    read = [_read(graph, use_labels) for graph in _each(graphs)]
    return read if use_labels else [graph.without_labels() for graph in read]


def _each(graphs: Any) -> Iterator[Any]:
    if isinstance(graphs, Batch):
        return iter(graphs.to_data_list())
    if isinstance(graphs, (Data, nx.Graph)):
        return iter([graphs])
    if not isinstance(graphs, Iterable):
        raise TypeError(f"Expected graphs of PyG or networkx (got {type(graphs).__name__})")
    return iter(graphs)


def _read(graph: Any, use_labels: bool) -> PlainGraph:
    if isinstance(graph, nx.Graph):
        # Nothing is asked of labels, texts for example, that nobody looks at.
        return _from_networkx(graph, "label" if use_labels else None)
    if not isinstance(graph, Data):
        raise TypeError(f"Expected graphs of PyG or networkx (got {type(graph).__name__})")
    if graph.edge_index is None:
        raise ValueError("Expected a graph with 'edge_index' (got none)")
    edge_index = graph.edge_index.cpu().numpy()
    node_label = _labels(graph.x, int(graph.num_nodes or 0))
    return PlainGraph(edge_index, node_label, _labels(graph.edge_attr, edge_index.shape[1]))


def _from_networkx(graph: nx.Graph, key: str | None) -> PlainGraph:
    if graph.is_directed() or graph.is_multigraph():
        raise TypeError(f"Expected an undirected simple graph (got {type(graph).__name__})")
    place = {node: i for i, node in enumerate(graph)}
    ends = [(place[i], place[j], _number(k)) for i, j, k in graph.edges(data=key, default=0)]
    edges = np.array(ends, dtype=np.int64).reshape(-1, 3)
    nodes = [_number(label) for _, label in graph.nodes(data=key, default=0)]
    index = np.concatenate([edges[:, :2], edges[:, 1::-1]]).T
    return PlainGraph(index, np.array(nodes, dtype=np.int64), np.tile(edges[:, 2], 2))


def _number(label: Any) -> int:
    try:
        return operator.index(label)
    except TypeError:
        raise TypeError(f"Expected integers as attributes 'label' (got {label!r})") from None


def _labels(value: Tensor | None, size: int) -> Ints:
    """The column of the largest entry of every row; integers as they are."""
    if value is None:
        return np.zeros(size, dtype=np.int64)
    value = value.detach().cpu()
    return (value.argmax(dim=1) if value.dim() == 2 else value.long()).numpy()


def concatenate(graphs: Sequence[PlainGraph]) -> tuple[Ints, Ints, Ints, Ints]:
    """Edges with nodes counted through all graphs, sizes, node labels and edge labels."""
    size = np.array([graph.num_nodes for graph in graphs], dtype=np.int64)
    first = np.concatenate([[0], size.cumsum()])
    return (
        np.concatenate(
            [np.zeros((2, 0), dtype=np.int64)]
            + [graph.edge_index + start for graph, start in zip(graphs, first, strict=False)],
            axis=1,
        ),
        size,
        np.concatenate([np.zeros(0, dtype=np.int64)] + [graph.node_label for graph in graphs]),
        np.concatenate([np.zeros(0, dtype=np.int64)] + [graph.edge_label for graph in graphs]),
    )
