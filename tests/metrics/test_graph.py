"""Metrics of graphs: statistics and classes against networkx, distances by double loops."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch_geometric.data import Batch, Data
from torch_geometric.utils import from_networkx

from pyg_topn.datasets import generate_graphs
from pyg_topn.datasets._graph_families import FAMILIES
from pyg_topn.metrics import GraphMetrics, orbit_counts
from pyg_topn.metrics._graph_classes import GraphClasses, canonical_forms
from pyg_topn.metrics._graph_statistics import graph_statistics, normalized_spectrum
from pyg_topn.metrics._graph_validity import VALIDITY
from pyg_topn.metrics._plain_graphs import read_graphs
from pyg_topn.utils import _canonical_rank

STATISTICS = ("degree", "clustering", "orbit", "spectrum")


def some_graphs() -> list[nx.Graph]:
    named = [nx.empty_graph(1), nx.empty_graph(3), nx.path_graph(2), nx.complete_graph(5)]
    named += [nx.disjoint_union(nx.cycle_graph(4), nx.empty_graph(2)), nx.petersen_graph()]
    families = [graph for name in FAMILIES for graph in generate_graphs(name, 2)]
    return named + [graph for graph in families if len(graph) < 150]


def shuffled(graph: nx.Graph, seed: int) -> nx.Graph:
    """The same graph with other names, in another order."""
    rng = np.random.default_rng(seed)
    name = dict(zip(graph, rng.permutation(len(graph)).tolist(), strict=True))
    other = nx.Graph()
    other.add_nodes_from((n, graph.nodes[u]) for n, u in sorted((n, u) for u, n in name.items()))
    other.add_edges_from((name[u], name[v], attrs) for u, v, attrs in graph.edges(data=True))
    return other


def spectrum(graph: nx.Graph) -> np.ndarray:
    laplacian = nx.normalized_laplacian_matrix(graph).toarray()
    return np.clip(np.linalg.eigvalsh(laplacian), 0, 2)


def expected_statistics(graph: nx.Graph) -> dict[str, np.ndarray]:
    clustering, _ = np.histogram(list(nx.clustering(graph).values()), 100, (0.0, 1.0))
    eigenvalues, _ = np.histogram(spectrum(graph), 200, (-1e-5, 2))
    edges = np.array(graph.edges(), dtype=np.int64).reshape(-1, 2)
    orbits = orbit_counts(np.concatenate([edges, edges[:, ::-1]]).T, len(graph))
    return {
        "degree": np.array(nx.degree_histogram(graph)) / len(graph),
        "clustering": clustering / len(graph),
        "orbit": orbits.mean(axis=0),
        "spectrum": eigenvalues / len(graph),
    }


def test_statistics_are_those_of_networkx() -> None:
    graphs = some_graphs()
    found = graph_statistics(read_graphs(graphs))
    for row, graph in enumerate(graphs):
        for name, value in expected_statistics(graph).items():
            row_found = getattr(found, name)[row]
            np.testing.assert_allclose(row_found[: value.size], value, atol=1e-12, err_msg=name)
            assert not row_found[value.size :].any()


def test_spectra_are_those_of_networkx() -> None:
    for graph, plain in zip(some_graphs(), read_graphs(some_graphs()), strict=True):
        np.testing.assert_allclose(normalized_spectrum(plain), spectrum(graph), atol=1e-9)


def test_statistics_of_many_graphs_are_those_of_each() -> None:
    graphs = read_graphs(generate_graphs("community_small", 70))
    whole = graph_statistics(graphs)
    for row in (0, 63, 64, 69):
        one = graph_statistics([graphs[row]])
        for name in STATISTICS:
            value = getattr(one, name)[0]
            np.testing.assert_allclose(getattr(whole, name)[row][: value.size], value)


def pad(x: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([x, np.zeros(size - x.size)])


def kernel(convention: str, name: str, x: np.ndarray, y: np.ndarray) -> float:
    """As the papers define it, a pair at a time."""
    size = max(x.size, y.size)
    x, y = pad(x, size), pad(y, size)
    sigma = {"degree": 1.0, "clustering": 0.1, "orbit": 30.0, "spectrum": 1.0}[name]
    if convention == "gran":
        distance = np.abs(x - y).sum() / 2
    elif name == "orbit":
        distance = np.linalg.norm(x - y)
    else:
        bins = np.arange(size) / (100 if name == "clustering" else 1)
        distance = wasserstein_distance(bins, bins, x, y)
    return float(np.exp(-(distance**2) / (2 * sigma**2)))


def double_loop(a: list[nx.Graph], b: list[nx.Graph], convention: str, name: str) -> float:
    x, y = ([expected_statistics(graph)[name] for graph in graphs] for graphs in (a, b))

    def mean(u: list[np.ndarray], v: list[np.ndarray]) -> float:
        return float(np.mean([[kernel(convention, name, i, j) for j in v] for i in u]))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def test_distances_are_the_double_loop() -> None:
    train = generate_graphs("community_small", 5)
    held_out, other = generate_graphs("ego_like", 4), generate_graphs("planar", 3, sizes=(9, 20))
    metrics = GraphMetrics(train, held_out)
    metrics.update(other)
    report = metrics.compute()
    for convention in ("gdss", "gran"):
        for name in STATISTICS:
            expected = double_loop(other, held_out, convention, name)
            assert report.mmd[convention][name] == pytest.approx(expected, abs=1e-10)
            unit = double_loop(train, held_out, convention, name)
            assert report.train_mmd[convention][name] == pytest.approx(unit, abs=1e-10)
            assert report.ratios[convention][name] == pytest.approx(expected / unit)
        each = [report.ratios[convention][name] for name in STATISTICS]
        assert report.ratios[convention]["mean"] == pytest.approx(np.mean(each))


def test_the_data_have_no_distance() -> None:
    graphs = generate_graphs("planar", 8)
    metrics = GraphMetrics(generate_graphs("planar", 8, seed=1), graphs, valid="planar")
    metrics.update([shuffled(graph, seed) for seed, graph in enumerate(graphs)])
    report = metrics.compute()
    for name in STATISTICS:
        # Eigenvalues depend on the order of the nodes in the last digits.
        assert report.mmd["gran"][name] == pytest.approx(0, abs=1e-4)
    assert report.valid is not None
    assert report.valid.vun == 1.0


def test_classes_are_those_of_networkx() -> None:
    atlas = [graph for graph in nx.graph_atlas_g() if 0 < len(graph) <= 6]
    graphs = atlas[::3] + [shuffled(graph, 0) for graph in atlas[::5]]
    numbers = GraphClasses().numbers(read_graphs(graphs))
    assert max(numbers) + 1 == len(set(numbers))
    for i, j in combinations(range(0, len(graphs), 2), 2):
        same = nx.faster_could_be_isomorphic(graphs[i], graphs[j])
        same = same and nx.is_isomorphic(graphs[i], graphs[j])
        assert (numbers[i] == numbers[j]) == same


@pytest.mark.parametrize("name", list(FAMILIES))
def test_permuted_graphs_are_the_same(name: str) -> None:
    graphs = generate_graphs(name, 3, sizes=(5, 9) if name == "grid" else None)
    others = [shuffled(graph, seed) for seed, graph in enumerate(graphs)]
    assert canonical_forms(read_graphs(graphs)) == canonical_forms(read_graphs(others))


def test_symmetric_graphs_are_compared_by_networkx(monkeypatch: pytest.MonkeyPatch) -> None:
    cube, prisms = nx.hypercube_graph(3), nx.circular_ladder_graph(4)
    other = nx.circulant_graph(8, [1, 4])  # Also of degree 3, with eight nodes.
    graphs = [cube, nx.path_graph(3), other, prisms, shuffled(nx.path_graph(3), 1), other]
    graphs = [nx.convert_node_labels_to_integers(graph) for graph in graphs]
    assert GraphClasses().numbers(read_graphs(graphs)) == [0, 1, 2, 0, 1, 2]
    classes = GraphClasses()
    with monkeypatch.context() as patch:
        patch.setattr(_canonical_rank, "MAX_BRANCH_ELEMENTS", 30)
        forms = canonical_forms(read_graphs(graphs))
        assert [form is None for form in forms] == [True, False, True, True, False, True]
        assert classes.numbers(read_graphs(graphs)) == [0, 1, 2, 0, 1, 2]
    # What has a canonical form is found among those that had none.
    assert classes.numbers(read_graphs(graphs)) == [0, 1, 2, 0, 1, 2]


def test_unique_and_novel() -> None:
    path, star, cycle = nx.path_graph(4), nx.star_graph(3), nx.cycle_graph(4)
    metrics = GraphMetrics(train=[path], valid="tree", label="toy")
    metrics.update([path, shuffled(star, 0), star, cycle])
    metrics.update(nx.empty_graph(0))
    report = metrics.compute()
    assert (report.every.num_unique, report.every.num_novel) == (4, 3)
    assert report.valid is not None
    assert (report.valid.num_valid, report.valid.num_unique, report.valid.num_novel) == (3, 2, 1)
    assert report.valid.vun == 1 / 5
    assert (report.num_graphs, report.num_nodes, report.num_edges) == (5, 16 / 5, 13 / 5)
    assert (report.mmd, report.label) == ({}, "toy")
    assert repr(metrics) == "GraphMetrics(5 graphs)"
    metrics.reset()
    metrics.update([star])
    again = metrics.compute()
    assert again.every.num_novel == 1
    assert again is metrics.compute()


def test_graphs_without_nodes_have_no_statistics() -> None:
    graphs = generate_graphs("ego_like", 3)
    with_empty = GraphMetrics(held_out=generate_graphs("ego_like", 3, seed=1))
    with_empty.update([*graphs, nx.empty_graph(0)])
    without = GraphMetrics(held_out=generate_graphs("ego_like", 3, seed=1))
    without.update(graphs)
    assert with_empty.compute().mmd == without.compute().mmd
    only_empty = GraphMetrics(held_out=graphs)
    only_empty.update(nx.empty_graph(0))
    assert only_empty.compute().mmd == {}


def test_labels() -> None:
    plain = nx.path_graph(3)
    ends, edges = nx.path_graph(3), nx.path_graph(3)
    ends.nodes[0]["label"] = 1
    edges.edges[0, 1]["label"] = 1
    graphs = [plain, ends, shuffled(ends, 1), edges, shuffled(edges, 1)]
    for use_labels, distinct in [(False, 1), (True, 3)]:
        metrics = GraphMetrics(use_labels=use_labels)
        metrics.update(graphs)
        assert metrics.compute().every.num_unique == distinct
        assert metrics.compute().valid is None


def test_graphs_of_pyg() -> None:
    """A batch, a list, one graph and networkx are the same; a single one-hot column is no label."""
    graphs = generate_graphs("community_small", 4)
    data = []
    for graph in graphs:
        bare = nx.Graph(graph.edges())
        bare.add_nodes_from(graph)
        one = from_networkx(bare)
        order = list(bare)
        label = torch.tensor([graph.nodes[node]["label"] for node in order])
        kinds = [graph.edges[order[i], order[j]]["label"] for i, j in one.edge_index.t().tolist()]
        data.append(Data(torch.eye(2)[label], one.edge_index, torch.eye(2)[torch.tensor(kinds)]))
    metrics = GraphMetrics(train=graphs, use_labels=True)
    metrics.update(Batch.from_data_list(data))
    metrics.update(data)
    metrics.update(data[0])
    report = metrics.compute()
    assert (report.num_graphs, report.every.num_unique, report.every.num_novel) == (9, 4, 0)
    edge_index = torch.tensor([[0, 1], [1, 0]])
    alike = [
        nx.path_graph(2),
        Data(edge_index=edge_index, num_nodes=2),
        Data(x=torch.ones(2, 1), edge_index=edge_index, edge_attr=torch.ones(2, 1)),
        Data(x=torch.zeros(2, dtype=torch.long), edge_index=edge_index),
    ]
    metrics = GraphMetrics(use_labels=True)
    metrics.update(alike)
    assert metrics.compute().every.num_unique == 1


def test_labels_that_are_no_numbers_are_refused_where_they_are_used() -> None:
    carbon, bond = nx.path_graph(2), nx.path_graph(2)
    nx.set_node_attributes(carbon, "C", "label")
    nx.set_edge_attributes(bond, 1.5, "label")
    metrics = GraphMetrics()
    metrics.update([carbon, bond])
    assert metrics.compute().every.num_unique == 1
    for graph, got in ((carbon, "'C'"), (bond, "1.5")):
        with pytest.raises(TypeError, match=rf"integers as attributes 'label' \(got {got}\)"):
            GraphMetrics(use_labels=True).update(graph)


@pytest.mark.parametrize(
    ("family", "graph", "verdict"),
    [
        ("planar", nx.grid_2d_graph(3, 3), True),
        ("planar", nx.complete_graph(5), False),
        ("planar", nx.disjoint_union(nx.path_graph(2), nx.path_graph(2)), False),
        ("tree", nx.star_graph(5), True),
        ("tree", nx.cycle_graph(3), False),
        ("tree", nx.disjoint_union(nx.path_graph(2), nx.path_graph(2)), False),
        ("lobster", nx.balanced_tree(3, 2), True),
        ("lobster", nx.balanced_tree(3, 3), False),
        ("lobster", nx.path_graph(1), True),
        ("lobster", nx.path_graph(9), True),
        ("lobster", nx.cycle_graph(9), False),
    ],
)
def test_validity(family: str, graph: nx.Graph, verdict: bool) -> None:
    metrics = GraphMetrics(valid=family)
    metrics.update(graph)
    scores = metrics.compute().valid
    assert scores is not None
    assert scores.num_valid == int(verdict)


def test_validity_by_name_and_function() -> None:
    assert list(VALIDITY) == list(FAMILIES)
    for name, criterion in VALIDITY.items():
        if criterion is not None:
            assert all(criterion(graph) for graph in generate_graphs(name, 10))
    metrics = GraphMetrics(valid=lambda graph: len(graph) == 2)
    metrics.update([nx.path_graph(2), nx.path_graph(3)])
    scores = metrics.compute().valid
    assert scores is not None
    assert scores.valid == 0.5
    none = GraphMetrics(valid="sbm")
    none.update(nx.path_graph(2))
    assert none.compute().valid is None


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"Expected 'valid' to be one of .*got 'star'"):
        GraphMetrics(valid="star")
    with pytest.raises(ValueError, match=r"Expected 'held_out' to hold graphs.*got 0 graphs\)"):
        GraphMetrics(held_out=[])
    with pytest.raises(ValueError, match=r"Expected 'train' .*got 1 graphs, one without nodes"):
        GraphMetrics(train=nx.empty_graph(0))
    metrics = GraphMetrics()
    with pytest.raises(ValueError, match=r"Expected at least one graph before compute\(\)"):
        metrics.compute()
    for graphs, got in [(3, "int"), (["C"], "str")]:
        with pytest.raises(TypeError, match=rf"Expected graphs of PyG or networkx \(got {got}\)"):
            metrics.update(graphs)
    with pytest.raises(TypeError, match=r"Expected an undirected simple graph \(got DiGraph\)"):
        metrics.update(nx.DiGraph())
    with pytest.raises(ValueError, match=r"Expected a graph with 'edge_index' \(got none\)"):
        metrics.update(Data(x=torch.ones(2, 1)))
    with pytest.raises(ValueError, match="Expected undirected graphs"):
        metrics.update(Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]])))
    with pytest.raises(ValueError, match="Expected graphs without self-loops"):
        metrics.update(nx.Graph([(0, 0)]))
    assert repr(metrics) == "GraphMetrics(0 graphs)"
