"""Readout by position against a loop over positions."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.nn.encoder import CanonicalReadout
from pyg_topn.transforms import CanonicalOrder, PermuteNodes


def test_every_position_has_its_weights(graphs: list[Data]) -> None:
    readout = CanonicalReadout(4, 6, max_num_nodes=8)
    batch = Batch.from_data_list(graphs)
    weight = readout.lin.weight.view(6, 8, 4)
    for data, out in zip(graphs, readout(batch.x, batch), strict=True):
        expected = readout.lin.bias.clone()
        for position, node in enumerate(data.canonical_index.tolist()):
            expected = expected + weight[:, position] @ readout.norm(data.x[node])
        torch.testing.assert_close(out, expected)


def test_order_of_nodes_does_not_matter(graphs: list[Data]) -> None:
    readout = CanonicalReadout(4, 6, max_num_nodes=8)
    batch = Batch.from_data_list(graphs)
    permuted = PermuteNodes(seed=1)(Batch.from_data_list(graphs))
    assert not torch.equal(permuted.x, batch.x)
    torch.testing.assert_close(readout(permuted.x, permuted), readout(batch.x, batch))


def test_order_is_computed_where_it_is_not_stored(graphs: list[Data]) -> None:
    readout = CanonicalReadout(4, 6, max_num_nodes=8)
    bare = Batch.from_data_list(graphs, exclude_keys=["canonical_index"])
    expected = Batch.from_data_list([CanonicalOrder()(data) for data in bare.to_data_list()])
    torch.testing.assert_close(readout(bare.x, bare), readout(bare.x, expected))
    assert "canonical_index" not in bare


def test_too_large(graphs: list[Data]) -> None:
    batch = Batch.from_data_list(graphs)
    with pytest.raises(ValueError, match=r"at most 6 nodes .got 7"):
        CanonicalReadout(4, 6, max_num_nodes=6)(batch.x, batch)


def test_reset(graphs: list[Data]) -> None:
    readout, batch = CanonicalReadout(4, 6, max_num_nodes=8), Batch.from_data_list(graphs)
    before = readout(batch.x, batch)
    readout.reset_parameters()
    assert not torch.equal(readout(batch.x, batch), before)
