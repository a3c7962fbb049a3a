"""Random graphs of the families that generative models of graphs are compared on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, product

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

Sizes = tuple[int, int]
Ints = NDArray[np.int64]

P_WITHIN, P_BRIDGE = 0.7, 0.05  # community_small
P_IN, P_OUT, BLOCKS = 0.3, 0.005, (2, 5)  # sbm
LOBSTER, P_LEG, P_FOOT = 80, 0.7, 0.7  # half the longest backbone, one more leg, one more foot
HOST = (2110, 2, 0.5)  # ego_like: as many nodes as the largest component of Citeseer
MAX_DRAWS = 100_000


@dataclass(frozen=True)
class Family:
    """A family of random graphs.

    Args:
        draw: Yields graphs without end for a seed and a range of sizes.
        num_graphs: How many the literature has.
        sizes: The range of sizes of the literature.
        smallest: The smallest size possible.
        num_node_labels: Number of node labels; 1 if there are none.
        num_edge_labels: Number of edge labels; 1 if there are none.
    """

    draw: Callable[[tuple[int, ...], Sizes], Iterator[nx.Graph]]
    num_graphs: int
    sizes: Sizes
    smallest: int
    num_node_labels: int = 1
    num_edge_labels: int = 1


def _generator(seed: tuple[int, ...], index: int) -> np.random.Generator:
    """Random numbers of the graph (or block of graphs) of this number, whatever the others are."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))


def _independent(
    make: Callable[[np.random.Generator, Sizes], nx.Graph],
) -> Callable[[tuple[int, ...], Sizes], Iterator[nx.Graph]]:
    def draw(seed: tuple[int, ...], sizes: Sizes) -> Iterator[nx.Graph]:
        for index in count():
            yield make(_generator(seed, index), sizes)

    return draw


def _graph(num_nodes: int, edges: Ints) -> nx.Graph:
    graph = nx.empty_graph(num_nodes)
    graph.add_edges_from(edges.tolist())
    return graph


def _with_communities(graph: nx.Graph, community: Ints) -> nx.Graph:
    """Label nodes by community, edges by whether they stay in one (0) or join two (1)."""
    for node, label in enumerate(community.tolist()):
        graph.nodes[node]["label"] = label
    for i, j, attributes in graph.edges(data=True):
        attributes["label"] = int(community[i] != community[j])
    return graph


def _draw_size(rng: np.random.Generator, sizes: Sizes) -> int:
    return int(rng.integers(sizes[0], sizes[1], endpoint=True))


def _connected_community(rng: np.random.Generator, size: int) -> Ints:
    """Edges of a connected G(n, p), [E, 2]."""
    row, col = np.triu_indices(size, 1)
    while True:
        kept = rng.random(row.size) < P_WITHIN
        edges = np.column_stack([row[kept], col[kept]])
        if nx.is_connected(_graph(size, edges)):
            return edges


def _community_small(rng: np.random.Generator, sizes: Sizes) -> nx.Graph:
    size = _draw_size(rng, sizes) // 2
    parts = [_connected_community(rng, size) + side * size for side in range(2)]
    bridge = rng.random((size, size)) < 2 * P_BRIDGE / size
    if not bridge.any():
        bridge[0, 0] = True
    joins = np.argwhere(bridge) + np.array([0, size])
    graph = _graph(2 * size, np.concatenate([*parts, joins]))
    return _with_communities(graph, np.repeat(np.arange(2), size))


def _sbm(rng: np.random.Generator, sizes: Sizes) -> nx.Graph:
    blocks = rng.integers(sizes[0], sizes[1], size=_draw_size(rng, BLOCKS), endpoint=True)
    community = np.repeat(np.arange(blocks.size), blocks)
    row, col = np.triu_indices(community.size, 1)
    kept = rng.random(row.size) < np.where(community[row] == community[col], P_IN, P_OUT)
    graph = _graph(community.size, np.column_stack([row[kept], col[kept]]))
    return _with_communities(graph, community)


def _planar(rng: np.random.Generator, sizes: Sizes) -> nx.Graph:
    size = _draw_size(rng, sizes)
    corners = Delaunay(rng.random((size, 2))).simplices  # [K, 3]
    return _graph(size, corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2))


def _tree(rng: np.random.Generator, sizes: Sizes) -> nx.Graph:
    size = _draw_size(rng, sizes)
    # Pruefer: sequences of n - 2 nodes and labelled trees correspond one to one.
    return nx.from_prufer_sequence(rng.integers(size, size=size - 2).tolist())


def _lobster(rng: np.random.Generator, sizes: Sizes) -> nx.Graph:
    """What :func:`networkx.random_lobster_graph` draws, sizes out of range left unbuilt."""
    for _ in range(MAX_DRAWS):
        length = int(2 * rng.random() * LOBSTER + 0.5)
        if length > sizes[1]:
            continue
        legs = rng.geometric(1 - P_LEG, size=length) - 1
        feet = rng.geometric(1 - P_FOOT, size=legs.sum()) - 1
        size = length + legs.sum() + feet.sum()
        if sizes[0] <= size <= sizes[1]:
            parent = np.repeat(np.arange(feet.size + length), np.concatenate([legs, feet]))
            parent = np.concatenate([np.arange(max(0, length - 1)), parent])
            child = np.delete(np.arange(size), 0)
            return _graph(int(size), np.column_stack([parent, child]))
    raise ValueError(f"Expected 'sizes' that lobsters have (got {sizes})")


def _grids(seed: tuple[int, ...], sizes: Sizes) -> Iterator[nx.Graph]:
    """All pairs of sides in random order, again and again."""
    sides = list(product(range(sizes[0], sizes[1] + 1), repeat=2))
    for block in count():
        for pair in _generator(seed, block).permutation(len(sides)):
            yield nx.convert_node_labels_to_integers(nx.grid_2d_graph(*sides[pair]))


def _egos(seed: tuple[int, ...], sizes: Sizes) -> Iterator[nx.Graph]:
    """Every node of a graph with its neighbours, in random order; then those of another graph."""
    for block in count():
        rng = _generator(seed, block)
        host = nx.powerlaw_cluster_graph(*HOST, seed=int(rng.integers(1 << 31)))
        order = rng.permutation(HOST[0]).tolist()
        centres = [node for node in order if sizes[0] <= host.degree[node] + 1 <= sizes[1]]
        if not centres:
            raise ValueError(f"Expected 'sizes' that ego graphs have (got {sizes})")
        for node in centres:
            yield nx.convert_node_labels_to_integers(nx.ego_graph(host, node))


#: The families by name. Numbers of graphs are those of all splits.
FAMILIES = {
    "community_small": Family(_independent(_community_small), 100, (12, 20), 4, 2, 2),
    "ego_like": Family(_egos, 200, (4, 18), 1),
    "grid": Family(_grids, 100, (10, 19), 1),
    "planar": Family(_independent(_planar), 200, (64, 64), 3),
    "sbm": Family(_independent(_sbm), 200, (20, 40), 1, BLOCKS[1], 2),
    "tree": Family(_independent(_tree), 200, (64, 64), 2),
    "lobster": Family(_independent(_lobster), 100, (10, 100), 1),
}
