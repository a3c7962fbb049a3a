"""What is asked of a batch of graphs given as arrays, with messages that say what came."""

from __future__ import annotations

import numpy as np

from pyg_topn.utils._refinement import Bools, Ints


def check_arrays(edge_index: Ints, num_nodes: Ints, node_label: Ints, edge_label: Ints) -> None:
    """Raise unless the types and shapes are those of a batch of graphs."""
    arrays = {
        "edge_index": (edge_index, 2),
        "num_nodes": (num_nodes, 1),
        "node_label": (node_label, 1),
        "edge_label": (edge_label, 1),
    }
    for name, (array, ndim) in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
            got = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"Expected '{name}' to be a numpy array of integers (got {got})")
        if array.ndim != ndim:
            raise ValueError(f"Expected '{name}' to have {ndim} dimensions (got {array.ndim})")
    if edge_index.shape != (2, edge_label.size):
        raise ValueError(
            f"Expected 'edge_index' of shape [2, {edge_label.size}], one column an edge label "
            f"(got {list(edge_index.shape)})"
        )
    if num_nodes.min(initial=0) < 0 or num_nodes.sum() != node_label.size:
        raise ValueError(
            f"Expected non-negative 'num_nodes' with the sum {node_label.size}, one node label a "
            f"node (got the sum {num_nodes.sum()} and the minimum {num_nodes.min(initial=0)})"
        )


def check_simple(edge_index: Ints, edge_label: Ints, graph: Ints) -> None:
    """Raise unless all graphs are undirected and simple; :obj:`graph` is that of each node. [N]"""
    total = graph.size
    low, high = edge_index.min(initial=0), edge_index.max(initial=-1)
    if low < 0 or high >= total:
        raise ValueError(
            f"Expected 'edge_index' between 0 and {total - 1} (got {low} to {max(low, high)})"
        )
    source, target = edge_index
    _raise_where(source == target, edge_index, "graphs without self-loops")
    _raise_where(graph[source] != graph[target], edge_index, "edges that stay in their graph")
    forward, backward = source * total + target, target * total + source
    by_source, by_target = np.argsort(forward), np.argsort(backward)
    repeated = np.diff(forward[by_source], prepend=-1) == 0
    _raise_where(repeated, edge_index[:, by_source], "every edge once in each direction")
    if (forward[by_source] != backward[by_target]).any():
        one_way = ~np.isin(backward, forward)
        _raise_where(one_way, edge_index, "undirected graphs, every edge in both directions")
    unequal = edge_label[by_source] != edge_label[by_target]
    _raise_where(unequal, edge_index[:, by_source], "equal labels in both directions of an edge")


def _raise_where(wrong: Bools, edge_index: Ints, expected: str) -> None:
    if wrong.any():
        source, target = edge_index[:, wrong.argmax()].tolist()
        raise ValueError(
            f"Expected {expected} (got {wrong.sum()} edges that break this, "
            f"the first of them {source} -> {target})"
        )
