"""Depth-first orders of many canonically ranked graphs at once."""

from __future__ import annotations

import numpy as np

from pyg_topn.utils._refinement import Bools, Ints

MAX_WALKS = 128
"""Walks of one graph that are followed at once; of more equally good ones the first are kept."""

_VISITED = np.iinfo(np.int64).min


def depth_first(code: Ints, node_label: Ints, size: Ints, num_labels: int) -> Ints:
    """Order the nodes of connected graphs depth-first, along the longest paths.

    A walk starts at a node with one neighbour if there is one; among those, along the edge with the
    largest label; among those, at the node with the largest label. All its ways to go on are
    followed side by side, and whenever some of them have to step back less than others, only these
    are kept. The backbone of a molecule comes first that way, the short branches last. What remains
    equal is decided by rank.

    Of the traversals that were tried on QM9 this makes the slots most predictable: the entropies of
    the edge of every pair of slots and of the type of every slot add up to 19.8 nats, against 21.9
    for the order of the SMILES.

    Args:
        code: Neighbours of the nodes by rank, see :func:`adjacency_code`. [G, n, D]
        node_label: Labels of the nodes by rank. [G, n]
        size: Number of nodes. [G]
        num_labels: Number of edge labels that :obj:`code` was made with.

    Returns:
        The rank of the node at each position; padding last. [G, n]
    """
    num_graphs, width, _ = code.shape
    neighbor = np.where(code == 0, width, (code - 1) // num_labels)  # a spare place for the padding
    edge_label = np.where(code == 0, -1, (code - 1) % num_labels)
    graph, node = _starts(edge_label, node_label, size)
    order = np.empty((graph.size, width), dtype=np.int64)
    # When a node was last reached from a visited one: the latest is the deepest open branch.
    reached = np.broadcast_to(np.arange(-1, -width - 2, -1), (graph.size, width + 1)).copy()
    for step in range(width):
        order[:, step] = node
        row = np.arange(graph.size)
        reached[row, node] = _VISITED
        around = neighbor[graph, node]  # [W, D]
        fresh = np.where(np.take_along_axis(reached, around, axis=1) == _VISITED, width, around)
        time = np.full_like(fresh, 2 * step)
        if step == 0:  # The first edge is one with the largest label of the start.
            label = edge_label[graph, node]
            time += label == label.max(axis=1, initial=-1, keepdims=True)
        np.put_along_axis(reached, fresh, time, axis=1)
        if step + 1 < width:
            graph, row, node = _next(graph, reached[:, :width])
            order, reached = order[row], reached[row]
            if step == 0:
                np.minimum(reached, 0, out=reached)
    return order[np.searchsorted(graph, np.arange(num_graphs))]


def _starts(edge_label: Ints, node_label: Ints, size: Ints) -> tuple[Ints, Ints]:
    """Graph and rank of all equally good first nodes. [W], [W]"""
    wanted = np.arange(node_label.shape[1]) < size[:, None]
    degree = (edge_label >= 0).sum(axis=2)
    for key in (degree == 1, edge_label.max(axis=2, initial=-1), node_label):
        best = np.where(wanted, key, -2).max(axis=1, initial=-2)
        wanted &= key == best[:, None]
    graph, node = wanted.nonzero()
    few = _first_walks(graph)
    return graph[few], node[few]


def _next(graph: Ints, reached: Ints) -> tuple[Ints, Ints, Ints]:
    """All ways to go on from the walks that step back least: graph, walk, node."""
    latest = reached.max(axis=1)
    first = np.flatnonzero(np.diff(graph, prepend=-1))
    best = np.repeat(np.maximum.reduceat(latest, first), np.diff(first, append=graph.size))
    row = np.flatnonzero(latest == best)
    walk, node = (reached[row] == best[row, None]).nonzero()
    row = row[walk]
    few = _first_walks(graph[row])
    row, node = row[few], node[few]
    return graph[row], row, node


def _first_walks(graph: Ints) -> Bools:
    """The first :obj:`MAX_WALKS` entries of every graph. [W]"""
    first = np.flatnonzero(np.diff(graph, prepend=-1))
    count = np.diff(first, append=graph.size)
    return np.arange(graph.size) - np.repeat(first, count) < MAX_WALKS
