"""Graphs filled up to one size: their own nodes and pairs are found again, and hear nothing new."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pairs import message_sum
from pyg_topn.utils.wide_layout import WideLayout

SIZES = [[3, 1, 4, 2], [1, 1], [5], [2, 2], []]


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


@pytest.mark.parametrize("sizes", SIZES)
def test_own_nodes_and_pairs(sizes: list[int]) -> None:
    ragged = layout_of(sizes)
    wide = WideLayout.around(ragged)
    assert wide.is_uniform
    assert wide.num_nodes.tolist() == [max(sizes, default=0)] * len(sizes)
    x = torch.randn(sum(sizes), 3)
    rows = ragged.pad(x).flatten(0, 1)
    assert torch.equal(rows[wide.own_nodes], x)
    i, j = wide.pair_index[:, wide.own_pairs]
    first, second = ragged.pair_index
    assert torch.equal(rows[i], x[first])
    assert torch.equal(rows[j], x[second])
    is_own = torch.zeros(wide.pair_index.size(1), dtype=torch.bool)
    is_own[wide.own_pairs] = True
    assert torch.equal(wide.sample_weight == 0, is_own)
    assert torch.equal(wide.num_partners[wide.own_nodes], ragged.num_partners)


@pytest.mark.parametrize("sizes", SIZES)
def test_messages_are_those_of_the_graphs_as_they_are(sizes: list[int]) -> None:
    ragged = layout_of(sizes)
    wide = WideLayout.around(ragged)
    e = torch.randn(wide.pair_index.size(1), 3)
    found = message_sum(e, wide)[wide.own_nodes]
    torch.testing.assert_close(found, message_sum(e[wide.own_pairs], ragged))


def test_overhead() -> None:
    assert WideLayout.overhead(layout_of([3, 3])) == 0
    assert WideLayout.overhead(layout_of([3, 2])) == 6 / 4 - 1
    assert WideLayout.overhead(layout_of([1, 1])) == WideLayout.overhead(layout_of([])) == 0


def test_on_another_device() -> None:
    wide = WideLayout.around(layout_of([3, 2])).to(torch.device("meta"))
    assert wide.own_pairs.device.type == wide.sample_weight.device.type == "meta"
    assert wide.own_pairs.shape == (4,)
