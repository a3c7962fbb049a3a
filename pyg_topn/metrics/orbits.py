"""How often every node takes each place in the connected subgraphs of two to four nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NUM_ORBITS = 15


def orbit_counts(edge_index: Ints, num_nodes: int) -> Ints:
    r"""Count the orbits of induced subgraphs of two, three and four nodes at every node.

    The orbits are numbered as in `ORCA <https://doi.org/10.1093/bioinformatics/btt717>`_ (Hočevar
    and Demšar, 2014):

    ==========  ============================================================
    0           edge
    1, 2        path of three nodes: end, middle
    3           triangle
    4, 5        path of four nodes: end, inside
    6, 7        star of four nodes: leaf, centre
    8           cycle of four nodes
    9, 10, 11   triangle with a tail: tail, other node, node with the tail
    12, 13      two triangles with a common edge: not on that edge, on it
    14          complete graph of four nodes
    ==========  ============================================================

    All subgraphs, induced or not, are counted first: by degrees, common neighbours of two nodes
    and common neighbours of three nodes, in products of sparse matrices. The numbers of induced
    ones follow from how many subgraphs of one kind there are in another. Several graphs are
    counted at once as the components of one.

    Args:
        edge_index: Edges of a simple graph in both directions, :math:`[2, E]`.
        num_nodes: Number of nodes :math:`N`.

    Returns:
        The counts, :math:`[N, 15]`.

    Raises:
        ValueError: If the shape is another one.

    Example:
        >>> triangle_with_tail = np.array([[0, 1, 1, 2, 2, 0, 2, 3], [1, 0, 2, 1, 0, 2, 3, 2]])
        >>> orbit_counts(triangle_with_tail, 4)[:, [0, 3, 9, 10, 11]]
        array([[2, 1, 0, 1, 0],
               [2, 1, 0, 1, 0],
               [3, 1, 0, 0, 1],
               [1, 0, 1, 0, 0]])
    """
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"Expected 'edge_index' of shape [2, E] (got {list(edge_index.shape)})")
    ones = np.ones(edge_index.shape[1])
    adjacency = csr_array((ones, (edge_index[0], edge_index[1])), shape=(num_nodes, num_nodes))
    counts = np.stack(_induced(_subgraphs(adjacency)), axis=1)
    return np.rint(counts).astype(np.int64)


def triangle_counts(adjacency: csr_array) -> tuple[Floats, csr_array]:
    """Triangles at every node [N], and at every edge [N, N]."""
    on_edge = (adjacency @ adjacency).multiply(adjacency).tocsr()
    return on_edge.sum(axis=1) / 2, on_edge


def _subgraphs(adjacency: csr_array) -> dict[int, Floats]:
    """Subgraphs of every orbit, induced or not, except for the edge and the triangle. [N]"""
    degree = adjacency.sum(axis=1)
    triangle, on_edge = triangle_counts(adjacency)
    node, common = np.arange(degree.size), adjacency @ adjacency
    common = common - csr_array((common.diagonal(), (node, node)), shape=common.shape)
    walks = adjacency @ (degree - 1)  # paths of three nodes that begin here
    return {
        0: degree,
        1: walks,
        2: _choose_2(degree),
        3: triangle,
        4: adjacency @ walks - degree * (degree - 1) - 2 * triangle,
        5: (degree - 1) * walks - 2 * triangle,
        6: adjacency @ _choose_2(degree - 1),
        7: degree * (degree - 1) * (degree - 2) / 6,
        8: common.multiply(common - common.sign()).sum(axis=1) / 2,
        9: adjacency @ triangle - 2 * triangle,
        10: on_edge @ (degree - 2),
        11: triangle * (degree - 2),
        12: (adjacency @ on_edge).multiply(adjacency).sum(axis=1) / 2 - triangle,
        13: on_edge.multiply(on_edge - on_edge.sign()).sum(axis=1) / 2,
        14: _complete_4(adjacency),
    }


def _choose_2(number: Floats) -> Floats:
    return number * (number - 1) / 2


def _complete_4(adjacency: csr_array) -> Floats:
    """Complete subgraphs of four nodes at every node. [N]"""
    row, col = adjacency.nonzero()
    once = row < col
    row, col = row[once], col[once]
    shared = adjacency[row].multiply(adjacency[col]).tocsr()  # common neighbours, [E / 2, N]
    on_edge = (shared @ adjacency).multiply(shared).sum(axis=1) / 2
    # Every such subgraph has three edges at a node.
    ends = np.bincount(row, on_edge, adjacency.shape[0])
    return (ends + np.bincount(col, on_edge, adjacency.shape[0])) / 3


def _induced(n: dict[int, Floats]) -> list[Floats]:
    """From subgraphs to induced subgraphs, those with most edges first."""
    i = {14: n[14], 0: n[0], 3: n[3]}
    i[13] = n[13] - 3 * i[14]
    i[12] = n[12] - 3 * i[14]
    i[11] = n[11] - 2 * i[13] - 3 * i[14]
    i[10] = n[10] - 2 * i[12] - 2 * i[13] - 6 * i[14]
    i[9] = n[9] - 2 * i[12] - 3 * i[14]
    i[8] = n[8] - i[12] - i[13] - 3 * i[14]
    i[7] = n[7] - i[11] - i[13] - i[14]
    i[6] = n[6] - i[9] - i[10] - 2 * i[12] - i[13] - 3 * i[14]
    i[5] = n[5] - i[10] - 2 * i[11] - 2 * i[8] - 2 * i[12] - 4 * i[13] - 6 * i[14]
    i[4] = n[4] - 2 * i[9] - i[10] - 2 * i[8] - 4 * i[12] - 2 * i[13] - 6 * i[14]
    i[2] = n[2] - i[3]
    i[1] = n[1] - 2 * i[3]
    return [i[orbit] for orbit in range(NUM_ORBITS)]
