"""Featurewise sort pooling against a loop over sets and features, and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pyg_topn.nn.encoder import FSPool
from pyg_topn.utils import Layout

SIZES = [3, 1, 7, 2, 22, 7]


def layout_of(*sizes: int) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def one_by_one(x: Tensor, sizes: list[int], weight: Tensor) -> np.ndarray:
    """Sorted and interpolated by numpy, a set and a feature at a time."""
    rows = []
    knots = np.linspace(0, 1, weight.size(1))
    for part in x.split(sizes):
        places = np.linspace(0, 1, len(part)) if len(part) > 1 else np.zeros(len(part))
        row = []
        for feature, values in zip(part.detach().double().T, weight.detach().double(), strict=True):
            ordered = np.sort(feature.numpy())[::-1]
            row.append(float((np.interp(places, knots, values.numpy()) * ordered).sum()))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("num_pieces", [1, 2, 5, 20])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_the_same_as_a_loop_over_sets(num_pieces: int, reduce: str) -> None:
    x, pool = torch.randn(sum(SIZES), 4).double(), FSPool(4, num_pieces, reduce).double()
    expected = one_by_one(x, SIZES, pool.weight)
    if reduce == "mean":
        expected /= np.array(SIZES)[:, None]
    np.testing.assert_allclose(pool(x, layout_of(*SIZES)).detach(), expected, rtol=1e-12)


def test_values_on_a_small_set() -> None:
    pool = FSPool(1, num_pieces=1)
    pool.weight.data = torch.tensor([[1.0, 3.0]])  # Weights 1, 2 and 3 for three points.
    x = torch.tensor([[5.0], [-1.0], [2.0], [4.0]])
    assert pool(x, layout_of(3, 1)).tolist() == [[5 + 2 * 2 - 3], [4]]
    pool.reduce = "mean"
    assert pool(x, layout_of(3, 1)).tolist() == [[2], [4]]


def test_order_of_points_does_not_matter_and_sets_do_not_mix() -> None:
    x, pool, layout = torch.randn(sum(SIZES), 4), FSPool(4), layout_of(*SIZES)
    before = pool(x, layout)
    shuffled = torch.cat([part[torch.randperm(len(part))] for part in x.split(SIZES)])
    torch.testing.assert_close(pool(shuffled, layout), before)
    changed = x.clone()
    changed[: SIZES[0]] += 100
    assert torch.equal(pool(changed, layout)[1:], before[1:])
    for part, row in zip(x.split(SIZES), before, strict=True):
        torch.testing.assert_close(pool(part, layout_of(len(part)))[0], row)


def test_first_and_second_derivatives() -> None:
    sizes, pool = (3, 1, 4), FSPool(2, num_pieces=3).double()
    x = torch.randn(sum(sizes), 2, dtype=torch.float64, requires_grad=True)

    def pooled(x: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(pool, {"weight": weight}, (x, layout_of(*sizes)))

    weight = pool.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(pooled, (x, weight))
    assert torch.autograd.gradgradcheck(lambda *inputs: pooled(*inputs).square(), (x, weight))


def test_equal_points_get_finite_gradients() -> None:
    x, pool = torch.zeros(5, 2, requires_grad=True), FSPool(2)
    pool(x, layout_of(2, 3)).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert pool.weight.grad is not None
    assert pool.weight.grad.isfinite().all()


def test_no_sets_and_empty_sets() -> None:
    assert FSPool(4)(torch.empty(0, 4), layout_of()).shape == (0, 4)
    pooled = FSPool(4, reduce="mean")(torch.ones(2, 4), layout_of(0, 2))
    assert pooled[0].tolist() == [0] * 4
    assert pooled.isfinite().all()


def test_reset_and_repr() -> None:
    pool = FSPool(4, num_pieces=7, reduce="mean")
    before = pool.weight.clone()
    pool.reset_parameters()
    assert pool.weight.shape == (4, 8)
    assert not torch.equal(pool.weight, before)
    assert repr(pool) == "FSPool(4, num_pieces=7, reduce='mean')"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, r"Expected 'channels' to be at least 1 \(got 0\)"),
        ({"channels": 2, "num_pieces": 0}, r"Expected 'num_pieces' to be at least 1 \(got 0\)"),
        ({"channels": 2, "reduce": "max"}, r"Expected 'reduce' to be 'sum' or 'mean' \(got 'max'"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FSPool(**arguments)


def test_points_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"points of shape \(5, 4\) \(got \(5, 3\)\)"):
        FSPool(4)(torch.ones(5, 3), layout_of(2, 3))
