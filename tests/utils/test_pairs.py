"""The sums between nodes and pairs against plain loops, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pairs import add_pair_sum_, node_sum, pair_sum

SIZES = [[3, 1, 4, 2], [1, 1], [5], []]


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def by_loops(x: Tensor, e: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    nodes, pairs = torch.zeros(len(x), e.size(1), dtype=e.dtype), torch.zeros_like(e)
    for pair, (i, j) in enumerate(layout.pair_index.t().tolist()):
        pairs[pair] = x[i] + x[j]
        nodes[i] += e[pair]
        nodes[j] += e[pair]
    return pairs, nodes


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_against_loops(sizes: list[int], dtype: torch.dtype) -> None:
    layout = layout_of(sizes)
    x = torch.randn(sum(sizes), 3, dtype=dtype)
    e = torch.randn(layout.pair_index.size(1), 3, dtype=dtype)
    pairs, nodes = by_loops(x, e, layout)
    torch.testing.assert_close(pair_sum(x, layout), pairs)
    torch.testing.assert_close(node_sum(e, layout), nodes)


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_under_autocast(given: torch.dtype) -> None:
    layout = layout_of(SIZES[0])
    x = torch.randint(9, (sum(SIZES[0]), 3)).to(given).requires_grad_()  # Exact in either type.
    e = torch.randint(9, (layout.pair_index.size(1), 3)).to(given).requires_grad_()
    pairs, nodes = by_loops(x.detach().float(), e.detach().float(), layout)
    with torch.autocast("cpu", torch.bfloat16):
        found, summed = pair_sum(x, layout), node_sum(e, layout)
        added = add_pair_sum_(e.clone(), x, layout)
        (found.sum() + summed.sum() + added.sum()).backward()
    assert found.dtype == summed.dtype == added.dtype == given
    assert torch.equal(found.float(), pairs)
    assert torch.equal(summed.float(), nodes)
    assert torch.equal(added.float(), pairs + e.detach().float())
    assert x.grad is not None
    assert e.grad is not None
    partners = layout.num_partners.to(given).unsqueeze(1)
    assert torch.equal(x.grad, (2 * partners).expand_as(x))
    assert torch.equal(e.grad, torch.full_like(e, 3))


@pytest.mark.parametrize("sizes", SIZES[:3])
def test_gradients(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    x = torch.randn(sum(sizes), 2, dtype=torch.float64, requires_grad=True)
    e = torch.randn(layout.pair_index.size(1), 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: pair_sum(x, layout), (x,))
    assert gradgradcheck(lambda x: pair_sum(x, layout).square(), (x,))
    if e.numel():
        assert gradcheck(lambda e: node_sum(e, layout), (e,))
        assert gradgradcheck(lambda e: node_sum(e, layout).square(), (e,))


@pytest.mark.parametrize("name", ["pair_sum", "node_sum"])
def test_sparse_product_equals_gather(name: str) -> None:
    """float32 on the CPU takes the sparse product, float64 the gathers."""
    layout = layout_of([3, 1, 4, 2])
    function = {"pair_sum": pair_sum, "node_sum": node_sum}[name]
    assert layout.pair_index.size(1) == 10
    value = torch.randn(10, 3)
    results = []
    for dtype in (torch.float32, torch.float64):
        leaf = value.clone().to(dtype).requires_grad_()
        out = function(leaf, layout)
        assert out.dtype == dtype
        # An expanded gradient, as a sum gives it, is not contiguous.
        (out.sum() + out.square().sum()).backward()
        results.append((out.detach().to(torch.float64), leaf.grad.to(torch.float64)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)
