"""What every loss between sets keeps: the same checks, batches, orders and reductions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_topn.losses import SET_LOSSES, SetLoss, set_loss_resolver
from pyg_topn.utils import build_batch

pytest.importorskip("ot")

NAMES = list(SET_LOSSES)
SAME_SIZES = ("hungarian",)


def batch_of(*sets: Tensor, key: str = "x") -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {key: torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0, channels: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, channels, generator=generator, dtype=torch.float64) for n in sizes]


def target_sizes(name: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The same sizes in another order, where the loss can take them."""
    return sizes if name in SAME_SIZES else sizes[::-1]


def pair_of_batches(name: str, *sizes: int) -> tuple[Batch, Batch]:
    other = target_sizes(name, sizes)
    return batch_of(*random_sets(*sizes)), batch_of(*random_sets(*other, seed=1))


def empty_batch(key: str = "x") -> Batch:
    return build_batch(torch.empty(0, dtype=torch.int64), {key: torch.empty(0, 3)})


@pytest.mark.parametrize("name", NAMES)
def test_batched_is_one_by_one(name: str) -> None:
    sizes = (5, 1, 8, 13, 2)
    first, second = random_sets(*sizes), random_sets(*target_sizes(name, sizes), seed=1)
    values = set_loss_resolver(name, reduction="none")(batch_of(*first), batch_of(*second))
    loss = set_loss_resolver(name)
    alone = [loss(batch_of(x), batch_of(y)) for x, y in zip(first, second, strict=True)]
    torch.testing.assert_close(values, torch.stack(alone), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_a_batch_are_those_of_one_by_one(name: str) -> None:
    sizes = (5, 1, 8, 13, 2)
    first, second = random_sets(*sizes), random_sets(*target_sizes(name, sizes), seed=1)
    for points in (*first, *second):
        points.requires_grad_()
    set_loss_resolver(name, reduction="sum")(batch_of(*first), batch_of(*second)).backward()
    for x, y in zip(first, second, strict=True):
        alone = set_loss_resolver(name)(batch_of(x), batch_of(y))
        for points, grad in zip((x, y), torch.autograd.grad(alone, (x, y)), strict=True):
            assert bool(grad.isfinite().all())
            assert float(grad.abs().max()) > 0
            torch.testing.assert_close(points.grad, grad, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_the_order_of_points_does_not_matter(name: str, sizes: list[int], seed: int) -> None:
    first = random_sets(*sizes, seed=seed)
    second = random_sets(*target_sizes(name, tuple(sizes)), seed=seed + 1)
    loss = set_loss_resolver(name, reduction="none")
    value = loss(batch_of(*first), batch_of(*second))
    shuffled = [[x[torch.randperm(x.size(0))] for x in sets] for sets in (first, second)]
    again = loss(batch_of(*shuffled[0]), batch_of(*shuffled[1]))
    torch.testing.assert_close(value, again, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_shifted_sets_are_as_far_apart(name: str) -> None:
    """Coordinates far from the origin lose no more than their own precision."""
    sizes = (6, 3)
    first, second = random_sets(*sizes), random_sets(*target_sizes(name, sizes), seed=1)
    loss = set_loss_resolver(name)
    value = loss(batch_of(*first), batch_of(*second))
    far = [batch_of(*[(x + 1000).float() for x in sets]) for sets in (first, second)]
    torch.testing.assert_close(loss(*far).double(), value, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_equal_sets_are_at_no_distance(name: str) -> None:
    batch = batch_of(*random_sets(5, 1, 8))
    shuffled = batch_of(*[x.flip(0) for x in random_sets(5, 1, 8)])
    values = set_loss_resolver(name, reduction="none")(batch, shuffled)
    assert values.shape == (3,)
    assert float(values.abs().max()) < (1e-3 if name == "sinkhorn" else 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_reductions(name: str) -> None:
    first, second = pair_of_batches(name, 4, 6, 2)
    each = set_loss_resolver(name, reduction="none")(first, second)
    assert each.shape == (3,)
    torch.testing.assert_close(set_loss_resolver(name)(first, second), each.mean())
    torch.testing.assert_close(set_loss_resolver(name, reduction="sum")(first, second), each.sum())


@pytest.mark.parametrize("name", NAMES)
def test_no_sets(name: str) -> None:
    batch = empty_batch()
    batch.x.requires_grad_()
    for reduction in ("mean", "sum"):
        value = set_loss_resolver(name, reduction=reduction)(batch, empty_batch())
        assert value.shape == ()
        assert value.item() == 0
        value.backward()
    assert set_loss_resolver(name, reduction="none")(batch, empty_batch()).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_pos_comes_before_x(name: str) -> None:
    first, second = pair_of_batches(name, 4, 6)
    value = set_loss_resolver(name)(first, second)
    with_pos = build_batch(first.ptr.diff(), {"pos": first.x, "x": torch.zeros(10, 7)})
    assert torch.equal(set_loss_resolver(name)(with_pos, second), value)


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_a_list_will_do(name: str) -> None:
    first, second = pair_of_batches(name, 4, 6)
    value = set_loss_resolver(name)(first, second)
    listed = Batch.from_data_list([Data(pos=first.x[:4]), Data(pos=first.x[4:])])
    assert torch.equal(set_loss_resolver(name)(listed, second), value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lower_precision(name: str, dtype: torch.dtype) -> None:
    first, second = pair_of_batches(name, 4, 6)
    low = [build_batch(batch.ptr.diff(), {"x": batch.x.to(dtype)}) for batch in (first, second)]
    low[0].x.requires_grad_()
    value = set_loss_resolver(name)(*low)
    assert value.dtype == torch.float32
    torch.testing.assert_close(
        value.double(), set_loss_resolver(name)(first, second), rtol=0.05, atol=0.0
    )
    value.backward()
    assert low[0].x.grad is not None
    assert low[0].x.grad.dtype == dtype
    assert bool(low[0].x.grad.isfinite().all())


@pytest.mark.parametrize("name", NAMES)
def test_points_at_the_same_place_have_finite_gradients(name: str) -> None:
    points = torch.zeros(4, 3, requires_grad=True)
    set_loss_resolver(name)(batch_of(points), batch_of(torch.zeros(4, 3))).backward()
    assert points.grad is not None
    assert float(points.grad.abs().max()) == 0


def broken(**changes: Any) -> Batch:
    batch = batch_of(*random_sets(2, 3))
    for key, value in changes.items():
        if value is None:
            delattr(batch, key)
        else:
            setattr(batch, key, value)
    return batch


NAN = torch.zeros(5, 3).index_fill(0, torch.tensor([3]), torch.nan)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": (
        {"x": NAN},
        r"Expected finite points in the {} \(got NaN or infinity in set 1, row 3\)",
    ),
    "infinity": ({"x": torch.full((5, 3), torch.inf)}, r"Expected finite .* in set 0, row 0\)"),
    "no points": ({"x": None}, r"the {} to hold points as 'pos' or 'x' \(got neither\)"),
    "integers": ({"x": torch.zeros(5, 3, dtype=torch.int64)}, r"of the {} .* \(got torch.int64 of"),
    "a vector": ({"x": torch.zeros(5)}, r"of shape \[N, C\] \(got torch.float32 of shape \[5\]\)"),
    "no ptr": ({"ptr": None}, r"the {} to be a Batch with a vector 'ptr' \(got None\)"),
    "a matrix": ({"ptr": torch.zeros(2, 2)}, r"the {} to be a Batch with a vector 'ptr' \(got "),
    "short": (
        {"ptr": torch.tensor([0, 2, 4])},
        r"'ptr' of the {} to ascend from 0 to its 5 points \(got \[0, 2, 4\]\)",
    ),
    "late": ({"ptr": torch.tensor([1, 2, 5])}, r"ascend from 0 .* \(got \[1, 2, 5\]\)"),
    "descending": (
        {"ptr": torch.tensor([0, 6, 5, 5, 5, 5, 5])},
        r"'ptr' .* \(got \[0, 6, 5, 5, 5, ..., 5\]\)",
    ),
    "an empty set": (
        {"ptr": torch.tensor([0, 5, 5])},
        r"at least one point in the {} \(got 0 in set 1\)",
    ),
    "another batch": (
        {"batch": torch.tensor([0, 0, 0, 1, 1])},
        r"'batch' of the {} to fit its 'ptr' \(got another one\)",
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", BAD)
def test_bad_input(name: str, case: str) -> None:
    changes, pattern = BAD[case]
    good, bad = batch_of(*random_sets(2, 3)), broken(**changes)
    with pytest.raises(ValueError, match=pattern.format("prediction")):
        set_loss_resolver(name)(bad, good)
    with pytest.raises(ValueError, match=pattern.format("target")):
        set_loss_resolver(name)(good, bad)


@pytest.mark.parametrize("name", NAMES)
def test_sets_and_channels_must_agree(name: str) -> None:
    loss = set_loss_resolver(name)
    one, two = batch_of(*random_sets(2)), batch_of(*random_sets(2, 3))
    with pytest.raises(ValueError, match=r"as many sets as the prediction, 2 \(got 1\)"):
        loss(two, one)
    flat = batch_of(*random_sets(2, 3, channels=2))
    with pytest.raises(ValueError, match=r"as many channels as the prediction's, 3 \(got 2\)"):
        loss(two, flat)


@pytest.mark.parametrize("name", NAMES)
def test_bad_reductions(name: str) -> None:
    with pytest.raises(ValueError, match=r"'reduction' to be one of 'mean', 'sum', 'none' \(got "):
        set_loss_resolver(name, reduction="max")


def test_a_loss_of_ones_own() -> None:
    class CountLoss(SetLoss):
        def per_set(self, x: Tensor, layout: Any, y: Tensor, target_layout: Any) -> Tensor:
            return (layout.num_nodes - target_layout.num_nodes).abs().to(x.dtype)

    first, second = batch_of(*random_sets(2, 3)), batch_of(*random_sets(4, 2))
    assert float(CountLoss()(first, second)) == 1.5
    assert repr(CountLoss()) == "CountLoss(reduction='mean')"
