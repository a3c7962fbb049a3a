"""The regulariser of close points against numbers by hand, a loop and finite differences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import MinDistanceRegularizer
from pyg_topn.utils import build_batch


def batch_of(*sets: Tensor) -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {"x": torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in sizes]


def by_loop(x: Tensor, min_distance: float) -> float:
    """The sum over i < j, as the paper writes it."""
    pairs = [(i, j) for j in range(x.size(0)) for i in range(j)]
    return sum(max(min_distance - float((x[i] - x[j]).norm()), 0.0) for i, j in pairs)


def test_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [0.6, 0.0], [0.0, 0.8], [5.0, 5.0]])  # distances .6, .8, 1
    assert float(MinDistanceRegularizer()(batch_of(x))) == pytest.approx(0.4 + 0.2)
    wider = MinDistanceRegularizer(min_distance=1.5)(batch_of(x))
    assert float(wider) == pytest.approx(0.9 + 0.7 + 0.5)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 1000))
def test_against_a_loop(sizes: list[int], seed: int) -> None:
    sets = random_sets(*sizes, seed=seed)
    values = MinDistanceRegularizer(1.5, "none")(batch_of(*sets))
    assert values.tolist() == pytest.approx([by_loop(x, 1.5) for x in sets])


def test_reductions() -> None:
    batch = batch_of(*random_sets(6, 9))
    each = MinDistanceRegularizer(2.0, "none")(batch)
    assert each.shape == (2,)
    torch.testing.assert_close(MinDistanceRegularizer(2.0)(batch), each.mean())
    torch.testing.assert_close(MinDistanceRegularizer(2.0, "sum")(batch), each.sum())


def test_gradients_by_finite_differences() -> None:
    sizes, x = torch.tensor([5, 1, 4]), torch.cat(random_sets(5, 1, 4)).requires_grad_()
    loss = MinDistanceRegularizer(2.0, "none")
    assert torch.autograd.gradcheck(lambda x: loss(build_batch(sizes, {"x": x})), (x,))


def test_close_points_are_driven_apart() -> None:
    x = torch.tensor([[0.0, 0.0], [0.5, 0.0], [9.0, 0.0]], requires_grad=True)
    MinDistanceRegularizer()(batch_of(x)).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]


def test_points_at_the_same_place() -> None:
    x = torch.zeros(3, 2, requires_grad=True)
    value = MinDistanceRegularizer()(batch_of(x))
    assert value.item() == 3
    value.backward()
    assert x.grad is not None
    assert x.grad.abs().max().item() == 0


def test_no_sets() -> None:
    empty = build_batch(torch.empty(0, dtype=torch.int64), {"x": torch.empty(0, 3)})
    assert float(MinDistanceRegularizer()(empty)) == 0
    assert MinDistanceRegularizer(reduction="none")(empty).shape == (0,)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"'min_distance' to be positive and finite \(got 0\)"):
        MinDistanceRegularizer(0)
    with pytest.raises(ValueError, match=r"'reduction' to be one of .* \(got 'max'\)"):
        MinDistanceRegularizer(reduction="max")
    with pytest.raises(ValueError, match="Expected finite points in the prediction"):
        MinDistanceRegularizer()(batch_of(torch.full((2, 3), torch.nan)))


def test_repr() -> None:
    expected = "MinDistanceRegularizer(min_distance=1.0, reduction='mean')"
    assert repr(MinDistanceRegularizer()) == expected
