"""Depth-first orders of many canonically ranked graphs at once."""

from __future__ import annotations

import numpy as np

from pyg_topn.utils._refinement import Ints


def depth_first(code: Ints, size: Ints, num_labels: int) -> Ints:
    """Order the nodes of connected graphs depth-first, neighbours of smaller rank first.

    Args:
        code: Neighbours of the nodes by rank, see :func:`adjacency_code`. [G, n, D]
        size: Number of nodes. [G]
        num_labels: Number of edge labels that :obj:`code` was made with.

    Returns:
        The rank of the node at each position; padding last. [G, n]
    """
    num_graphs, width, _ = code.shape
    graph = np.arange(num_graphs)
    padded = code == 0
    neighbor = np.where(padded, width, (code - 1) // num_labels)  # one spare place for the padding
    leaf = (~padded).sum(axis=2) == 1
    # When a node was last reached from a visited one: the latest is the deepest open branch.
    reached = np.full((num_graphs, width + 1), -1, dtype=np.int64)
    reached[:, :width] = np.where(np.arange(width) >= size[:, None], -2, -1)
    reached[graph, np.where(leaf.any(axis=1), leaf.argmax(axis=1), 0)] = 0
    order = np.empty((num_graphs, width), dtype=np.int64)
    for step in range(width):
        node = reached[:, :width].argmax(axis=1)
        order[:, step] = node
        around = neighbor[graph, node]  # [G, D]
        seen = np.take_along_axis(reached, around, axis=1) <= -3
        np.put_along_axis(reached, np.where(seen, width, around), step + 1, axis=1)
        reached[graph, node] = -3 - step
    return order
