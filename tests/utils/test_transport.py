"""Exact plans: against permutations, a linear program, and one pair at a time."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from pyg_topn.utils import batched_transport_plan, transport_plan

SIZES = [(1, 1), (1, 4), (3, 1), (2, 2), (4, 4), (2, 3), (4, 6), (7, 5)]


def least_cost(cost: np.ndarray) -> float:
    """The minimum, as a linear program."""
    n, m = cost.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    weights = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return float(linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=weights).fun)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_plan_is_a_coupling_of_least_cost(n: int, m: int) -> None:
    if n != m:
        pytest.importorskip("ot")
    cost = np.random.default_rng(n).normal(size=(n, m))
    plan = transport_plan(cost)
    assert plan.shape == (n, m)
    assert plan.dtype == np.float64
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(axis=1), 1 / n, rtol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / m, rtol=1e-12)
    assert (plan * cost).sum() == pytest.approx(least_cost(cost), abs=1e-9)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_equal_sizes_are_matched(size: int) -> None:
    cost = np.random.default_rng(size).random((size, size))
    permutations = itertools.permutations(range(size))
    best = min(sum(cost[i, j] for i, j in enumerate(order)) for order in permutations)
    plan = transport_plan(cost)
    assert (plan * cost).sum() == pytest.approx(best / size)
    assert set(plan.ravel()) == {0.0, 1 / size}


def test_equal_sizes_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    assert transport_plan(np.eye(2)).tolist() == [[0.0, 0.5], [0.5, 0.0]]
    with pytest.raises(ImportError, match=r"pip install 'pyg-topn\[ot\]'"):
        transport_plan(np.ones((2, 3)))


def test_batch_equals_one_by_one() -> None:
    pytest.importorskip("ot")
    num_rows, num_columns = (torch.tensor(sizes) for sizes in zip(*SIZES, strict=True))
    cost = torch.rand(len(SIZES), 8, 7, requires_grad=True)
    poisoned = cost.masked_fill(torch.arange(7) >= num_columns[:, None, None], float("nan"))
    poisoned = poisoned.masked_fill((torch.arange(8) >= num_rows[:, None])[..., None], torch.inf)
    plan = batched_transport_plan(poisoned, num_rows, num_columns)
    assert plan.dtype == torch.float32
    assert not plan.requires_grad
    for row, (n, m) in enumerate(SIZES):
        one = transport_plan(cost[row, :n, :m].detach().double().numpy())
        assert torch.equal(plan[row, :n, :m], torch.from_numpy(one).float())
        assert plan[row].sum() == pytest.approx(1.0)
        assert plan[row].count_nonzero() == np.count_nonzero(one)


def test_empty_batch() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert batched_transport_plan(torch.zeros(0, 3, 2), none, none).shape == (0, 3, 2)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"Expected costs between .*got shape \(0, 2\)"):
        transport_plan(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="Expected finite costs"):
        transport_plan(np.array([[np.nan]]))
    two, three = torch.tensor([2, 2]), torch.tensor([3, 3])
    with pytest.raises(ValueError, match=r"Expected shapes \[B, n, m\], \[B\] and \[B\]"):
        batched_transport_plan(torch.zeros(2, 2), two, two)
    with pytest.raises(ValueError, match="Expected shapes"):
        batched_transport_plan(torch.zeros(3, 2, 2), two, two)
    with pytest.raises(ValueError, match="at most 2 everywhere"):
        batched_transport_plan(torch.zeros(2, 3, 2), two, three)
