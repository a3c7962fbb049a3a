"""The transform that stores an order along the spectral embedding."""

from __future__ import annotations

from itertools import permutations

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.utils import to_dense_adj

from pyg_topn.datasets import generate_graphs
from pyg_topn.transforms import CanonicalOrder, SpectralOrder


def data_of(graph: nx.Graph, order: list[int] | None = None) -> Data:
    """The graph with its nodes in the given order."""
    graph = nx.relabel_nodes(graph, {node: k for k, node in enumerate(order or list(graph))})
    edges = torch.tensor(list(graph.edges), dtype=torch.int64).view(-1, 2).t()
    edge_index = torch.cat([edges, edges.flip(0)], dim=1)
    return Data(x=torch.ones(len(graph), 1), edge_index=edge_index)


def in_order(data: Data) -> torch.Tensor:
    adjacency = to_dense_adj(data.edge_index, max_num_nodes=data.num_nodes)[0]
    return adjacency[data.canonical_index][:, data.canonical_index]


def two_communities() -> nx.Graph:
    """Cliques of 4 and 5 nodes, whose numbers do not tell them apart, and a bridge."""
    graph = nx.complete_graph([0, 2, 4, 6])
    graph.add_edges_from(nx.complete_graph([1, 3, 5, 7, 8]).edges)
    graph.add_edge(6, 1)
    return graph


def test_a_path_is_sorted_along_itself() -> None:
    data = SpectralOrder()(data_of(nx.path_graph(7), [3, 6, 0, 5, 1, 4, 2]))
    assert torch.equal(in_order(data), to_dense_adj(data_of(nx.path_graph(7)).edge_index)[0])


def test_the_input_batch_stays_as_it_is() -> None:
    batch = Batch.from_data_list([data_of(nx.path_graph(3)), data_of(nx.star_graph(3))])
    SpectralOrder()(batch)
    assert "canonical_index" not in {*batch.keys(), *batch._slice_dict, *batch._inc_dict}
    assert "canonical_index" not in batch[0]


def test_communities_come_one_after_another_and_meet_in_the_middle() -> None:
    graph = two_communities()
    order = SpectralOrder()(data_of(graph, sorted(graph))).canonical_index.tolist()
    small, large = {0, 2, 4, 6}, {1, 3, 5, 7, 8}
    if order[0] in large:
        order.reverse()
    assert set(order[:4]) == small
    assert set(order[4:]) == large
    assert order[3:5] == [6, 1]  # The ends of the bridge.


@pytest.mark.parametrize("num_vectors", [1, 2])
@pytest.mark.parametrize(
    "graph",
    [
        two_communities(),
        nx.star_graph(5),  # an eigenvalue of multiplicity 4
        nx.grid_2d_graph(4, 4),  # one of multiplicity 2
        nx.disjoint_union(nx.path_graph(3), nx.cycle_graph(4)),  # in pieces
        nx.empty_graph(3),
    ],
    ids=["communities", "star", "grid", "pieces", "no edges"],
)
def test_isomorphic_graphs_become_equal(graph: nx.Graph, num_vectors: int) -> None:
    nodes, transform = list(graph), SpectralOrder(num_vectors)
    expected = in_order(transform(data_of(graph, nodes)))
    generator = np.random.default_rng(0)
    for _ in range(5):
        shuffled = [nodes[k] for k in generator.permutation(len(nodes))]
        data = transform(data_of(graph, shuffled))
        assert sorted(data.canonical_index.tolist()) == list(range(len(nodes)))
        assert torch.equal(in_order(data), expected)


def test_nodes_go_to_the_nearest_cells() -> None:
    graph = generate_graphs("planar", 1, seed=4, sizes=(7, 7))[0]  # without symmetry
    assert len(list(nx.isomorphism.GraphMatcher(graph, graph).isomorphisms_iter())) == 1
    data = CanonicalOrder()(data_of(graph, list(graph)))
    laplacian = nx.laplacian_matrix(graph, nodelist=range(7)).toarray().astype(float)
    _, vectors = np.linalg.eigh(laplacian)
    places = vectors[:, 1:3] * np.where((vectors[:, 1:3] ** 3).sum(axis=0) < 0, -1, 1)
    cells = np.array([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0]], dtype=float)
    places, cells = ((p - p.mean(axis=0)) / p.std(axis=0) for p in (places, cells))
    cost = ((cells[:, None] - places) ** 2).sum(axis=2)
    best = min(permutations(range(7)), key=lambda nodes: sum(cost[range(7), nodes]))
    assert SpectralOrder(2)(data).canonical_index.tolist() == list(best)


def test_neighbours_of_a_planar_graph_stand_in_neighbouring_cells() -> None:
    def spread(transform: SpectralOrder | CanonicalOrder) -> float:
        pairs = in_order(transform(data)).nonzero()
        cell = torch.stack([pairs // 8, pairs % 8])  # [2, E, 2]
        return float((cell[..., 0] - cell[..., 1]).square().sum(dim=0).float().mean())

    data = data_of(generate_graphs("planar", 1)[0])
    assert spread(SpectralOrder(2)) < 0.4 * spread(CanonicalOrder())


@pytest.mark.parametrize("num_vectors", [1, 2])
def test_a_batch_splits_into_its_graphs(num_vectors: int) -> None:
    transform = SpectralOrder(num_vectors)
    sizes = [nx.path_graph(5), nx.empty_graph(1), nx.path_graph(2), nx.empty_graph(0)]
    graphs = [data_of(graph) for graph in [*sizes, two_communities()]]
    expected = [transform(graph).canonical_index for graph in graphs]
    assert [e.numel() for e in expected] == [5, 1, 2, 0, 9]
    batch = transform(Batch.from_data_list(graphs))
    offsets = batch.ptr[:-1].tolist()
    whole = torch.cat([e + o for e, o in zip(expected, offsets, strict=True)])
    assert torch.equal(batch.canonical_index, whole)
    for graph, index in zip(batch.to_data_list(), expected, strict=True):
        assert torch.equal(graph.canonical_index, index)


def test_a_batch_that_was_not_collated() -> None:
    batch = Batch.from_data_list([data_of(nx.path_graph(4)), data_of(two_communities())])
    bare = Data(x=batch.x, edge_index=batch.edge_index, batch=batch.batch)
    expected = SpectralOrder()(batch).canonical_index
    assert torch.equal(SpectralOrder()(bare).canonical_index, expected)


def test_the_input_stays_as_it_is() -> None:
    data = data_of(nx.path_graph(4))
    SpectralOrder()(data)
    assert "canonical_index" not in data


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match=r"'num_vectors' to be 1 or 2 \(got 3\)"):
        SpectralOrder(3)
    with pytest.raises(TypeError, match=r"homogeneous graph or batch \(got HeteroData\)"):
        SpectralOrder()(HeteroData())
    with pytest.raises(ValueError, match="in both directions"):
        SpectralOrder()(Data(x=torch.eye(2), edge_index=torch.tensor([[0], [1]])))


def test_repr() -> None:
    assert repr(SpectralOrder(2)) == "SpectralOrder(num_vectors=2)"
