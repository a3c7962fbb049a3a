"""Orbit counts against a count over all subsets of nodes."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from pyg_topn.metrics import orbit_counts

# Orbits by the degrees within a connected subgraph, which tell all of them apart up to four nodes.
ORBITS = {
    (1, 1): {1: 0},
    (1, 1, 2): {1: 1, 2: 2},
    (2, 2, 2): {2: 3},
    (1, 1, 2, 2): {1: 4, 2: 5},
    (1, 1, 1, 3): {1: 6, 3: 7},
    (2, 2, 2, 2): {2: 8},
    (1, 2, 2, 3): {1: 9, 2: 10, 3: 11},
    (2, 2, 3, 3): {2: 12, 3: 13},
    (3, 3, 3, 3): {3: 14},
}


def edge_index(graph: nx.Graph) -> np.ndarray:
    edges = np.array(graph.edges(), dtype=np.int64).reshape(-1, 2)
    return np.concatenate([edges, edges[:, ::-1]]).T


def brute_force(graph: nx.Graph) -> np.ndarray:
    counts = np.zeros((len(graph), 15), dtype=np.int64)
    for size in (2, 3, 4):
        for nodes in combinations(graph, size):
            degree = dict(graph.subgraph(nodes).degree())
            for node, orbit in degree.items():
                kinds = ORBITS.get(tuple(sorted(degree.values())))
                if kinds is not None:
                    counts[node, kinds[orbit]] += 1
    return counts


@pytest.mark.parametrize(
    ("size", "share"), [(4, 0.7), (7, 0.3), (8, 0.5), (9, 0.8), (10, 0.2), (7, 1.0), (12, 0.4)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_random_graphs(size: int, share: float, seed: int) -> None:
    graph = nx.gnp_random_graph(size, share, seed=seed)
    counts = orbit_counts(edge_index(graph), size)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, brute_force(graph))


def test_every_orbit_occurs_in_the_random_graphs() -> None:
    total = sum(brute_force(nx.gnp_random_graph(9, p, seed=0)).sum(axis=0) for p in (0.4, 0.8))
    assert (total > 0).all()


def test_graphs_without_edges_or_nodes() -> None:
    none = np.zeros((2, 0), dtype=np.int64)
    assert orbit_counts(none, 3).tolist() == [[0] * 15] * 3
    assert orbit_counts(none, 0).shape == (0, 15)


def test_components_are_counted_one_by_one() -> None:
    parts = [nx.petersen_graph(), nx.wheel_graph(6), nx.empty_graph(2), nx.path_graph(4)]
    union = nx.disjoint_union_all(parts)
    expected = [orbit_counts(edge_index(part), len(part)) for part in parts]
    found = orbit_counts(edge_index(union), len(union))
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_large_counts_are_exact() -> None:
    counts = orbit_counts(edge_index(nx.star_graph(500)), 501)
    assert counts[0, 7] == 500 * 499 * 498 // 6
    assert counts[1, 6] == 499 * 498 // 2


def test_bad_shape() -> None:
    with pytest.raises(ValueError, match=r"Expected 'edge_index' of shape \[2, E\] \(got \[3, 1\]"):
        orbit_counts(np.zeros((3, 1), dtype=np.int64), 1)
