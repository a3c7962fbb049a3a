"""Linear assignments of a batch against scipy, one graph at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from pyg_topn.utils.assignment import batched_linear_assignment


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def tied(*shape: int) -> Tensor:
    """Integers from 0 to 2: most optima are not unique, and sums are exact."""
    return torch.randint(0, 3, shape).double()


def equal(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def product(*shape: int) -> Tensor:
    """Machol and Wien's: every path passes through all rows before."""
    index = torch.arange(1, shape[-1] + 1).double()
    return (index[:, None] * index).expand(shape).clone()


def steep(*shape: int) -> Tensor:
    """Of many orders of magnitude, as log-likelihoods that are nearly sure."""
    return torch.randn(shape, dtype=torch.float64) * 10 ** (6 * torch.rand(shape))


COSTS = [normal, tied, equal, product, steep]


def assert_optimal(cost: Tensor, sizes: list[int], rel: float = 1e-12) -> None:
    column = batched_linear_assignment(cost, torch.tensor(sizes, dtype=torch.int64))
    assert column.shape == cost.shape[:2]
    assert column.dtype == torch.int64
    for values, got, n in zip(cost.double().numpy(), column.numpy(), sizes, strict=True):
        assert sorted(got[:n]) == list(range(n))
        assert got[n:].tolist() == list(range(n, cost.size(1)))
        inner = values[:n, :n]
        best = inner[linear_sum_assignment(inner)].sum()
        total = inner[np.arange(n), got[:n]].sum()
        assert total == pytest.approx(best, rel=rel, abs=rel * float(np.abs(inner).max(initial=0)))


def test_by_hand() -> None:
    cost = torch.tensor([[[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]]])
    assert batched_linear_assignment(cost, torch.tensor([3])).tolist() == [[1, 0, 2]]
    # The two cheapest entries of all are in the same column.
    cost = torch.tensor([[[0.0, 1.0], [0.0, 5.0]]])
    assert batched_linear_assignment(cost, torch.tensor([2])).tolist() == [[1, 0]]


@pytest.mark.parametrize("make", COSTS)
@pytest.mark.parametrize("sizes", [[1], [2, 2, 2], [9] * 50, [0, 1, 9, 2, 0, 5], [0, 0], [30, 7]])
def test_against_scipy(make: Callable[..., Tensor], sizes: list[int]) -> None:
    for _ in range(5):
        assert_optimal(make(len(sizes), max(sizes), max(sizes)), sizes)


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=8),
    st.sampled_from(COSTS),
    st.integers(0, 3),
    st.integers(0, 10_000),
)
def test_any_sizes(sizes: list[int], make: Callable[..., Tensor], more: int, seed: int) -> None:
    """The padding may be wider than the largest graph."""
    torch.manual_seed(seed)
    width = max(sizes) + more
    assert_optimal(make(len(sizes), width, width), sizes)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_the_scale_does_not_matter(scale: float) -> None:
    assert_optimal(normal(20, 6, 6) * scale, [6] * 20)


def test_all_matrices_of_zeros_and_ones() -> None:
    """Every 3 x 3 matrix, in one batch; brute force over permutations."""
    cost = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9))).view(-1, 3, 3)
    column = batched_linear_assignment(cost, torch.full((len(cost),), 3))
    total = cost.gather(2, column.unsqueeze(2)).sum(dim=(1, 2))
    all_totals = [
        cost[:, range(3), list(perm)].sum(dim=1) for perm in itertools.permutations(range(3))
    ]
    assert torch.equal(total, torch.stack(all_totals).amin(dim=0))


@pytest.mark.parametrize("junk", [math.inf, -math.inf, math.nan, 1e308, -1e308, 0.0])
def test_the_padding_may_hold_anything(junk: float) -> None:
    sizes = torch.tensor([3, 1, 5, 0, 4])
    for make in COSTS:
        cost = make(5, 5, 5)
        outside = torch.arange(5) >= sizes[:, None]
        outside = outside[:, :, None] | outside[:, None]
        spoiled = cost.masked_fill(outside, junk)
        expected = batched_linear_assignment(cost, sizes)
        assert torch.equal(batched_linear_assignment(spoiled, sizes), expected)


@pytest.mark.parametrize("make", COSTS)
def test_a_graph_does_not_depend_on_the_batch(make: Callable[..., Tensor]) -> None:
    """Ties included."""
    sizes = torch.tensor([7, 3, 9, 1, 9, 9, 4])
    cost = make(7, 9, 9)
    together = batched_linear_assignment(cost, sizes)
    for graph, n in enumerate(sizes.tolist()):
        alone = batched_linear_assignment(cost[graph : graph + 1, :n, :n], sizes[graph : graph + 1])
        assert torch.equal(together[graph, :n], alone[0])


def test_nearly_equal_alternatives_end_at_once() -> None:
    """Three rows that bid for two columns by tiny steps: auctions take millions of them."""
    cost = torch.ones(1, 4, 4, dtype=torch.float64)
    cost[0, :3, :2] = 1e-9 * torch.rand(3, 2, dtype=torch.float64)
    cost[0, 3] = torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert_optimal(cost, [4])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_other_types(dtype: torch.dtype) -> None:
    cost = (8 * normal(10, 6, 6)).round().to(dtype)
    assert_optimal(cost, [6] * 10)


def test_the_costs_stay_as_they_are() -> None:
    cost = normal(4, 5, 5).requires_grad_()
    before = cost.detach().clone()
    batched_linear_assignment(cost, torch.tensor([5, 2, 0, 3]))
    assert torch.equal(cost, before)


@pytest.mark.parametrize("shape", [(0, 0, 0), (0, 4, 4), (3, 0, 0)])
def test_nothing_to_assign(shape: tuple[int, int, int]) -> None:
    column = batched_linear_assignment(torch.zeros(shape), torch.zeros(shape[0], dtype=torch.int64))
    assert column.shape == shape[:2]
    assert column.dtype == torch.int64


@pytest.mark.parametrize(
    ("shape", "sizes"), [((2, 3), [3, 3]), ((2, 3, 4), [3, 3]), ((2, 3, 3), [3])]
)
def test_wrong_shapes(shape: tuple[int, ...], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"costs of shape \[B, n, n\] and sizes of shape \[B\]"):
        batched_linear_assignment(torch.zeros(shape), torch.tensor(sizes))


@pytest.mark.parametrize(("sizes", "got"), [([4, 2], r"got 2 to 4"), ([-1, 2], r"got -1 to 2")])
def test_wrong_sizes(sizes: list[int], got: str) -> None:
    with pytest.raises(ValueError, match=rf"Expected sizes between 0 and 3 \({got}\)"):
        batched_linear_assignment(torch.zeros(2, 3, 3), torch.tensor(sizes))


@pytest.mark.parametrize("wrong", [math.inf, -math.inf, math.nan])
def test_costs_that_are_not_finite(wrong: float) -> None:
    cost = torch.zeros(2, 3, 3)
    cost[1, 2, 0] = wrong
    with pytest.raises(ValueError, match="Expected finite costs"):
        batched_linear_assignment(cost, torch.tensor([3, 3]))
