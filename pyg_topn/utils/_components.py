"""Connected components of a batch of graphs: split, padded in chunks, and put in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pyg_topn.utils._refinement import MAX_ELEMENTS, Ints, NeighborTable, hash_ints, scramble


def ptr(count: Ints) -> Ints:
    """Cumulative sum with a leading zero, [K] -> [K + 1]."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(count, dtype=np.int64)])


def ragged_arange(count: Ints) -> Ints:
    """Concatenate arange(c) for every c of count."""
    return np.arange(count.sum()) - np.repeat(ptr(count)[:-1], count)


@dataclass(frozen=True)
class Components:
    """The components of all graphs, smallest first, with their nodes numbered one after the other.

    Attributes:
        graph: Graph that each component belongs to. [C]
        size: Number of nodes of each component. [C]
        node: Id of each node in the input. [N]
        node_label: Non-negative labels. [N]
        source: First node of each edge, sorted. [E]
        target: Second node of each edge, sorted within the first. [E]
        edge_label: Non-negative labels. [E]
        edge_hash: Hashes of the labels as they were given. [E]
    """

    graph: Ints
    size: Ints
    node: Ints
    node_label: Ints
    source: Ints
    target: Ints
    edge_label: Ints
    edge_hash: np.ndarray

    def chunks(self) -> Iterator[tuple[slice, NeighborTable, Ints]]:
        """Yield nodes, padded graphs and padded labels of components of similar sizes."""
        degree = np.bincount(self.source, minlength=self.node.size)
        node_ptr, edge_ptr = ptr(self.size), ptr(degree)
        start = 0
        while start < self.size.size:
            stop = self._chunk_end(start, node_ptr, degree)
            nodes = slice(int(node_ptr[start]), int(node_ptr[stop]))
            edges = slice(int(edge_ptr[nodes.start]), int(edge_ptr[nodes.stop]))
            yield nodes, *self._pad(self.size[start:stop], nodes, edges, degree[nodes])
            start = stop

    def _chunk_end(self, start: int, node_ptr: Ints, degree: Ints) -> int:
        # Components come by size; the step doubles from there at most, so that little is padding.
        limit = int(np.searchsorted(self.size, 2 * self.size[start] + 8, side="right"))
        stop = min(limit, start + max(1, MAX_ELEMENTS // int(self.size[limit - 1] * 8)))
        widest = int(degree[node_ptr[start] : node_ptr[stop]].max(initial=1))
        return min(
            stop, start + max(1, MAX_ELEMENTS // (int(self.size[stop - 1]) * max(1, widest)))
        )

    def _pad(
        self, size: Ints, nodes: slice, edges: slice, degree: Ints
    ) -> tuple[NeighborTable, Ints]:
        first = np.repeat(
            ptr(size)[:-1], size
        )  # first node of the component, from the chunk's start
        row = np.repeat(np.arange(size.size), size)
        source = self.source[edges] - nodes.start
        place = (row[source], source - first[source], ragged_arange(degree))
        shape = (size.size, int(size.max()), int(degree.max(initial=0)))
        neighbor, label = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        label_hash, mask = np.zeros(shape, dtype=np.uint64), np.zeros(shape, dtype=np.uint64)
        neighbor[place] = self.target[edges] - nodes.start - first[source]
        label[place] = self.edge_label[edges]
        label_hash[place] = self.edge_hash[edges]
        mask[place] = 1
        node_label = np.zeros(shape[:2], dtype=np.int64)
        node_label[row, ragged_arange(size)] = self.node_label[nodes]
        return NeighborTable(size, neighbor, label, label_hash, mask), node_label

    def order(self, rank: Ints) -> Ints:
        """Sort the components of every graph, the largest first; equal ones stay as they are.

        Args:
            rank: Canonical rank of each node in its component. [N]

        Returns:
            The components by graph. [C]
        """
        num_edges = np.bincount(
            np.repeat(np.arange(self.size.size), self.size)[self.source], minlength=self.size.size
        )
        kind = np.zeros(self.size.size, dtype=np.int64)
        key = np.column_stack([self.graph, self.size, num_edges])
        _, group, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
        alike = np.flatnonzero(count[group.reshape(-1)] > 1)  # only these need a look inside
        for size, edges in np.unique(key[alike, 1:], axis=0):
            member = alike[(self.size[alike] == size) & (num_edges[alike] == edges)]
            kind[member] = self._kind(member, rank, int(edges))
        return np.lexsort((kind, -num_edges, -self.size, self.graph))

    def _kind(self, member: Ints, rank: Ints, num_edges: int) -> Ints:
        """Number components of one size by their ranked labels and edges, equal ones equally."""
        size = int(self.size[member[0]])
        nodes = ptr(self.size)[member, None] + np.arange(size)  # [K, n]
        first = np.searchsorted(self.source, nodes[:, 0])
        edges = first[:, None] + np.arange(num_edges)  # [K, E]
        label = np.empty_like(nodes)
        np.put_along_axis(label, rank[nodes], self.node_label[nodes], axis=1)
        code = rank[self.source[edges]] * size + rank[self.target[edges]]
        code = code * (int(self.edge_label.max(initial=0)) + 1) + self.edge_label[edges]
        rows = np.concatenate([label, np.sort(code, axis=1)], axis=1)
        return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def split_components(
    edge_index: Ints, num_nodes: Ints, node_label: Ints, edge_label: Ints
) -> Components:
    """Find the connected components of all graphs and sort them by size."""
    total = int(num_nodes.sum())
    graph = np.repeat(np.arange(num_nodes.size), num_nodes)
    # Here, since an import of the package would take a third of a second more.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array(
        (np.ones(edge_index.shape[1], dtype=np.int8), tuple(edge_index)), (total, total)
    )
    count, component = connected_components(links, directed=False)
    size = np.bincount(component, minlength=count)
    by_size = np.argsort(size, kind="stable")
    place = np.empty_like(by_size)
    place[by_size] = np.arange(count)
    node = np.argsort(place[component], kind="stable")
    number = np.empty_like(node)
    number[node] = np.arange(total)
    source, target = number[edge_index[0]], number[edge_index[1]]
    edge = np.argsort(source * total + target)
    size = size[by_size]
    return Components(
        graph=graph[node[ptr(size)[:-1]]],
        size=size,
        node=node,
        node_label=np.unique(node_label, return_inverse=True)[1].reshape(-1)[node],
        source=source[edge],
        target=target[edge],
        edge_label=np.unique(edge_label, return_inverse=True)[1].reshape(-1)[edge],
        # Twice, lest the hash of a label cancel out the same hash of a colour.
        edge_hash=scramble(hash_ints(edge_label[edge])),
    )
