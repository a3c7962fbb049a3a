"""Exact canonical node orders of batches of labelled graphs, in array operations only."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_topn.utils._canonical_rank import adjacency_code, canonical_rank
from pyg_topn.utils._components import ptr, ragged_arange, split_components
from pyg_topn.utils._refinement import Ints
from pyg_topn.utils._traversal import depth_first


def canonical_order(
    edge_index: Ints, num_nodes: Ints, node_label: Ints, edge_label: Ints
) -> Ints:
    r"""Order the nodes of every graph of a batch such that isomorphic graphs become equal.

    Two labelled graphs are isomorphic if and only if they are equal once their nodes stand in this order,
    whatever order they came in. It is a depth-first traversal, so that bonded nodes tend to stand next to
    each other. Everything runs over all graphs together, memory is bounded by working in chunks, and the
    order of a graph does not depend on the rest of the batch.

    Args:
        edge_index: Edges of all graphs in both directions, nodes numbered through the batch. [2, E]
        num_nodes: Number of nodes of each graph. [B]
        node_label: Integer label of each node. [N]
        edge_label: Integer label of each edge, the same in both directions. [E]

    Returns:
        For each graph, the local id of the node at each canonical position, concatenated. [N]

    Raises:
        TypeError: If an argument is not an array of integers.
        ValueError: If the shapes do not match, if the graphs are not undirected and simple, or if one of
            them is so symmetric that the search would not end soon.

    Example:
        >>> import numpy as np
        >>> path = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])  # O - C - C and C - C - O
        >>> labels = np.zeros(4, dtype=np.int64)
        >>> size = np.array([3])
        >>> canonical_order(path, size, np.array([8, 6, 6]), labels)
        array([2, 1, 0])
        >>> canonical_order(path, size, np.array([6, 6, 8]), labels)
        array([0, 1, 2])
    """
    _check_arrays(edge_index, num_nodes, node_label, edge_label)
    _check_edges(edge_index, edge_label, np.repeat(np.arange(num_nodes.size), num_nodes))
    if node_label.size == 0:
        return np.zeros(0, dtype=np.int64)
    parts = split_components(edge_index, num_nodes, node_label, edge_label)
    rank, order = np.empty_like(parts.node), np.empty_like(parts.node)
    for nodes, table, label in parts.chunks():
        graph = np.arange(table.size.size)
        ranked = canonical_rank(table, label)
        code = adjacency_code(table, graph, ranked)
        walk = depth_first(code, table.size, int(table.label.max(initial=0)) + 1)
        walk = np.take_along_axis(np.argsort(ranked, axis=1), walk, axis=1)
        real = ~table.padding(graph)
        rank[nodes] = ranked[real]
        order[nodes] = walk[real]
    sequence = parts.order(rank)
    start = np.repeat(ptr(parts.size)[sequence], parts.size[sequence])
    place = order[start + ragged_arange(parts.size[sequence])] + start
    return parts.node[place] - np.repeat(ptr(num_nodes)[:-1], num_nodes)


def _check_arrays(edge_index: Ints, num_nodes: Ints, node_label: Ints, edge_label: Ints) -> None:
    arrays = {
        "edge_index": (edge_index, 2),
        "num_nodes": (num_nodes, 1),
        "node_label": (node_label, 1),
        "edge_label": (edge_label, 1),
    }
    for name, (array, ndim) in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
            got = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"Expected '{name}' to be an array of integers (got {got})")
        if array.ndim != ndim:
            raise ValueError(f"Expected '{name}' to have {ndim} dimensions (got {array.ndim})")
    if edge_index.shape[0] != 2 or edge_index.shape[1] != edge_label.size:
        raise ValueError(
            f"Expected 'edge_index' of shape [2, {edge_label.size}] as there are as many edge labels "
            f"(got {list(edge_index.shape)})"
        )
    if num_nodes.min(initial=0) < 0 or num_nodes.sum() != node_label.size:
        raise ValueError(
            f"Expected 'num_nodes' to sum up to the {node_label.size} node labels "
            f"(got a sum of {num_nodes.sum()} and a minimum of {num_nodes.min(initial=0)})"
        )


def _check_edges(edge_index: Ints, edge_label: Ints, graph: Ints) -> None:
    source, target = edge_index
    total = graph.size
    if edge_index.size and (edge_index.min() < 0 or edge_index.max() >= total):
        raise ValueError(
            f"Expected nodes 0 to {total - 1} in 'edge_index' "
            f"(got {edge_index.min()} to {edge_index.max()})"
        )
    _raise_at(source == target, edge_index, "no self-loops")
    _raise_at(graph[source] != graph[target], edge_index, "edges within graphs")
    forward, backward = source * total + target, target * total + source
    by_source, by_target = np.argsort(forward), np.argsort(backward)
    repeated = np.zeros(source.size, dtype=bool)
    repeated[1:] = np.diff(forward[by_source]) == 0
    _raise_at(repeated, edge_index[:, by_source], "every edge once")
    lacking = ~np.isin(backward, forward) if (forward[by_source] != backward[by_target]).any() else repeated
    _raise_at(lacking, edge_index, "undirected graphs, with every edge in both directions")
    differs = edge_label[by_source] != edge_label[by_target]
    _raise_at(differs, edge_index[:, by_source], "the same label in both directions of an edge")


def _raise_at(wrong: np.ndarray, edge_index: Ints, expected: str) -> None:
    if wrong.any():
        source, target = edge_index[:, wrong.argmax()].tolist()
        raise ValueError(f"Expected {expected} (got {int(wrong.sum())} others, first {source} - {target})")
