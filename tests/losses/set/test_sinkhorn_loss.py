"""The Sinkhorn divergence against the exact distance, POT and finite differences."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import SinkhornLoss, WassersteinLoss
from pyg_topn.utils import build_batch

ot = pytest.importorskip("ot")

SIZES, OTHERS = (5, 1, 12, 20), (9, 3, 12, 7)


def batch_of(*sets: Tensor) -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {"x": torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in sizes]


def batches() -> tuple[Batch, Batch]:
    return batch_of(*random_sets(*SIZES)), batch_of(*random_sets(*OTHERS, seed=1))


def divergence_of_pot(x: Tensor, y: Tensor, epsilon: float) -> float:
    """From entropies, which debiasing turns into divergences from the product."""

    def value(a: Tensor, b: Tensor) -> float:
        cost = torch.cdist(a, b).square().numpy()
        plan = ot.sinkhorn([], [], cost, epsilon, "sinkhorn_log", 1000, 1e-9, warn=False)
        entropy = -(plan * torch.from_numpy(plan).clamp(min=1e-300).log().numpy()).sum()
        return float((plan * cost).sum() - epsilon * entropy)

    return value(x, y) - value(x, x) / 2 - value(y, y) / 2


@pytest.mark.parametrize("epsilon", [3.0, 1.0])
def test_against_pot(epsilon: float) -> None:
    loss = SinkhornLoss(epsilon, relative=False, num_iters=300, reduction="none")
    values = loss(*batches())
    pairs = zip(random_sets(*SIZES), random_sets(*OTHERS, seed=1), strict=True)
    expected = [divergence_of_pot(x, y, epsilon) for x, y in pairs]
    assert values.tolist() == pytest.approx(expected, rel=1e-3)


def test_converges_to_the_exact_distance() -> None:
    exact = WassersteinLoss(reduction="none")(*batches())
    errors = []
    for epsilon in (1.0, 0.1, 0.01, 0.001):
        value = SinkhornLoss(epsilon, num_iters=1000, reduction="none")(*batches())
        errors.append(float(((value - exact) / exact).abs().max()))
    assert all(later < before for before, later in pairwise(errors))
    assert errors[-1] < 3e-3


def test_gradient_converges_to_the_exact_one() -> None:
    first, second = batches()
    first.x.requires_grad_()
    (exact,) = torch.autograd.grad(WassersteinLoss()(first, second), first.x)
    loss = SinkhornLoss(0.0005, num_iters=2000)
    (grad,) = torch.autograd.grad(loss(first, second), first.x)
    assert float((grad - exact).norm() / exact.norm()) < 0.02


def test_defaults_are_near_the_exact_distance() -> None:
    exact = WassersteinLoss(reduction="none")(*batches())
    value = SinkhornLoss(reduction="none")(*batches())
    torch.testing.assert_close(value, exact, rtol=0.05, atol=0.0)
    single = SinkhornLoss(reduction="none")(*(batch_of(*s) for s in in_single_precision()))
    torch.testing.assert_close(single.double(), value, rtol=1e-3, atol=0.0)


def in_single_precision() -> tuple[list[Tensor], list[Tensor]]:
    first, second = random_sets(*SIZES), random_sets(*OTHERS, seed=1)
    return [x.float() for x in first], [x.float() for x in second]


def test_large_epsilon_compares_means() -> None:
    """Without a bias: the squared distance between the means."""
    value = SinkhornLoss(1e6, relative=False, reduction="none")(*batches())
    pairs = zip(random_sets(*SIZES), random_sets(*OTHERS, seed=1), strict=True)
    expected = [float((x.mean(0) - y.mean(0)).square().sum()) for x, y in pairs]
    assert value.tolist() == pytest.approx(expected, rel=1e-4)


def test_two_points_are_at_their_squared_distance() -> None:
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 5.0]])
    for epsilon in (10.0, 0.1):
        value = SinkhornLoss(epsilon)(batch_of(x), batch_of(y))
        assert float(value) == pytest.approx(9.0, rel=1e-5)


def test_relative_epsilon_is_a_share_of_the_mean_cost() -> None:
    x, y = random_sets(6)[0], random_sets(8, seed=1)[0]
    mean = float(torch.cdist(x, y).square().mean())
    x.requires_grad_()
    grads = []
    for loss in (SinkhornLoss(0.1), SinkhornLoss(0.1 * mean, relative=False)):
        value = loss(batch_of(x), batch_of(y))
        grads.append((value, *torch.autograd.grad(value, x)))
    for ours, other in zip(*grads, strict=True):
        torch.testing.assert_close(ours, other)


def test_scale_does_not_matter_to_a_relative_epsilon() -> None:
    first, second = batches()
    value = SinkhornLoss(reduction="none")(first, second)
    scaled = [build_batch(batch.ptr.diff(), {"x": 100 * batch.x}) for batch in (first, second)]
    torch.testing.assert_close(SinkhornLoss(reduction="none")(*scaled), 1e4 * value)


def test_gradients_by_finite_differences() -> None:
    """The potentials are held fixed, and the differences agree where they have converged."""
    sizes, others = torch.tensor([4, 1, 3]), torch.tensor([2, 3, 3])
    x, y = torch.cat(random_sets(4, 1, 3)), torch.cat(random_sets(2, 3, 3, seed=1))
    loss = SinkhornLoss(2.0, relative=False, num_iters=60, reduction="none")

    def function(x: Tensor, y: Tensor) -> Tensor:
        return loss(build_batch(sizes, {"x": x}), build_batch(others, {"x": y}))

    assert torch.autograd.gradcheck(function, (x.requires_grad_(), y.requires_grad_()))


def test_more_iterations_never_take_the_transport_cost_down() -> None:
    """The dual value is a lower bound: with equal sets, whose divergence is 0, at most 0."""
    batch = batch_of(*random_sets(10))
    few, many = (float(SinkhornLoss(0.01, num_iters=k)(batch, batch)) for k in (5, 500))
    assert abs(many) < 1e-5
    assert few <= abs(many)


def test_costs_that_overflow_are_infinite() -> None:
    one, other = batch_of(*random_sets(3, 5)), batch_of(*random_sets(4, 2, seed=1))
    expected = SinkhornLoss(reduction="none")(one, other)
    far = build_batch(torch.tensor([3, 5]), {"x": one.x.float()})
    far.x[:3] += 1e20
    near = build_batch(torch.tensor([4, 2]), {"x": other.x.float()})
    found = SinkhornLoss(reduction="none")(far, near)
    assert found[0] == torch.inf
    torch.testing.assert_close(found[1], expected[1].float(), rtol=1e-4, atol=1e-4)
    assert WassersteinLoss(reduction="none")(far, near)[0] == torch.inf


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_epsilons(epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"'epsilon' to be positive and finite \(got "):
        SinkhornLoss(epsilon)


def test_bad_numbers_of_iterations() -> None:
    with pytest.raises(ValueError, match=r"'num_iters' to be at least 1 \(got 0\)"):
        SinkhornLoss(num_iters=0)


def test_repr() -> None:
    expected = "SinkhornLoss(epsilon=0.1, relative=True, num_iters=100, reduction='mean')"
    assert repr(SinkhornLoss(0.1)) == expected
