"""Permuted graphs are the same graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.utils import coalesce, erdos_renyi_graph

from pyg_topn.transforms import PermuteNodes


def random_graph(num_nodes: int, seed: int = 0) -> Data:
    torch.manual_seed(seed)
    edge_index = coalesce(erdos_renyi_graph(num_nodes, 0.4))
    row, col = edge_index
    return Data(
        x=torch.randn(num_nodes, 2),
        edge_index=edge_index,
        edge_attr=torch.stack([row + col, row * col], dim=1),
        canonical_index=torch.randperm(num_nodes),
        node_id=torch.arange(num_nodes),  # Tells where nodes went.
        y=torch.randn(1, 3),
        smiles="CCO",
    )


def assert_same_graph(permuted: Data, data: Data) -> None:
    node = permuted.node_id
    assert torch.equal(node.sort().values, data.node_id)
    assert torch.equal(permuted.x, data.x[node])
    assert torch.equal(node[permuted.canonical_index], data.canonical_index)
    assert torch.equal(coalesce(permuted.edge_index), permuted.edge_index)
    back, attr = coalesce(node[permuted.edge_index], permuted.edge_attr)
    assert torch.equal(back, data.edge_index)
    assert torch.equal(attr, data.edge_attr)
    assert torch.equal(permuted.y, data.y)
    assert permuted.smiles == data.smiles


@given(st.integers(1, 9), st.integers(0, 1000))
def test_isomorphic(num_nodes: int, seed: int) -> None:
    data = random_graph(num_nodes, seed)
    assert_same_graph(PermuteNodes(seed)(data), data)


def test_as_many_edges_as_nodes() -> None:
    data = random_graph(4)
    data.edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    data.edge_attr = torch.tensor([[1], [1], [5], [5]])
    for seed in range(20):
        assert_same_graph(PermuteNodes(seed)(data), data)


def test_batches_keep_their_graphs() -> None:
    graphs = [random_graph(size, size) for size in (5, 1, 7, 3)]
    for data in graphs:
        data.node_id = data.node_id.clone()
    batch = Batch.from_data_list(graphs)
    permuted = PermuteNodes(seed=0)(batch)
    assert torch.equal(permuted.batch, batch.batch)
    assert not torch.equal(permuted.x, batch.x)
    for after, before in zip(permuted.to_data_list(), graphs, strict=True):
        assert_same_graph(after, before)


def test_graph_attributes_are_not_taken_for_edges() -> None:
    pairs = [Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]])) for _ in range(2)]
    isolated = [Data(x=torch.ones(1, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64))] * 2
    batch = Batch.from_data_list([*pairs, *isolated])
    batch.y = torch.arange(4)  # Four graphs, four directed edges.
    for seed in range(10):
        assert PermuteNodes(seed)(batch).y.tolist() == [0, 1, 2, 3]


def test_every_permutation_is_drawn_and_seeds_count() -> None:
    data = random_graph(3)
    transform, again = PermuteNodes(seed=1), PermuteNodes(seed=1)
    orders = [tuple(transform(data).node_id.tolist()) for _ in range(100)]
    assert len(set(orders)) == 6
    assert orders == [tuple(again(data).node_id.tolist()) for _ in range(100)]
    torch.manual_seed(0)
    first = PermuteNodes()(random_graph(9, 3)).node_id
    torch.manual_seed(0)
    assert data.node_id.tolist() == [0, 1, 2]  # The input is as it was.
    assert torch.equal(PermuteNodes()(random_graph(9, 3)).node_id, first)
    assert repr(transform) == "PermuteNodes(seed=1)"


def test_graphs_without_edges_or_nodes() -> None:
    data = PermuteNodes(seed=0)(Data(x=torch.arange(5.0)[:, None]))
    assert sorted(data.x.flatten().tolist()) == [0, 1, 2, 3, 4]
    assert PermuteNodes()(Data(x=torch.zeros(0, 2))).x.shape == (0, 2)


def test_bad_input() -> None:
    with pytest.raises(TypeError, match=r"homogeneous graph or batch \(got HeteroData\)"):
        PermuteNodes()(HeteroData())
    wrong: Any = "one"
    with pytest.raises(TypeError, match=r"'seed' to be an integer or None \(got 'one'\)"):
        PermuteNodes(wrong)
