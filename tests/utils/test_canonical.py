"""The canonical order: exact, independent of the input order and of the rest of the batch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_topn.utils import _canonical_rank, _components, _refinement, _traversal
from pyg_topn.utils.canonical import batch_canonical_index, canonical_order


class Graphs(NamedTuple):
    """The arguments of canonical_order."""

    edge_index: np.ndarray
    num_nodes: np.ndarray
    node_label: np.ndarray
    edge_label: np.ndarray


def pack(graphs: Sequence[nx.Graph]) -> Graphs:
    """Concatenate networkx graphs; labels are the attribute 'label', zero by default."""
    edges, nodes, labels, offset = [], [], [], 0
    for graph in graphs:
        index = {node: offset + i for i, node in enumerate(graph)}
        nodes += [label for _, label in graph.nodes(data="label", default=0)]
        for u, v, label in graph.edges(data="label", default=0):
            edges += [(index[u], index[v]), (index[v], index[u])]
            labels += [label, label]
        offset += len(index)
    return Graphs(
        np.array(edges, dtype=np.int64).reshape(-1, 2).T,
        np.array([len(graph) for graph in graphs], dtype=np.int64),
        np.array(nodes, dtype=np.int64),
        np.array(labels, dtype=np.int64),
    )


def permute(graphs: Graphs, seed: int) -> Graphs:
    """Permute the nodes within every graph, and all edges."""
    rng = np.random.default_rng(seed)
    graph = np.repeat(np.arange(graphs.num_nodes.size), graphs.num_nodes)
    old = np.lexsort((rng.random(graph.size), graph))  # the node at each new place
    new = np.empty_like(old)
    new[old] = np.arange(old.size)
    edge = rng.permutation(graphs.edge_label.size)
    return Graphs(
        new[graphs.edge_index[:, edge]],
        graphs.num_nodes,
        graphs.node_label[old],
        graphs.edge_label[edge],
    )


def forms(graphs: Graphs, order: np.ndarray | None = None) -> list[bytes]:
    """Every graph with its nodes in canonical order."""
    order = canonical_order(*graphs) if order is None else order
    ptr = np.concatenate([[0], np.cumsum(graphs.num_nodes)])
    node = order + np.repeat(ptr[:-1], graphs.num_nodes)
    assert (np.sort(node) == np.arange(node.size)).all()
    place = np.empty_like(node)
    place[node] = np.arange(node.size)
    rows = np.vstack([place[graphs.edge_index], graphs.edge_label])
    rows = rows[:, np.lexsort((rows[1], rows[0]))]
    cut = np.searchsorted(rows[0], ptr)
    result = []
    for i, (first, last) in enumerate(itertools.pairwise(ptr)):
        edges = rows[:, cut[i] : cut[i + 1]] - np.array([[first], [first], [0]])
        labels = graphs.node_label[node[first:last]]
        result.append(labels.tobytes() + b"|" + edges.tobytes())
    return result


def assert_canonical(graphs: Graphs, times: int = 3) -> None:
    expected = forms(graphs)
    for seed in range(times):
        assert forms(permute(graphs, seed)) == expected


@st.composite
def labelled_graphs(draw: st.DrawFn, max_nodes: int = 7) -> nx.Graph:
    num_nodes = draw(st.integers(1, max_nodes))
    graph = nx.Graph()
    for i in range(num_nodes):
        graph.add_node(i, label=draw(st.integers(-1, 1)))
    for u, v in itertools.combinations(range(num_nodes), 2):
        label = draw(st.integers(0, 4))
        if label < 3:
            graph.add_edge(u, v, label=label)
    return graph


def latin_square_graph(square: np.ndarray) -> nx.Graph:
    cells = list(np.ndindex(*square.shape))
    graph = nx.Graph()
    for a, b in itertools.combinations(cells, 2):
        if a[0] == b[0] or a[1] == b[1] or square[a] == square[b]:
            graph.add_edge(a, b)
    return graph


def shrikhande() -> nx.Graph:
    graph = nx.Graph()
    for i, j in itertools.product(range(4), repeat=2):
        for a, b in ((0, 1), (1, 0), (1, 1)):
            graph.add_edge((i, j), ((i + a) % 4, (j + b) % 4))
    return graph


def rook(n: int) -> nx.Graph:
    return nx.line_graph(nx.complete_bipartite_graph(n, n))


def paley(q: int) -> nx.Graph:
    squares = {x * x % q for x in range(1, q)}
    pairs = itertools.combinations(range(q), 2)
    return nx.Graph([(i, j) for i, j in pairs if (i - j) % q in squares])


def with_hub(graphs: list[nx.Graph]) -> nx.Graph:
    graph = nx.disjoint_union_all(graphs)
    graph.add_edges_from([("hub", i) for i in range(len(graph))])
    return graph


# Two triangles, two squares and two pentagons around eight atoms.
CUNEANE = (
    (0, 1),
    (0, 2),
    (1, 2),
    (3, 4),
    (3, 5),
    (4, 5),
    (0, 3),
    (1, 6),
    (4, 6),
    (2, 7),
    (5, 7),
    (6, 7),
)

SYMMETRIC = {
    "cycle of 80": nx.cycle_graph(80),
    "complete graph": nx.complete_graph(30),
    "complete bipartite": nx.complete_bipartite_graph(7, 9),
    "K 10, 10": nx.complete_bipartite_graph(10, 10),
    "complete multipartite": nx.complete_multipartite_graph(*[2] * 8),
    "grid": nx.grid_2d_graph(10, 10),
    "torus": nx.grid_2d_graph(6, 6, periodic=True),
    "star": nx.star_graph(40),
    "balanced tree": nx.balanced_tree(3, 3),
    "path": nx.path_graph(60),
    "Petersen": nx.petersen_graph(),
    "cube": nx.cubical_graph(),
    "prism": nx.circular_ladder_graph(3),
    "cuneane": nx.Graph(CUNEANE),
    "dodecahedron": nx.dodecahedral_graph(),
    "hypercube": nx.hypercube_graph(5),
    "four triangles": nx.disjoint_union_all([nx.cycle_graph(3)] * 4),
    "ten hexagons": nx.disjoint_union_all([nx.cycle_graph(6)] * 10),
    "no edges": nx.empty_graph(20),
    "rook 5": rook(5),
    "Shrikhande": shrikhande(),
    "Latin square": latin_square_graph(np.add.outer(np.arange(5), np.arange(5)) % 5),
    "Paley 13": paley(13),
    "Paley 17": paley(17),
    "triangular 7": nx.line_graph(nx.complete_graph(7)),
    "hexagons at a hub": with_hub([nx.cycle_graph(6)] * 4 + [nx.cycle_graph(3)] * 4),
    "look-alikes at a hub": with_hub([shrikhande(), rook(4)] * 2),
}

MOLECULES = {
    "methane": "C",
    "acetylene": "C#C",
    "neopentane": "CC(C)(C)C",
    "hexafluoroethane": "FC(F)(F)C(F)(F)F",
    "benzene": "c1ccccc1",
    "biphenyl": "c1ccccc1-c1ccccc1",
    "cyclohexane": "C1CCCCC1",
    "cubane": "C12C3C4C1C5C4C3C25",
    "prismane": "C12C3C1C1C2C31",
    "spiropentane": "C1CC12CC2",
    "norbornane": "C1CC2CCC1C2",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "cyclooctatetraene": "C1=CC=CC=CC=C1",
    "hydrogen cyanide": "C#N",
    "isobutane, branched twice": "CC(C)CC(C)C",
    "two salts": "CC(=O)O.CC(=O)O.O.N.N",
    "caffeine": "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
}


def molecule(smiles: str) -> nx.Graph:
    chem = pytest.importorskip("rdkit.Chem")
    mol = chem.MolFromSmiles(smiles)
    chem.Kekulize(mol, clearAromaticFlags=True)
    graph = nx.Graph()
    for atom in mol.GetAtoms():
        graph.add_node(atom.GetIdx(), label=atom.GetAtomicNum())
    for bond in mol.GetBonds():
        label = int(bond.GetBondTypeAsDouble())
        graph.add_edge(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), label=label)
    return graph


@given(labelled_graphs(), st.integers(0, 2**32 - 1))
def test_permuted_graphs_become_equal(graph: nx.Graph, seed: int) -> None:
    graphs = pack([graph])
    assert forms(permute(graphs, seed)) == forms(graphs)


@given(st.lists(labelled_graphs(max_nodes=3), min_size=2, max_size=8))
def test_equal_if_and_only_if_isomorphic(graphs: list[nx.Graph]) -> None:
    match = {"node_match": _same_label, "edge_match": _same_label}
    formed = zip(graphs, forms(pack(graphs)), strict=True)
    for (a, form_a), (b, form_b) in itertools.combinations(formed, 2):
        assert (form_a == form_b) == nx.is_isomorphic(a, b, **match)


def _same_label(a: dict[str, int], b: dict[str, int]) -> bool:
    return a["label"] == b["label"]


def test_every_graph_of_six_nodes_falls_into_its_class() -> None:
    pairs = list(itertools.combinations(range(6), 2))
    present = np.array(list(itertools.product([False, True], repeat=len(pairs))))  # [32768, 15]
    graph, edge = present.nonzero()
    pair = np.array(pairs)[edge].T + 6 * graph
    edge_index = np.concatenate([pair, pair[::-1]], axis=1)
    size = np.full(len(present), 6)
    labels = np.zeros(6 * len(present), dtype=np.int64)
    graphs = Graphs(edge_index, size, labels, np.zeros(edge_index.shape[1], dtype=np.int64))
    assert len(set(forms(graphs))) == 156  # the number of graphs of six nodes, OEIS A000088


def test_all_graphs_of_up_to_seven_nodes_differ() -> None:
    graphs = pack(nx.graph_atlas_g())  # 1253 graphs, the one without nodes included
    assert len(set(forms(graphs))) == 1253
    assert_canonical(graphs, times=2)


@pytest.mark.parametrize("name", MOLECULES)
def test_molecules(name: str) -> None:
    assert_canonical(pack([molecule(MOLECULES[name])]), times=6)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_graphs(name: str) -> None:
    assert_canonical(pack([SYMMETRIC[name]]), times=2)


def test_graphs_that_refinement_cannot_tell_apart_differ() -> None:
    pairs = [
        (shrikhande(), rook(4)),
        (nx.cycle_graph(6), nx.disjoint_union_all([nx.cycle_graph(3)] * 2)),
        (nx.circular_ladder_graph(3), nx.complete_bipartite_graph(3, 3)),
        (nx.dodecahedral_graph(), nx.desargues_graph()),
    ]
    for pair in pairs:
        assert len(set(forms(pack(pair)))) == 2


def test_labels_of_nodes_and_edges_count() -> None:
    ring = nx.cycle_graph(4)
    nodes, edges, both = ring.copy(), ring.copy(), ring.copy()
    nx.set_node_attributes(nodes, {0: 1}, "label")
    nx.set_edge_attributes(edges, {(0, 1): 1}, "label")
    nx.set_edge_attributes(both, {(0, 1): 1, (2, 3): 1}, "label")
    assert len(set(forms(pack([ring, nodes, edges, both])))) == 4
    assert_canonical(pack([ring, nodes, edges, both]))


def mixed() -> list[nx.Graph]:
    graphs = [nx.gnp_random_graph(n, 0.3, seed=n) for n in range(1, 25)]
    return [*graphs, *(SYMMETRIC[name] for name in ("Petersen", "four triangles", "no edges"))]


def test_a_batch_is_its_graphs_one_by_one() -> None:
    graphs = mixed()
    expected = np.concatenate([canonical_order(*pack([graph])) for graph in graphs])
    assert (canonical_order(*pack(graphs)) == expected).all()


def test_small_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = pack(mixed())
    expected = canonical_order(*graphs)
    for module in (_canonical_rank, _components, _refinement):
        monkeypatch.setattr(module, "MAX_ELEMENTS", 64)
    assert (canonical_order(*graphs) == expected).all()


def test_few_walks_are_canonical_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_traversal, "MAX_WALKS", 2)
    assert_canonical(pack(mixed()))


def test_no_graphs_and_graphs_without_nodes() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert canonical_order(np.zeros((2, 0), dtype=np.int64), none, none, none).shape == (0,)
    assert canonical_order(*pack([nx.empty_graph(0)] * 2)).shape == (0,)
    order = canonical_order(*pack([nx.empty_graph(0), nx.path_graph(2), nx.empty_graph(0)]))
    assert sorted(order) == [0, 1]
    assert canonical_order(*pack([nx.empty_graph(1)] * 3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8])
def test_narrow_integers(dtype: type) -> None:
    graphs = pack(mixed())
    small = [array.astype(dtype) for array in graphs[1:]]
    order = canonical_order(graphs.edge_index.astype(np.int32), *small)
    assert (order == canonical_order(*graphs)).all()


@given(labelled_graphs(max_nodes=9))
def test_the_order_is_depth_first(graph: nx.Graph) -> None:
    order = [list(graph)[i] for i in canonical_order(*pack([graph]))]
    visited: list[Any] = []
    for node in order:
        # The next node hangs on the latest one that still has a neighbour to visit.
        open_nodes = [v for v in visited if set(graph[v]) - set(visited)]
        assert not open_nodes or node in graph[open_nodes[-1]]
        visited.append(node)


def test_the_backbone_comes_first() -> None:
    # A chain of five with branches at its second and fourth node.
    graph = nx.path_graph(5)
    graph.add_edges_from([(1, 5), (3, 6)])
    nx.set_node_attributes(graph, {4: 2}, "label")
    nx.set_edge_attributes(graph, {(0, 1): 1}, "label")
    # From the double bond through the chain to its other end, then back to the branches.
    order = canonical_order(*pack([graph])).tolist()
    assert order[:4] == [0, 1, 2, 3]
    assert order[6] == 5
    nx.set_edge_attributes(graph, {(0, 1): 0}, "label")
    assert canonical_order(*pack([graph]))[:4].tolist() == [4, 3, 2, 1]


def test_large_components_come_first() -> None:
    graph = nx.disjoint_union_all([nx.path_graph(1), nx.cycle_graph(5), nx.path_graph(3)])
    order = canonical_order(*pack([graph])).tolist()
    assert set(order[:5]) == {1, 2, 3, 4, 5}
    assert order[8] == 0


ARRAYS = pack([nx.path_graph(3), nx.path_graph(2)])


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"node_label": [0] * 5}, TypeError, r"'node_label' .* \(got list\)"),
        ({"edge_label": np.zeros(6)}, TypeError, r"'edge_label' .* \(got float64\)"),
        ({"num_nodes": np.array([[5]])}, ValueError, r"1 dimensions \(got 2\)"),
        ({"edge_label": np.zeros(5, dtype=int)}, ValueError, r"\[2, 5\].* \(got \[2, 6\]\)"),
        ({"num_nodes": np.array([3, 3])}, ValueError, r"the sum 5, .* \(got the sum 6"),
        ({"num_nodes": np.array([6, -1])}, ValueError, "the minimum -1"),
    ],
)
def test_wrong_arrays(changes: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        canonical_order(**{**ARRAYS._asdict(), **changes})


@pytest.mark.parametrize(
    ("edges", "labels", "match"),
    [
        ([(0, 3), (3, 0)], [0, 0], r"between 0 and 2 \(got 0 to 3\)"),
        ([(0, -1), (-1, 0)], [0, 0], r"between 0 and 2 \(got -1 to 0\)"),
        ([(1, 1)], [0], r"without self-loops \(got 1 edges .* 1 -> 1\)"),
        ([(0, 2), (2, 0)], [0, 0], r"stay in their graph \(got 2 edges .* 0 -> 2\)"),
        ([(0, 1), (1, 0)] * 2, [0] * 4, r"once in each direction \(got 2 edges .* 0 -> 1\)"),
        ([(1, 0)], [0], r"in both directions \(got 1 edges .* 1 -> 0\)"),
        ([(0, 1), (1, 0)], [1, 2], r"equal labels .* \(got 2 edges .* 0 -> 1\)"),
    ],
)
def test_graphs_that_are_not_simple(
    edges: list[tuple[int, int]], labels: list[int], match: str
) -> None:
    edge_index = np.array(edges, dtype=np.int64).T
    with pytest.raises(ValueError, match=match):
        canonical_order(edge_index, np.array([2, 1]), np.zeros(3, dtype=int), np.array(labels))


def test_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_canonical_rank, "MAX_BRANCH_ELEMENTS", 5 * 30)
    with pytest.raises(ValueError, match=r"10 nodes .* at most 5 branches .* \(got 10\)"):
        canonical_order(*pack([nx.petersen_graph()]))


def data(x: Any = None, edge_attr: Any = None) -> Data:
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    return Data(x=x, edge_index=edge_index, edge_attr=edge_attr, num_nodes=3)


def test_index_of_a_batch_counts_through_it() -> None:
    one_hot = torch.eye(3)
    batch = Batch.from_data_list([data(one_hot[[0, 0, 2]]), data(one_hot[[2, 0, 0]])])
    assert batch_canonical_index(batch).tolist() == [2, 1, 0, 3, 4, 5]
    del batch.ptr
    assert batch_canonical_index(batch).tolist() == [2, 1, 0, 3, 4, 5]
    assert batch_canonical_index(batch.clone().update({"batch": None})).shape == (6,)


def test_index_that_is_there_is_returned() -> None:
    batch = data()
    batch.canonical_index = torch.tensor([1, 2, 0])
    assert batch_canonical_index(batch) is batch.canonical_index


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([0, 0, 2]),
        torch.tensor([[0], [0], [2]]),
        torch.tensor([0.0, 0.0, 2.0]),
        torch.tensor([[1, 0], [1, 0], [0, 1]]),
        torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        torch.tensor([[True, False], [True, False], [False, True]]),
    ],
)
def test_ways_to_give_labels(x: torch.Tensor) -> None:
    assert batch_canonical_index(data(x)).tolist() == [2, 1, 0]
    edge_attr = x[[0, 0, 2, 2]]
    assert batch_canonical_index(data(edge_attr=edge_attr)).tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (torch.tensor([[0.5, 0.5]] * 3), r"one-hot rows or integers in 'x' \(got other rows"),
        (torch.ones(3, 2), "other rows"),
        (torch.tensor([0.0, 0.5, 1.0]), r"integers in 'x' \(got other numbers"),
        (torch.tensor([0.0, torch.nan, 1.0]), "other numbers"),
        (torch.zeros(4), r"each of 3 in 'x' \(got 4\)"),
    ],
)
def test_labels_that_are_none(x: torch.Tensor, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        batch_canonical_index(data(x))


def test_batches_that_do_not_work() -> None:
    with pytest.raises(ValueError, match=r"with 'edge_index' \(got none\)"):
        batch_canonical_index(Data(x=torch.eye(2)))
    graph = data()
    graph.batch = torch.tensor([0, 1, 0])
    with pytest.raises(ValueError, match=r"stand together \(got unsorted 'batch'\)"):
        batch_canonical_index(graph)


@pytest.mark.parametrize(
    "index", [[0, 0, 0, 3, 4], [0, 1, 2, 3], [0, 1, 3, 2, 4], [0, 1, 2, 3, 5], [-1, 1, 2, 3, 4]]
)
def test_a_stored_order_that_is_none_is_refused(index: list[int]) -> None:
    edge_index = torch.zeros(2, 0, dtype=torch.int64)
    graphs = [Data(x=torch.ones(size, 1), edge_index=edge_index) for size in (3, 2)]
    batch = Batch.from_data_list(graphs)
    batch.canonical_index = torch.tensor(index)
    with pytest.raises(ValueError, match="'canonical_index' to list the nodes of every graph once"):
        batch_canonical_index(batch)
