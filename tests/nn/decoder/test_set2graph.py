"""Representations of unordered pairs against the formula, one pair at a time."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.nn.decoder import Set2Graph
from pyg_topn.utils import Layout

SIZES = [3, 1, 4, 2]


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


@pytest.mark.parametrize("plus", [False, True])
def test_the_formula(plus: bool) -> None:
    layer = Set2Graph(5, 6, hidden_channels=7, plus=plus).double()
    layout, x = layout_of(SIZES), torch.randn(10, 5, dtype=torch.float64)
    out, normed = layer(x, layout), layer.norm(x)
    for e, (i, j) in zip(out, layout.pair_index.t().tolist(), strict=True):
        hidden = layer.sum_lin(normed[i]) + layer.sum_lin(normed[j])
        hidden = hidden + layer.product_lin(normed[i]) * layer.product_lin(normed[j])
        if layer.set_lin is not None:
            same = layout.batch == layout.batch[i]
            hidden = hidden + layer.set_lin(normed[same]).sum(dim=0)
        torch.testing.assert_close(e, layer.mlp(torch.relu(hidden)[None])[0])


@pytest.mark.parametrize("plus", [False, True])
def test_pairs_are_symmetric_and_follow_their_nodes(plus: bool) -> None:
    layer, layout = Set2Graph(5, 6, plus=plus), layout_of([4])
    x, perm = torch.randn(4, 5), torch.tensor([2, 0, 3, 1])
    before, after = layer(x, layout), layer(x[perm], layout)
    i, j = layout.pair_index
    torch.testing.assert_close(after, before[layout.pair_id(perm[i], perm[j])])
    swapped = layer(x[torch.tensor([1, 0, 2, 3])], layout)
    torch.testing.assert_close(swapped[0], before[0])


def test_plus_sees_the_rest_of_the_set() -> None:
    x, layout = torch.randn(7, 5), layout_of([3, 4])
    other = x.clone()
    other[2] += torch.randn(5)
    for plus in (False, True):
        layer = Set2Graph(5, 6, plus=plus)
        changed = (layer(other, layout) != layer(x, layout)).any(dim=1)
        assert changed.tolist() == [plus, True, True] + [False] * 6
        assert repr(layer) == f"Set2Graph(5, plus={plus})"


@pytest.mark.parametrize("sizes", [[1, 1], []])
@pytest.mark.parametrize("plus", [False, True])
def test_no_pairs(sizes: list[int], plus: bool) -> None:
    x = torch.randn(len(sizes), 5, requires_grad=True)
    out = Set2Graph(5, 6, plus=plus)(x, layout_of(sizes))
    assert out.shape == (0, 6)
    out.sum().backward()


@pytest.mark.parametrize("plus", [False, True])
def test_gradients_and_reset(plus: bool) -> None:
    layer, layout, x = Set2Graph(5, 6, plus=plus), layout_of(SIZES), torch.randn(10, 5)
    before = layer(x, layout)
    before.square().sum().backward()
    for name, leaf in layer.named_parameters():
        assert leaf.grad is not None, name
        assert leaf.grad.ne(0).any(), name
    layer.reset_parameters()
    assert not torch.equal(layer(x, layout), before)
