"""Graphs that are not molecules: every constraint on every graph, the same graphs for a seed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.utils import coalesce, is_undirected, to_dense_adj, to_networkx

from pyg_topn.datasets import GenericGraphs, _graph_families, generate_graphs
from pyg_topn.datasets._graph_families import FAMILIES
from pyg_topn.transforms import CanonicalOrder, PermuteNodes

# Small graphs of every family.
SMALL = {
    "community_small": (12, 14),
    "ego_like": (4, 12),
    "grid": (2, 4),
    "planar": (8, 12),
    "sbm": (3, 5),
    "tree": (8, 12),
    "lobster": (10, 14),
}


def edges_of(graph: nx.Graph) -> list[tuple[int, int]]:
    return sorted((min(edge), max(edge)) for edge in graph.edges())


@pytest.mark.parametrize("name", list(FAMILIES))
def test_sizes_and_nodes(name: str) -> None:
    graphs = generate_graphs(name, 40)
    assert len(graphs) == 40
    for graph in graphs:
        assert list(graph) == list(range(len(graph)))
        assert nx.number_of_selfloops(graph) == 0
        assert not graph.is_directed()
    sizes = [len(graph) for graph in graphs]
    low, high = {"grid": (100, 361), "sbm": (40, 200)}.get(name, FAMILIES[name].sizes)
    assert low <= min(sizes)
    assert max(sizes) <= high
    if low < high:
        assert len(set(sizes)) > 4


def test_communities() -> None:
    sizes, within, bridges = Counter[int](), [], []
    for graph in generate_graphs("community_small"):
        size = len(graph) // 2
        sizes[len(graph)] += 1
        label = nx.get_node_attributes(graph, "label")
        assert label == {node: int(node >= size) for node in range(2 * size)}
        for side in range(2):
            part = graph.subgraph([node for node in graph if label[node] == side])
            assert nx.is_connected(part)
            within.append(nx.density(part))
        joins = [edge for edge in graph.edges() if label[edge[0]] != label[edge[1]]]
        assert joins
        marked = [edge[:2] for edge in graph.edges(data="label") if edge[2] == 1]
        assert sorted(marked) == sorted(joins)
        bridges.append(len(joins) / size)
    # n is 12 to 20, an odd one has a node too many.
    assert set(sizes) == {12, 14, 16, 18, 20}
    assert np.mean(within) == pytest.approx(0.7, abs=0.03)
    # size^2 pairs with .1 / size: a tenth of size on average, a little more for the one forced.
    assert 0.1 < np.mean(bridges) < 0.2


def test_blocks() -> None:
    graphs = generate_graphs("sbm")
    pairs, edges = np.zeros(2), np.zeros(2)
    blocks = Counter[int]()
    for graph in graphs:
        label = np.array([graph.nodes[node]["label"] for node in graph])
        size = np.bincount(label)
        blocks[size.size] += 1
        assert size.min() >= 20
        assert size.max() <= 40
        inside = (size * (size - 1)).sum() // 2
        pairs += inside, len(graph) * (len(graph) - 1) // 2 - inside
        for i, j, kind in graph.edges(data="label"):
            assert kind == int(label[i] != label[j])
            edges[kind] += 1
    assert set(blocks) == {2, 3, 4, 5}
    assert edges / pairs == pytest.approx([0.3, 0.005], rel=0.03)


def test_planar_graphs_are_triangulations() -> None:
    for index, graph in enumerate(generate_graphs("planar", 40)):
        assert len(graph) == 64
        assert nx.is_connected(graph)
        assert nx.is_planar(graph)
        # Euler: 3n - 3 - h edges, h of them on the hull.
        points = _graph_families._generator((0, 3), index).random((64, 2))
        hull = len(np.unique(Delaunay(points).convex_hull))
        assert graph.number_of_edges() == 3 * 64 - 3 - hull


def test_trees_are_uniform() -> None:
    assert all(nx.is_tree(graph) and len(graph) == 64 for graph in generate_graphs("tree"))
    # 4^2 labelled trees of four nodes, four of them stars.
    small = generate_graphs("tree", 1600, sizes=(4, 4))
    found = Counter(tuple(edges_of(graph)) for graph in small)
    assert len(found) == 16
    assert max(abs(n - 100) for n in found.values()) < 45
    assert [edges_of(graph) for graph in generate_graphs("tree", 1, sizes=(2, 2))] == [[(0, 1)]]


def test_lobsters() -> None:
    for graph in generate_graphs("lobster"):
        assert nx.is_tree(graph)
        assert 10 <= len(graph) <= 100
        for _ in range(2):
            graph = graph.subgraph([node for node, degree in graph.degree() if degree > 1])
        assert all(degree <= 2 for _, degree in graph.degree())


def test_lobsters_are_those_of_networkx() -> None:
    make = getattr(nx, "random_lobster_graph", None) or nx.random_lobster
    drawn = (make(80, 0.7, 0.7, seed=seed) for seed in range(250))
    theirs = [graph for graph in drawn if 10 <= len(graph) <= 100]
    ours = generate_graphs("lobster", 200)
    for measure in (len, nx.diameter):
        a, b = ([measure(graph) for graph in graphs] for graphs in (ours, theirs))
        error = np.hypot(np.std(a) / len(a) ** 0.5, np.std(b) / len(b) ** 0.5)
        assert abs(np.mean(a) - np.mean(b)) < 4 * error


def test_grids_are_all_pairs_of_sides() -> None:
    graphs = generate_graphs("grid", 18, sizes=(2, 4))
    sides = Counter(
        (len(graph), graph.number_of_edges(), nx.diameter(graph)) for graph in graphs[:9]
    )
    expected = Counter((a * b, 2 * a * b - a - b, a + b - 2) for a in (2, 3, 4) for b in (2, 3, 4))
    assert sides == expected
    again = Counter((len(g), g.number_of_edges(), nx.diameter(g)) for g in graphs[9:])
    assert again == expected
    whole = generate_graphs("grid")
    assert Counter(len(g) for g in whole) == Counter(
        a * b for a in range(10, 20) for b in range(10, 20)
    )


def test_ego_graphs_have_a_centre() -> None:
    for graph in generate_graphs("ego_like"):
        assert 4 <= len(graph) <= 18
        assert max(degree for _, degree in graph.degree()) == len(graph) - 1


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_seed_decides(name: str) -> None:
    first = generate_graphs(name, 5, sizes=SMALL[name])
    again = generate_graphs(name, 3, sizes=SMALL[name])
    assert [edges_of(graph) for graph in again] == [edges_of(graph) for graph in first[:3]]
    other = generate_graphs(name, 5, seed=1, sizes=SMALL[name])
    assert [edges_of(graph) for graph in other] != [edges_of(graph) for graph in first]


def test_graphs_of_a_seed_stay_what_they_are() -> None:
    """Figures are compared between versions."""
    communities = [len(graph) for graph in generate_graphs("community_small", 6)]
    assert communities == [18, 16, 16, 20, 12, 12]
    planar = [graph.number_of_edges() for graph in generate_graphs("planar", 6)]
    assert planar == [179, 181, 177, 178, 179, 176]
    assert [len(graph) for graph in generate_graphs("lobster", 6)] == [46, 69, 51, 86, 19, 53]


@pytest.mark.parametrize("name", list(FAMILIES))
def test_format(tmp_path: Path, name: str) -> None:
    dataset = GenericGraphs(tmp_path, name, None, num_graphs=6, sizes=SMALL[name], log=False)
    graphs = generate_graphs(name, 6, sizes=SMALL[name])
    assert len(dataset) == 6
    for data, graph in zip(dataset, graphs, strict=True):
        assert edges_of(to_networkx(data, to_undirected=True)) == edges_of(graph)
        assert torch.equal(data.x, torch.ones(len(graph), 1))
        assert torch.equal(data.edge_attr, torch.ones(2 * graph.number_of_edges(), 1))
        assert is_undirected(data.edge_index)
        assert torch.equal(data.edge_index, coalesce(data.edge_index))
        order = CanonicalOrder()(data.clone()).canonical_index
        assert torch.equal(data.canonical_index, order)
    batch = next(iter(DataLoader(dataset, batch_size=3)))
    index = batch.canonical_index
    assert sorted(index[: len(graphs[0])].tolist()) == list(range(len(graphs[0])))
    assert torch.equal(batch[1].canonical_index, dataset[1].canonical_index)


@pytest.mark.parametrize(("name", "columns"), [("community_small", 2), ("sbm", 5)])
def test_labels(tmp_path: Path, name: str, columns: int) -> None:
    graphs = generate_graphs(name, 4, sizes=SMALL[name])
    for nodes, edges in [(True, False), (False, True), (True, True)]:
        dataset = GenericGraphs(
            tmp_path,
            name,
            None,
            num_graphs=4,
            sizes=SMALL[name],
            node_labels=nodes,
            edge_labels=edges,
            log=False,
        )
        assert dataset.num_node_features == (columns if nodes else 1)
        assert dataset.num_edge_features == (2 if edges else 1)
        for data, graph in zip(dataset, graphs, strict=True):
            if nodes:
                expected = [graph.nodes[node]["label"] for node in graph]
                assert data.x.argmax(dim=1).tolist() == expected
            if edges:
                kinds = [graph.edges[i, j]["label"] for i, j in data.edge_index.t().tolist()]
                assert data.edge_attr.argmax(dim=1).tolist() == kinds
            assert (data.x.sum(dim=1) == 1).all()
            assert (data.edge_attr.sum(dim=1) == 1).all()


def test_splits(tmp_path: Path) -> None:
    options: dict[str, Any] = {"sizes": (5, 7), "log": False}
    parts = [GenericGraphs(tmp_path, "tree", s, **options) for s in ("train", "val", "test")]
    assert [len(part) for part in parts] == [128, 32, 40]
    whole = GenericGraphs(tmp_path, "tree", None, **options)
    joined = [data.edge_index for part in parts for data in part]
    assert len(whole) == len(joined)
    for data, edge_index in zip(whole, joined, strict=True):
        assert torch.equal(data.edge_index, edge_index)
    assert parts[0].size_histogram()[:5].sum() == 0
    assert parts[0].size_histogram().sum() == 128
    sizes = {"train": 64, "val": 16, "test": 20}
    for split, size in sizes.items():
        few = GenericGraphs(tmp_path, "community_small", split, log=False)
        assert len(few) == size


def canonical(data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """Node labels and labelled adjacency in canonical order."""
    index = data.canonical_index
    kind = data.edge_attr.argmax(dim=1) + 1
    adjacency = to_dense_adj(data.edge_index, edge_attr=kind, max_num_nodes=data.num_nodes)[0]
    return data.x[index], adjacency[index][:, index]


LABELLED = [(name, False) for name in FAMILIES] + [("community_small", True), ("sbm", True)]


@pytest.mark.parametrize(("name", "labels"), LABELLED)
def test_isomorphic_graphs_have_one_canonical_form(tmp_path: Path, name: str, labels: bool) -> None:
    """The canonical order was made for molecules."""
    options: dict[str, Any] = {"node_labels": labels, "edge_labels": labels}
    dataset = GenericGraphs(
        tmp_path, name, None, num_graphs=8, sizes=SMALL[name], log=False, **options
    )
    for data in dataset:
        x, adjacency = canonical(data)
        plain = Data(x=data.x, edge_index=data.edge_index, edge_attr=data.edge_attr)
        for _ in range(4):
            permuted = CanonicalOrder()(PermuteNodes()(plain.clone()))
            other_x, other_adjacency = canonical(permuted)
            assert torch.equal(x, other_x)
            assert torch.equal(adjacency, other_adjacency)


def test_large_grids_have_one_canonical_form() -> None:
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(12, 12))
    data = Data(edge_index=torch.tensor(list(graph.to_directed().edges())).t().contiguous())
    data.x, data.edge_attr = torch.ones(144, 1), torch.ones(data.num_edges, 1)
    forms = [canonical(CanonicalOrder()(PermuteNodes()(data.clone()))) for _ in range(2)]
    assert torch.equal(forms[0][1], forms[1][1])


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"num_graphs": 5, "sizes": (4, 6), "log": False}
    first = GenericGraphs(tmp_path, "tree", **options)

    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    with monkeypatch.context() as patch:
        patch.setattr("pyg_topn.datasets.generic_graphs.generate_graphs", made)
        again = GenericGraphs(tmp_path, "tree", **options)
        assert torch.equal(again.edge_index, first.edge_index)
        for other in ({"seed": 1}, {"sizes": (4, 7)}, {"num_graphs": 6}, {"split": "val"}):
            with pytest.raises(AssertionError, match="made again"):
                GenericGraphs(tmp_path, "tree", **{**options, **other})
    Path(first.processed_paths[0]).write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"readable cache file .*force_reload=True"):
        GenericGraphs(tmp_path, "tree", **options)
    assert len(GenericGraphs(tmp_path, "tree", force_reload=True, **options)) == 3


def test_transforms_and_a_single_graph(tmp_path: Path) -> None:
    dataset = GenericGraphs(
        tmp_path,
        "tree",
        None,
        num_graphs=20,
        sizes=(3, 8),
        pre_filter=lambda data: data.num_nodes > 5,
        transform=lambda data: data.num_nodes,
        log=False,
    )
    assert 0 < len(dataset) < 20
    assert min(dataset[i] for i in range(len(dataset))) == 6
    one = GenericGraphs(tmp_path, "tree", "test", num_graphs=4, sizes=(3, 3), log=False)
    assert len(one) == 1
    assert one[0].edge_index.shape == (2, 4)
    lone = GenericGraphs(tmp_path, "sbm", num_graphs=4, sizes=(1, 1), log=False)
    assert lone.num_edge_features == 1


def test_progress_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    GenericGraphs(tmp_path, "tree", num_graphs=4, sizes=(3, 3))
    assert "Canonical orders: 100%" in capsys.readouterr().err
    GenericGraphs(tmp_path, "tree", num_graphs=5, sizes=(3, 3), log=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "star"}, "Expected 'name' to be one of ['community_small'"),
        ({"num_graphs": 0}, "Expected 'num_graphs' to be an integer of at least"),
        ({"num_graphs": 5.0}, "Expected 'num_graphs' to be an integer of at least"),
        ({"seed": -1}, "Expected 'seed' to be an integer of at least 0 (got -1)"),
        ({"seed": True}, "Expected 'seed' to be an integer of at least 0 (got True)"),
        ({"sizes": 5}, "Expected 'sizes' to be the smallest and the largest (got 5)"),
        ({"sizes": (5,)}, "Expected 'sizes' to be the smallest and the largest (got (5,))"),
        ({"sizes": (1, 5)}, "Expected the smallest size to be an integer of at least 2 (got 1)"),
        ({"sizes": (6, 5)}, "Expected the largest size to be an integer of at least 6 (got 5)"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    arguments = {"name": "tree", **arguments}
    for make in (generate_graphs, lambda **kwargs: GenericGraphs(tmp_path, **kwargs)):
        with pytest.raises(ValueError, match=re.escape(message)):
            make(**arguments)
    assert not list(tmp_path.iterdir())


def test_bad_arguments_of_the_dataset(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected 'split' to be None or one of .*got 'dev'"):
        GenericGraphs(tmp_path, "tree", "dev")
    with pytest.raises(ValueError, match=r"'num_graphs' to be an integer of at least 4 \(got 3\)"):
        GenericGraphs(tmp_path, "tree", num_graphs=3)
    for argument in ("node_labels", "edge_labels"):
        with pytest.raises(ValueError, match=f"communities for '{argument}' \\(got 'planar'\\)"):
            GenericGraphs(tmp_path, "planar", **{argument: True})


def test_sizes_that_do_not_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"Expected 'sizes' that ego graphs have \(got \(2, 2\)\)"):
        generate_graphs("ego_like", 1, sizes=(2, 2))
    monkeypatch.setattr(_graph_families, "MAX_DRAWS", 0)
    with pytest.raises(ValueError, match=r"Expected 'sizes' that lobsters have \(got \(1, 1\)\)"):
        generate_graphs("lobster", 1, sizes=(1, 1))
