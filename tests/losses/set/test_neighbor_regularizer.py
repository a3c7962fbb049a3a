"""The regulariser of neighbours against numbers by hand, a loop and finite differences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import NeighborRegularizer
from pyg_topn.utils import build_batch


def batch_of(*sets: Tensor) -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {"x": torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in sizes]


def by_loop(x: Tensor, neighbor_distance: float, max_valency: int) -> float:
    """Point by point, as the paper writes it."""
    total = 0.0
    for i in range(x.size(0)):
        s = sorted(float((x[i] - x[j]).norm()) for j in range(x.size(0)) if j != i)
        if s:
            total += max(s[0] - neighbor_distance, 0.0)
        total += sum(max(neighbor_distance - d, 0.0) for d in s[max_valency:])
    return total


def test_lonely_points_by_hand() -> None:
    x = torch.tensor([[0.0], [1.0], [4.0]])  # nearest at 1, 1 and 3
    assert float(NeighborRegularizer()(batch_of(x))) == 1.0


def test_crowded_points_by_hand() -> None:
    """A centre with five neighbours at 1.5, at least 1.5 sqrt(2) from each other."""
    corners = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
    x = torch.cat([torch.zeros(1, 3), 1.5 * corners])
    assert float(NeighborRegularizer()(batch_of(x))) == pytest.approx(0.5)
    assert float(NeighborRegularizer(max_valency=5)(batch_of(x))) == 0
    # Every neighbour of the centre but one.
    assert float(NeighborRegularizer(max_valency=1)(batch_of(x))) == pytest.approx(4 * 0.5)


def test_a_point_alone_is_free() -> None:
    values = NeighborRegularizer(reduction="none")(batch_of(torch.zeros(1, 3), torch.eye(3)))
    assert values.tolist() == [0.0, 0.0]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 10),
    st.floats(0.2, 4.0),
    st.integers(0, 1000),
)
def test_against_a_loop(sizes: list[int], valency: int, distance: float, seed: int) -> None:
    sets = random_sets(*sizes, seed=seed)
    values = NeighborRegularizer(distance, valency, "none")(batch_of(*sets))
    assert values.tolist() == pytest.approx([by_loop(x, distance, valency) for x in sets])


def test_reductions() -> None:
    batch = batch_of(*random_sets(6, 9))
    each = NeighborRegularizer(reduction="none")(batch)
    torch.testing.assert_close(NeighborRegularizer()(batch), each.mean())
    torch.testing.assert_close(NeighborRegularizer(reduction="sum")(batch), each.sum())


@pytest.mark.parametrize("distance", [0.5, 3.0])
def test_gradients_by_finite_differences(distance: float) -> None:
    sizes, x = torch.tensor([5, 1, 4]), torch.cat(random_sets(5, 1, 4)).requires_grad_()
    loss = NeighborRegularizer(distance, 2, "none")
    assert torch.autograd.gradcheck(lambda x: loss(build_batch(sizes, {"x": x})), (x,))


def test_a_lonely_point_is_drawn_near_and_a_fifth_neighbour_driven_off() -> None:
    x = torch.tensor([[0.0], [5.0]], requires_grad=True)
    NeighborRegularizer()(batch_of(x)).backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [-2.0, 2.0]  # Each is the other's nearest.
    y = torch.tensor([[0.0], [1.0], [1.2]], requires_grad=True)
    NeighborRegularizer(1.1, max_valency=1)(batch_of(y)).backward()
    assert y.grad is not None
    # Point 1 has two neighbours; the one farther off is point 0.
    assert y.grad.flatten().tolist() == [1.0, -1.0, 0.0]


def test_points_at_the_same_place_have_finite_gradients() -> None:
    x = torch.zeros(7, 2, requires_grad=True)
    NeighborRegularizer()(batch_of(x)).backward()
    assert x.grad is not None
    assert x.grad.abs().max().item() == 0


def test_no_sets() -> None:
    empty = build_batch(torch.empty(0, dtype=torch.int64), {"x": torch.empty(0, 3)})
    assert float(NeighborRegularizer()(empty)) == 0
    assert NeighborRegularizer(reduction="none")(empty).shape == (0,)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"'neighbor_distance' to be positive .* \(got -1\)"):
        NeighborRegularizer(-1)
    with pytest.raises(ValueError, match=r"'max_valency' to be at least 1 \(got 0\)"):
        NeighborRegularizer(max_valency=0)
    with pytest.raises(ValueError, match=r"'reduction' to be one of .* \(got 'max'\)"):
        NeighborRegularizer(reduction="max")


def test_repr() -> None:
    expected = "NeighborRegularizer(neighbor_distance=2.0, max_valency=4, reduction='mean')"
    assert repr(NeighborRegularizer()) == expected
