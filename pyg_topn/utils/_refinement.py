"""Colour refinement of many small graphs at once: the array half of the canonical ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]

MAX_ELEMENTS = 1 << 19
"""Elements of a large temporary array: enough to hide the overhead, few enough for the cache."""


def scramble(x: Hashes) -> Hashes:
    """Mix 64-bit words so that sums of them hardly ever collide (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hash_ints(values: Ints) -> Hashes:
    """Hash integers, zero included, to 64 bits."""
    return scramble(values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))


@dataclass(frozen=True)
class NeighborTable:
    """Connected graphs of similar sizes as padded lists of neighbours.

    Attributes:
        size: Number of nodes. [G]
        neighbor: Local ids of the neighbours, zero where padded. [G, n, D]
        label: Non-negative labels of these edges. [G, n, D]
        label_hash: Hashes of the labels. [G, n, D]
        mask: One where there is an edge, zero where padded. [G, n, D]
    """

    size: Ints
    neighbor: Ints
    label: Ints
    label_hash: Hashes
    mask: Hashes

    @property
    def num_labels(self) -> int:
        """One more than the largest label of an edge."""
        return int(self.label.max(initial=0)) + 1

    @property
    def is_tree(self) -> Bools:
        """Whether each (connected) graph is a tree. [G]"""
        num_edges = self.mask.sum(axis=(1, 2)).astype(np.int64) // 2
        return num_edges == self.size - 1

    def padding(self, graph: Ints) -> Bools:
        """Which places hold no node. [J, n]"""
        return np.arange(self.neighbor.shape[1]) >= self.size[graph, None]

    def gather(self, graph: Ints, values: NDArray) -> NDArray:
        """Give every node the values of its neighbours, [J, n] -> [J, n, D]."""
        num_jobs, width = values.shape
        offset = np.arange(num_jobs, dtype=np.int64)[:, None, None] * width
        return values.reshape(-1)[self.neighbor[graph] + offset]

    def neighbor_hash(self, graph: Ints, color: Ints) -> Hashes:
        """Hash the multiset of (edge label, colour) around every node, [J, n] -> [J, n]."""
        around = self.gather(graph, hash_ints(color))  # [J, n, D]
        around = scramble(around ^ self.label_hash[graph]) * self.mask[graph]
        return around.sum(axis=2, dtype=np.uint64)


def rank_rows(key: NDArray) -> Ints:
    """Count, for every entry, the smaller entries of its row, [J, n] -> [J, n]."""
    order = np.argsort(key, axis=1)
    ordered = np.take_along_axis(key, order, axis=1)
    start = np.zeros(key.shape, dtype=np.int64)
    np.copyto(start[:, 1:], np.arange(1, key.shape[1]), where=ordered[:, 1:] != ordered[:, :-1])
    np.maximum.accumulate(start, axis=1, out=start)
    rank = np.empty_like(start)
    np.put_along_axis(rank, order, start, axis=1)
    return rank


def sort_rows(rows: Ints) -> Ints:
    """Return the lexicographic order of rows of non-negative integers, [J, W] -> [J]."""
    # Equal-width big-endian integers compare as their bytes do.
    packed = np.ascontiguousarray(rows.astype(">u8"))
    return np.argsort(packed.view(f"V{8 * rows.shape[1]}").reshape(-1), kind="stable")


def is_discrete(color: Ints) -> Bools:
    """Whether every node of a job has a colour of its own. [J]"""
    # A colour is the position of its cell, so ties only lower the sum.
    width = color.shape[1]
    return color.sum(axis=1) == width * (width - 1) // 2


def refine(table: NeighborTable, graph: Ints, color: Ints) -> Ints:
    """Split colours by the colours around them until nothing changes (Weisfeiler-Lehman).

    A colour is the number of nodes in earlier cells; a split keeps the order of the cells. Padding
    keeps colours of its own at the end, so that no result depends on what else is in the batch.
    """
    color = color.copy()
    chunk = max(1, MAX_ELEMENTS // max(1, table.neighbor[0].size))
    for start in range(0, graph.size, chunk):
        active = np.arange(start, min(start + chunk, graph.size))
        while active.size:
            refined = _refine_once(table, graph[active], color[active])
            split = (refined != color[active]).any(axis=1)
            color[active] = refined
            active = active[split & ~is_discrete(refined)]
    return color


def _refine_once(table: NeighborTable, graph: Ints, color: Ints) -> Ints:
    bits = np.frexp(table.size[graph].astype(np.float64))[1].astype(np.uint64)[:, None]
    around = table.neighbor_hash(graph, color)
    # Bits of the colour in front: the order of the cells stays.
    key = (color.astype(np.uint64) << (np.uint64(64) - bits)) | (around >> bits)
    padding = table.padding(graph)
    key[padding] = np.iinfo(np.uint64).max
    return np.where(padding, np.arange(color.shape[1]), rank_rows(key))


def twin_index(table: NeighborTable, node_label: Ints) -> Ints:
    """Number the nodes that have the same label and, each other apart, the same neighbours. [G, n]

    An automorphism maps any numbering of such twins to any other, so that the (arbitrary) order of
    the input may be used without harm.
    """
    num_graphs, width = node_label.shape
    graph = np.arange(num_graphs)
    node = np.broadcast_to(np.arange(width), node_label.shape)
    around = table.neighbor_hash(graph, np.ascontiguousarray(node))
    key = scramble(around ^ hash_ints(node_label))
    order = np.argsort(key, axis=1, kind="stable")
    start = np.take_along_axis(rank_rows(key), order, axis=1)
    index = np.empty_like(start)
    np.put_along_axis(index, order, np.arange(width) - start, axis=1)
    return index + _adjacent_twin_index(table, node_label, around)


def _adjacent_twin_index(table: NeighborTable, node_label: Ints, around: Hashes) -> Ints:
    num_graphs, width = node_label.shape
    graph = np.arange(num_graphs)
    node = np.broadcast_to(np.arange(width), node_label.shape)
    hashed = hash_ints(node)
    own = scramble(hashed[:, :, None] ^ table.label_hash)  # [G, n, D]
    other = scramble(table.gather(graph, hashed) ^ table.label_hash)
    twin = around[:, :, None] - other == table.gather(graph, around) - own
    twin &= node_label[:, :, None] == table.gather(graph, node_label)
    twin &= (table.mask > 0) & (table.neighbor < node[:, :, None])
    return twin.sum(axis=2)
