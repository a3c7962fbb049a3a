"""Exact canonical ranking by individualisation and refinement, all branches side by side."""

from __future__ import annotations

import numpy as np

from pyg_topn.utils._refinement import (
    MAX_ELEMENTS,
    Bools,
    Hashes,
    Ints,
    NeighborTable,
    is_discrete,
    rank_rows,
    refine,
    scramble,
    sort_rows,
    twin_index,
)

MAX_BRANCH_ELEMENTS = 1 << 26
"""Entries of the adjacency lists of all branches of one graph at which the search gives up."""


def canonical_rank(table: NeighborTable, node_label: Ints) -> Ints:
    """Rank the nodes of connected graphs such that isomorphic graphs are equal under their ranks.

    Weisfeiler-Lehman refinement first. Where it leaves ties, every node of the first smallest cell
    is individualised in turn (McKay and Piperno, "Practical graph isomorphism, II"), and the leaf
    whose adjacency comes first wins. Four prunings keep the search small, all of them sound: twins
    are numbered beforehand; the cells of a tree are orbits, so one branch suffices; branches whose
    refined colouring has a larger hash are cut; and of branches that an automorphism maps on each
    other one is kept.

    Args:
        table: The graphs.
        node_label: Non-negative labels. [G, n]

    Returns:
        A permutation of 0, ..., n - 1 a row, padding last. [G, n]

    Raises:
        ValueError: If one graph needs more than :obj:`MAX_BRANCH_ELEMENTS` at once.
    """
    graph = np.arange(table.size.size)
    degree = table.mask.sum(axis=2).astype(np.int64)
    key = node_label * (degree.max(initial=0) + 1) + degree
    key = key * (node_label.shape[1] + 1) + twin_index(table, node_label)
    padding = table.padding(graph)
    key[padding] = np.iinfo(np.int64).max
    color = np.where(padding, np.arange(node_label.shape[1]), rank_rows(key))
    color = refine(table, graph, color)
    pending = graph[~is_discrete(color)]
    # A graph has some n branches: as many graphs at once as bounded memory allows.
    step = max(1, 8 * MAX_ELEMENTS // max(1, node_label.shape[1] * table.neighbor[0].size))
    for start in range(0, pending.size, step):
        part = pending[start : start + step]
        color[part] = _search(table, part, color[part])
    return color


def adjacency_code(table: NeighborTable, graph: Ints, rank: Ints) -> Ints:
    """List the neighbours of every node under a ranking, [J, n] -> [J, n, D].

    An entry is rank times the number of labels plus label plus one, in ascending order; the padding
    at the end is zero. Equal codes mean equal graphs.
    """
    code = table.gather(graph, rank) * table.num_labels + table.label[graph] + 1
    code = np.where(table.mask[graph] > 0, code, np.iinfo(np.int64).max)
    code.sort(axis=2)
    code[code == np.iinfo(np.int64).max] = 0
    out = np.empty_like(code)
    np.put_along_axis(out, rank[:, :, None], code, axis=1)
    return out


def _search(table: NeighborTable, graph: Ints, color: Ints) -> Ints:
    roots = graph
    is_tree = table.is_tree
    path = np.empty((graph.size, 0), dtype=np.int64)
    leaf_graph, leaf_color = [graph[:0]], [color[:0]]
    while graph.size:
        keep = _first_by_hash(table, graph, color)
        graph, color, path = graph[keep], color[keep], path[keep]
        keep = _distinct(table, graph, color, path)
        graph, color, path = graph[keep], color[keep], path[keep]
        done = is_discrete(color)
        leaf_graph.append(graph[done])
        leaf_color.append(color[done])
        graph, color, path = graph[~done], color[~done], path[~done]
        cell = _target_cell(color)
        cell &= ~is_tree[graph, None] | (cell.cumsum(axis=1) == 1)
        row, node = cell.nonzero()
        _check_branches(graph[row], table)
        color = refine(table, graph[row], _individualise(color[row], node))
        graph, path = graph[row], np.column_stack([path[row], node])
    return _smallest_leaf(table, roots, np.concatenate(leaf_graph), np.concatenate(leaf_color))


def _check_branches(graph: Ints, table: NeighborTable) -> None:
    branches = np.bincount(graph, minlength=table.size.size)
    limit = MAX_BRANCH_ELEMENTS // max(1, table.neighbor[0].size)
    if branches.max() > limit:
        size = int(table.size[branches.argmax()])
        raise ValueError(
            f"Expected a component of {size} nodes that takes at most {limit} branches to order "
            f"(got {branches.max()}): it is too symmetric"
        )


def _target_cell(color: Ints) -> Bools:
    num_jobs, width = color.shape
    flat = (color + np.arange(num_jobs)[:, None] * width).reshape(-1)
    count = np.bincount(flat, minlength=num_jobs * width).reshape(num_jobs, width)
    first = np.where(count > 1, count, width + 1).argmin(axis=1)
    return color == first[:, None]


def _individualise(color: Ints, node: Ints) -> Ints:
    row = np.arange(node.size)
    own = color[row, node]
    color = color + (color == own[:, None])
    color[row, node] = own
    return color


def _first_by_hash(table: NeighborTable, graph: Ints, color: Ints) -> Bools:
    """Keep the branches of each graph whose refined colouring has the smallest hash. [J]"""
    if np.bincount(graph).max(initial=0) < 2:
        return np.ones(graph.size, dtype=bool)
    around = table.neighbor_hash(graph, color)
    key: Hashes = scramble(around + scramble(color.astype(np.uint64)))
    key[table.padding(graph)] = 0
    total = key.sum(axis=1)
    order = np.lexsort((total, graph))
    smallest = np.empty(table.size.size, dtype=np.uint64)
    smallest[graph[order[::-1]]] = total[order[::-1]]
    return total == smallest[graph]


def _distinct(table: NeighborTable, graph: Ints, color: Ints, path: Ints) -> Bools:
    """Keep one of the branches that an automorphism maps on each other. [J]

    Every branch is followed down to one leaf. Where two leaves have the same adjacency, the
    permutation between them is an automorphism; where it maps the individualised nodes of one
    branch to those of the other, it maps branch to branch, and both have the same smallest leaf.
    """
    keep = np.ones(graph.size, dtype=bool)
    several = np.flatnonzero(np.bincount(graph, minlength=table.size.size)[graph] > 1)
    if several.size == 0:
        return keep
    graph = graph[several]
    leaf = _any_leaf(table, graph, color[several])
    row = np.column_stack(
        [
            graph,
            np.take_along_axis(leaf, path[several], axis=1),
            adjacency_code(table, graph, leaf).reshape(graph.size, -1),
        ]
    )
    order = sort_rows(row)
    same = (row[order[1:]] == row[order[:-1]]).all(axis=1)
    keep[several[order[1:][same]]] = False
    return keep


def _any_leaf(table: NeighborTable, graph: Ints, color: Ints) -> Ints:
    color = color.copy()
    active = np.flatnonzero(~is_discrete(color))
    while active.size:
        node = _target_cell(color[active]).argmax(axis=1)
        color[active] = refine(table, graph[active], _individualise(color[active], node))
        active = active[~is_discrete(color[active])]
    return color


def _smallest_leaf(table: NeighborTable, roots: Ints, graph: Ints, color: Ints) -> Ints:
    code = adjacency_code(table, graph, color).reshape(graph.size, -1)
    order = sort_rows(np.column_stack([graph, code]))
    first = np.searchsorted(graph[order], roots)
    return color[order[first]]
