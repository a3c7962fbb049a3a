"""The loss of the best assignment against numbers by hand, brute force and finite differences."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import HungarianLoss, WassersteinLoss
from pyg_topn.utils import build_batch


def batch_of(*sets: Tensor) -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {"x": torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in sizes]


def brute_force(x: Tensor, y: Tensor, distance: str) -> Tensor:
    def cost(perm: tuple[int, ...]) -> Tensor:
        other = y[list(perm)]
        if distance == "squared":
            return (x - other).square().sum() / x.size(0)
        return F.smooth_l1_loss(x, other, reduction="sum") / x.size(0)

    return torch.stack([cost(perm) for perm in permutations(range(x.size(0)))]).min()


def test_by_hand() -> None:
    x, y = torch.tensor([[0.0, 0.0], [4.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, 0.5]])
    assert float(HungarianLoss()(batch_of(x), batch_of(y))) == pytest.approx((0.125 + 2.5) / 2)
    squared = HungarianLoss("squared")(batch_of(x), batch_of(y))
    assert float(squared) == pytest.approx((0.25 + 9) / 2)


@pytest.mark.parametrize("distance", ["squared", "smooth_l1"])
def test_against_brute_force(distance: str) -> None:
    sizes = (1, 2, 3, 4, 4, 4, 3)
    first, second = random_sets(*sizes), random_sets(*sizes, seed=1)
    values = HungarianLoss(distance, "none")(batch_of(*first), batch_of(*second))
    expected = [brute_force(x, y, distance) for x, y in zip(first, second, strict=True)]
    torch.testing.assert_close(values, torch.stack(expected))


@pytest.mark.parametrize("distance", ["squared", "smooth_l1"])
def test_gradients_are_those_of_the_formula(distance: str) -> None:
    sizes = (1, 2, 4, 3)
    first, second = random_sets(*sizes), random_sets(*sizes, seed=1)
    for points in (*first, *second):
        points.requires_grad_()
    ours = HungarianLoss(distance, "sum")(batch_of(*first), batch_of(*second))
    pairs = zip(first, second, strict=True)
    expected = torch.stack([brute_force(x, y, distance) for x, y in pairs]).sum()
    grads = torch.autograd.grad(ours, (*first, *second))
    for grad, other in zip(grads, torch.autograd.grad(expected, (*first, *second)), strict=True):
        torch.testing.assert_close(grad, other)


@pytest.mark.parametrize("distance", ["squared", "smooth_l1"])
def test_gradients_by_finite_differences(distance: str) -> None:
    sizes = torch.tensor([4, 1, 6])
    x, y = torch.cat(random_sets(4, 1, 6)), torch.cat(random_sets(4, 1, 6, seed=1))
    loss = HungarianLoss(distance, "none")

    def function(x: Tensor, y: Tensor) -> Tensor:
        return loss(build_batch(sizes, {"x": x}), build_batch(sizes, {"x": y}))

    assert torch.autograd.gradcheck(function, (x.requires_grad_(), y.requires_grad_()))


def test_squared_is_the_wasserstein_distance() -> None:
    first, second = batch_of(*random_sets(5, 9, 20)), batch_of(*random_sets(5, 9, 20, seed=1))
    ours = HungarianLoss("squared", "none")(first, second)
    torch.testing.assert_close(ours, WassersteinLoss(reduction="none")(first, second))


def test_sizes_must_agree() -> None:
    first, second = batch_of(*random_sets(5, 3)), batch_of(*random_sets(5, 4))
    pattern = r"same sizes \(got 3 and 4 points in set 1\). WassersteinLoss and ChamferLoss take"
    with pytest.raises(ValueError, match=pattern):
        HungarianLoss()(first, second)


def test_bad_distances() -> None:
    with pytest.raises(ValueError, match=r"'distance' to be one of 'smooth_l1', 'squared' \(got "):
        HungarianLoss("euclidean")


def test_repr() -> None:
    assert repr(HungarianLoss()) == "HungarianLoss(distance='smooth_l1', reduction='mean')"
