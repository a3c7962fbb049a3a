"""The transform that stores the canonical order."""

from __future__ import annotations

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.utils import to_dense_adj

from pyg_topn.transforms import CanonicalOrder


def molecule(smiles_order: list[int]) -> Data:
    """Propanamide without hydrogens, C-C-C(=O)-N, its atoms in the given order."""
    place = torch.tensor(smiles_order).argsort()
    bonds = torch.tensor([[0, 1, 0], [1, 2, 0], [2, 3, 1], [2, 4, 0]])
    edge_index = place[torch.cat([bonds[:, :2], bonds[:, [1, 0]]])].t()
    edge_attr = torch.eye(2)[bonds[:, 2].repeat(2)]
    x = torch.eye(3)[torch.tensor([0, 0, 0, 2, 1])[smiles_order]]
    return Data(x=x, edge_index=edge_index.contiguous(), edge_attr=edge_attr)


ORDERS = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]]


def canonical(data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    index = data.canonical_index
    weight = data.edge_attr.argmax(dim=1) + 1
    adjacency = to_dense_adj(data.edge_index, edge_attr=weight, max_num_nodes=data.num_nodes)[0]
    return data.x[index], adjacency[index][:, index]


def test_isomorphic_graphs_become_equal() -> None:
    (x, adjacency), *others = [canonical(CanonicalOrder()(molecule(order))) for order in ORDERS]
    for other_x, other_adjacency in others:
        assert torch.equal(x, other_x)
        assert torch.equal(adjacency, other_adjacency)
    assert x.argmax(dim=1).tolist() == [2, 0, 0, 0, 1]  # O=C, down the chain, back to N


def test_the_input_stays_as_it_is() -> None:
    data = molecule(ORDERS[1])
    CanonicalOrder()(data)
    assert "canonical_index" not in data


def test_an_old_index_is_replaced() -> None:
    data = molecule(ORDERS[2])
    data.canonical_index = torch.arange(5)
    expected = CanonicalOrder()(molecule(ORDERS[2])).canonical_index
    assert torch.equal(CanonicalOrder()(data).canonical_index, expected)
    assert data.canonical_index.tolist() == [0, 1, 2, 3, 4]


def test_a_batch_splits_into_its_graphs() -> None:
    single = Data(
        x=torch.eye(3)[:1], edge_index=torch.zeros(2, 0).long(), edge_attr=torch.ones(0, 2)
    )
    graphs = [molecule(order) for order in ORDERS] + [single]
    expected = [CanonicalOrder()(graph).canonical_index for graph in graphs]
    batch = CanonicalOrder()(Batch.from_data_list(graphs))
    offset = batch.ptr[:-1].tolist()
    assert torch.equal(
        batch.canonical_index, torch.cat([e + o for e, o in zip(expected, offset, strict=True)])
    )
    for graph, index in zip(batch.to_data_list(), expected, strict=True):
        assert torch.equal(graph.canonical_index, index)
    assert torch.equal(batch[2].canonical_index, expected[2])
    assert torch.equal(
        Batch.from_data_list(batch.to_data_list()).canonical_index, batch.canonical_index
    )


def test_the_input_batch_stays_as_it_is() -> None:
    batch = Batch.from_data_list([molecule(order) for order in ORDERS])
    CanonicalOrder()(batch)
    assert "canonical_index" not in {*batch.keys(), *batch._slice_dict, *batch._inc_dict}
    assert "canonical_index" not in batch[0]


def test_a_batch_that_was_not_collated() -> None:
    collated = Batch.from_data_list([molecule(order) for order in ORDERS])
    batch = Batch(
        x=collated.x, edge_index=collated.edge_index, batch=collated.batch, ptr=collated.ptr
    )
    assert CanonicalOrder()(batch).canonical_index.shape == (15,)


def test_through_a_loader_before_and_after_batching() -> None:
    graphs = [molecule(order) for order in ORDERS * 2]
    loader = DataLoader([CanonicalOrder()(graph) for graph in graphs], batch_size=4)
    for batch, plain in zip(loader, DataLoader(graphs, batch_size=4), strict=True):
        assert torch.equal(batch.canonical_index, CanonicalOrder()(plain).canonical_index)


def test_an_empty_batch() -> None:
    batch = Batch(
        x=torch.zeros(0, 3),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        batch=torch.zeros(0, dtype=torch.int64),
        ptr=torch.zeros(1, dtype=torch.int64),
    )
    assert CanonicalOrder()(batch).canonical_index.shape == (0,)


def test_in_a_chain_of_transforms() -> None:
    one_way = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
    data = T.Compose([T.ToUndirected(), CanonicalOrder()])(one_way)
    assert sorted(data.canonical_index.tolist()) == [0, 1]


def test_what_it_refuses() -> None:
    with pytest.raises(TypeError, match=r"homogeneous graph or batch \(got HeteroData\)"):
        CanonicalOrder()(HeteroData())
    with pytest.raises(ValueError, match="in both directions"):
        CanonicalOrder()(Data(x=torch.eye(2), edge_index=torch.tensor([[0], [1]])))


def test_repr() -> None:
    assert repr(CanonicalOrder()) == "CanonicalOrder()"
