"""Every index of a layout against plain loops."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_dense_batch

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import build_batch

SIZES = [[3, 1, 4, 2], [1], [1, 1], [4, 4], []]


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


@pytest.mark.parametrize("sizes", SIZES)
def test_indices(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    starts = [sum(sizes[:g]) for g in range(len(sizes) + 1)]
    pairs = [n * (n - 1) // 2 for n in sizes]
    largest = max(sizes, default=0)
    assert layout.num_graphs == len(sizes)
    assert layout.max_num_nodes == largest
    assert layout.is_uniform == (len(set(sizes)) <= 1)
    assert layout.ptr.tolist() == starts
    assert layout.batch.tolist() == [g for g, n in enumerate(sizes) for _ in range(n)]
    assert layout.local_index.tolist() == [i for n in sizes for i in range(n)]
    assert layout.mask.tolist() == [[i < n for i in range(largest)] for n in sizes]
    assert layout.pair_ptr.tolist() == [sum(pairs[:g]) for g in range(len(sizes) + 1)]
    assert layout.pair_batch.tolist() == [g for g, n in enumerate(pairs) for _ in range(n)]
    dense = [g * largest + i for g, n in enumerate(sizes) for i in range(n)]
    assert layout.dense_index.tolist() == dense


@pytest.mark.parametrize("sizes", SIZES)
def test_pair_id_finds_every_pair(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    i, j = layout.pair_index
    expected = torch.arange(i.numel())
    assert torch.equal(layout.pair_id(i, j), expected)
    assert torch.equal(layout.pair_id(j, i), expected)


@pytest.mark.parametrize("sizes", SIZES)
def test_incidence(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    nodes, pairs = layout.incidence
    expected = torch.zeros(sum(sizes), layout.pair_index.size(1))
    for pair, (i, j) in enumerate(layout.pair_index.t().tolist()):
        expected[i, pair] = expected[j, pair] = 1
    assert torch.equal(nodes.to_dense(), expected)
    assert torch.equal(pairs.to_dense(), expected.t())


@pytest.mark.parametrize("sizes", SIZES[:4])
def test_pad_and_unpad(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    x = torch.randn(sum(sizes), 2, 3)
    dense, mask = to_dense_batch(x, layout.batch)
    assert torch.equal(layout.pad(x), dense)
    assert torch.equal(layout.mask, mask)
    assert torch.equal(layout.unpad(dense), x)


def test_padding_nothing() -> None:
    layout = layout_of([])
    assert layout.unpad(layout.pad(torch.empty(0, 3))).shape == (0, 3)


@pytest.mark.parametrize("sizes", SIZES[:4])
def test_from_batch(sizes: list[int]) -> None:
    graphs = [Data(x=torch.ones(n, 1)) for n in sizes]
    ours = build_batch(torch.tensor(sizes), {"x": torch.ones(sum(sizes), 1)})
    without_x = build_batch(torch.tensor(sizes))
    for batch in (Batch.from_data_list(graphs), ours, without_x):
        assert Layout.from_batch(batch).num_nodes.tolist() == sizes


def test_from_batch_needs_a_batch() -> None:
    with pytest.raises(ValueError, match="Expected a Batch with 'ptr' and 'batch'"):
        Layout.from_batch(Data(x=torch.ones(2, 1)))
