"""The Wasserstein distance against numbers by hand, brute force, POT and finite differences."""

from __future__ import annotations

import math
import sys
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import WassersteinLoss
from pyg_topn.utils import build_batch


def batch_of(*sets: Tensor) -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {"x": torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0, channels: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, channels, generator=generator, dtype=torch.float64) for n in sizes]


def brute_force(x: Tensor, y: Tensor, p: int) -> float:
    """The best of all assignments of points repeated until the sizes agree."""
    size = math.lcm(x.size(0), y.size(0))
    cost = torch.cdist(x, y).pow(p)
    cost = cost.repeat_interleave(size // x.size(0), 0).repeat_interleave(size // y.size(0), 1)
    rows = torch.arange(size)
    return min(float(cost[rows, list(perm)].mean()) for perm in permutations(range(size)))


def test_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    y = torch.tensor([[4.0, 3.0], [0.0, 1.0]])
    assert float(WassersteinLoss()(batch_of(x), batch_of(y))) == pytest.approx((1 + 9) / 2)
    assert float(WassersteinLoss(p=1)(batch_of(x), batch_of(y))) == pytest.approx((1 + 3) / 2)


def test_different_sizes_by_hand() -> None:
    pytest.importorskip("ot")
    x, y = torch.tensor([[0.0], [6.0]]), torch.tensor([[0.0], [3.0], [6.0]])
    # Each end keeps 1/3 and sends 1/6 to the middle.
    assert float(WassersteinLoss()(batch_of(x), batch_of(y))) == pytest.approx(9 / 3)
    assert float(WassersteinLoss(p=1)(batch_of(x), batch_of(y))) == pytest.approx(3 / 3)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (3, 3), (4, 4), (2, 4), (1, 3), (2, 3)])
def test_against_brute_force(p: int, n: int, m: int) -> None:
    if n != m:
        pytest.importorskip("ot")
    first, second = random_sets(n, n, n), random_sets(m, m, m, seed=1)
    values = WassersteinLoss(p, "none")(batch_of(*first), batch_of(*second))
    expected = [brute_force(x, y, p) for x, y in zip(first, second, strict=True)]
    assert values.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("p", [1, 2])
def test_against_pot(p: int) -> None:
    """On both sides of where repeated points end and optimal transport begins."""
    ot = pytest.importorskip("ot")
    sizes, others = (5, 6, 7, 12, 35, 34, 9), (5, 8, 8, 24, 34, 35, 2)
    first, second = random_sets(*sizes), random_sets(*others, seed=1)
    values = WassersteinLoss(p, "none")(batch_of(*first), batch_of(*second))
    expected = [
        ot.emd2([], [], torch.cdist(x, y).pow(p).numpy())
        for x, y in zip(first, second, strict=True)
    ]
    assert values.tolist() == pytest.approx(expected, rel=1e-10)


@settings(max_examples=50)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_against_scipy_on_the_line(n: int, m: int, seed: int) -> None:
    """On the line, couplings that keep the order are optimal: scipy has them in closed form."""
    if n != m:
        pytest.importorskip("ot")
    (x,), (y,) = random_sets(n, seed=seed, channels=1), random_sets(m, seed=seed + 1, channels=1)
    value = WassersteinLoss(p=1)(batch_of(x), batch_of(y))
    expected = wasserstein_distance(x.flatten().numpy(), y.flatten().numpy())
    assert float(value) == pytest.approx(expected, rel=1e-9)
    grid = np.arange(n * m)  # Quantiles at the midpoints of 1 / (n m).
    gap = x.sort(dim=0).values[grid // m] - y.sort(dim=0).values[grid // n]
    squared = WassersteinLoss()(batch_of(x), batch_of(y))
    assert float(squared) == pytest.approx(float(gap.square().mean()), rel=1e-9)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("others", [[4, 1, 3], [2, 3, 5], [11, 1, 17]])
def test_gradients_by_finite_differences(p: int, others: list[int]) -> None:
    """The coupling is held fixed, and the differences agree: the envelope theorem."""
    sizes = [4, 1, 3]
    if sizes != others:
        pytest.importorskip("ot")
    x, y = torch.cat(random_sets(*sizes)), torch.cat(random_sets(*others, seed=1))
    loss = WassersteinLoss(p, "none")

    def function(x: Tensor, y: Tensor) -> Tensor:
        first = build_batch(torch.tensor(sizes), {"x": x})
        return loss(first, build_batch(torch.tensor(others), {"x": y}))

    assert torch.autograd.gradcheck(function, (x.requires_grad_(), y.requires_grad_()))


def test_gradient_by_hand() -> None:
    """2 (x_i - x'_pi(i)) / n."""
    x = torch.tensor([[0.0], [10.0]], requires_grad=True)
    y = torch.tensor([[13.0], [-1.0]])
    WassersteinLoss()(batch_of(x), batch_of(y)).backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [1.0, -3.0]


def test_points_at_the_same_place_have_no_gradient_of_w1() -> None:
    x = torch.zeros(3, 2, requires_grad=True)
    WassersteinLoss(p=1)(batch_of(x), batch_of(torch.zeros(3, 2))).backward()
    assert x.grad is not None
    assert x.grad.abs().max().item() == 0


def test_large_sets_of_different_sizes() -> None:
    """POT warns if it gives up, and warnings are errors."""
    pytest.importorskip("ot")
    (x,), (y,) = random_sets(400), random_sets(371, seed=1)
    value = float(WassersteinLoss()(batch_of(x), batch_of(y)))
    assert 0 < value < float(torch.cdist(x, y).square().mean())


def test_without_pot(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for as soon as any sizes differ, also where assignments would do."""
    monkeypatch.setitem(sys.modules, "ot", None)
    same = batch_of(*random_sets(4, 2))
    WassersteinLoss()(same, same)
    with pytest.raises(ImportError, match=r"package 'ot'.*pip install 'pyg-topn\[ot\]'"):
        WassersteinLoss()(same, batch_of(*random_sets(4, 1)))


@pytest.mark.parametrize("p", [0, 3, "2", True])
def test_bad_powers(p: int) -> None:
    with pytest.raises(ValueError, match=r"'p' to be one of 1, 2 \(got "):
        WassersteinLoss(p)


def test_repr() -> None:
    assert repr(WassersteinLoss()) == "WassersteinLoss(p=2, reduction='mean')"
