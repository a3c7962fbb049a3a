from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.nn.encoder import CanonicalEmbedding, canonical_embedding
from pyg_topn.transforms import PermuteNodes


def test_position_and_neighbours(graphs: list[Data]) -> None:
    layer = CanonicalEmbedding(graphs[0].edge_attr.size(1), 5, max_num_nodes=9)
    for graph in graphs:
        batch = Batch.from_data_list([graph])
        out = layer(batch)
        for position, node in enumerate(graph.canonical_index.tolist()):
            row = torch.zeros(9, graph.edge_attr.size(1))
            for (i, j), attr in zip(graph.edge_index.t().tolist(), graph.edge_attr, strict=True):
                if j == node:
                    row[graph.canonical_index.tolist().index(i)] = attr
            expected = layer.position.weight[position] + layer.adjacency_lin(row.flatten())
            torch.testing.assert_close(out[node], expected)


def test_follows_the_nodes(graphs: list[Data]) -> None:
    layer = CanonicalEmbedding(graphs[0].edge_attr.size(1), 5, max_num_nodes=9)
    moved = [PermuteNodes(seed=1)(graph) for graph in graphs]
    for graph, other in zip(graphs, moved, strict=True):
        first = layer(Batch.from_data_list([graph]))[graph.canonical_index]
        second = layer(Batch.from_data_list([other]))[other.canonical_index]
        torch.testing.assert_close(first, second)


def test_too_large(graphs: list[Data]) -> None:
    layer = CanonicalEmbedding(graphs[0].edge_attr.size(1), 5, max_num_nodes=2)
    with pytest.raises(ValueError, match="at most 2 nodes"):
        layer(Batch.from_data_list(graphs))


def test_edge_by_edge_it_is_the_same(graphs: list[Data], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that would be wide and mostly zeros are not made."""
    batch = Batch.from_data_list(graphs)
    layer = CanonicalEmbedding(batch.edge_attr.size(1), 5, max_num_nodes=9)
    weight, width = layer.adjacency_lin.weight, layer.adjacency_lin.in_features
    dense = layer(batch)
    (gradient,) = torch.autograd.grad(dense.square().sum(), weight)
    monkeypatch.setattr(canonical_embedding, "_MAX_DENSE", width - 1)
    sparse = layer(batch)
    torch.testing.assert_close(sparse, dense)
    torch.testing.assert_close(torch.autograd.grad(sparse.square().sum(), weight)[0], gradient)
    monkeypatch.setattr(layer, "_sparse", None)
    with pytest.raises(TypeError):
        layer(batch)
    monkeypatch.setattr(canonical_embedding, "_MAX_DENSE", width)
    assert torch.equal(layer(batch), dense)
