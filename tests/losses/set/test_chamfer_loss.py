"""The Chamfer loss against numbers by hand, brute force and finite differences; its memory."""

from __future__ import annotations

import subprocess
import sys
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import ChamferLoss
from pyg_topn.losses.set import _nearest
from pyg_topn.utils import build_batch


def batch_of(*sets: Tensor) -> Batch:
    sizes = torch.tensor([points.size(0) for points in sets], dtype=torch.int64)
    return build_batch(sizes, {"x": torch.cat(sets)})


def random_sets(*sizes: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in sizes]


def brute_force(x: Tensor, y: Tensor, distance: str, point_reduction: str) -> Tensor:
    """The formula as it stands, over all pairs."""
    a, b = torch.broadcast_tensors(x[:, None], y[None])
    if distance == "squared":
        cost = (a - b).square().sum(-1)
    else:
        cost = F.smooth_l1_loss(a, b, reduction="none").sum(-1)
    there, back = cost.min(dim=1).values, cost.min(dim=0).values
    if point_reduction == "mean":
        return there.mean() + back.mean()
    return there.sum() + back.sum()


def test_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    y = torch.tensor([[0.0, 1.0], [3.0, 3.0], [10.0, 1.0]])
    # There: 1 and 4; back: 1, 4 and 49. Channels are added up: no division by 2.
    assert float(ChamferLoss()(batch_of(x), batch_of(y))) == 59.0
    mean = ChamferLoss(point_reduction="mean")(batch_of(x), batch_of(y))
    assert float(mean) == pytest.approx(5 / 2 + 54 / 3)


def test_smooth_l1_by_hand() -> None:
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.5, 3.0]])
    loss = ChamferLoss("smooth_l1")
    assert float(loss(batch_of(x), batch_of(y))) == pytest.approx(2 * (0.125 + 2.5))


def test_each_distance_has_its_own_nearest_point() -> None:
    x = torch.tensor([[0.0, 0.0]])
    y = torch.tensor([[3.0, 0.0], [2.2, 2.2]])  # squared 9, 9.68; smooth L1 2.5, 3.4
    z = torch.tensor([[2.9, 0.0], [1.6, 1.6]])  # squared 8.41, 5.12; smooth L1 2.4, 2.2
    for other, squared, smooth in ((y, 9.0, 2.5), (z, 5.12, 2.2)):
        back = (other.square().sum(-1).sum(), F.smooth_l1_loss(other, 0 * other, reduction="sum"))
        value = float(ChamferLoss()(batch_of(x), batch_of(other)) - back[0])
        assert value == pytest.approx(squared, rel=1e-5)
        value = float(ChamferLoss("smooth_l1")(batch_of(x), batch_of(other)) - back[1])
        assert value == pytest.approx(smooth, rel=1e-5)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=5),
    st.sampled_from(["squared", "smooth_l1"]),
    st.sampled_from(["sum", "mean"]),
    st.sampled_from([1, 64, 2**20]),
)
def test_against_brute_force(
    sizes: list[tuple[int, int]], distance: str, point_reduction: str, pairs: int
) -> None:
    """Whatever the chunks."""
    first = random_sets(*[n for n, _ in sizes])
    second = random_sets(*[m for _, m in sizes], seed=1)
    with mock.patch.object(_nearest, "_PAIRS", pairs):
        values = ChamferLoss(distance, point_reduction, "none")(batch_of(*first), batch_of(*second))
    expected = [
        brute_force(x, y, distance, point_reduction) for x, y in zip(first, second, strict=True)
    ]
    torch.testing.assert_close(values, torch.stack(expected))


@pytest.mark.parametrize("distance", ["squared", "smooth_l1"])
def test_gradients_are_those_of_the_formula(distance: str) -> None:
    first, second = random_sets(7, 1, 50), random_sets(9, 4, 33, seed=1)
    for points in (*first, *second):
        points.requires_grad_()
    ours = ChamferLoss(distance, reduction="sum")(batch_of(*first), batch_of(*second))
    expected = sum(
        (brute_force(x, y, distance, "sum") for x, y in zip(first, second, strict=True)),
        torch.zeros(()),
    )
    given_ = torch.autograd.grad(ours, (*first, *second))
    for grad, other in zip(given_, torch.autograd.grad(expected, (*first, *second)), strict=True):
        torch.testing.assert_close(grad, other)


@pytest.mark.parametrize("distance", ["squared", "smooth_l1"])
@pytest.mark.parametrize("point_reduction", ["sum", "mean"])
def test_gradients_by_finite_differences(distance: str, point_reduction: str) -> None:
    sizes, others = torch.tensor([4, 1, 3]), torch.tensor([2, 3, 3])
    x, y = torch.cat(random_sets(4, 1, 3)), torch.cat(random_sets(2, 3, 3, seed=1))
    loss = ChamferLoss(distance, point_reduction, "none")

    def function(x: Tensor, y: Tensor) -> Tensor:
        return loss(build_batch(sizes, {"x": x}), build_batch(others, {"x": y}))

    inputs = (x.requires_grad_(), y.requires_grad_())
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize(
    ("sizes", "others"),
    [
        ([3000] + [3] * 200, [3] * 201),
        ([3] * 201, [3000] + [3] * 200),
        ([3] + [3000] + [3] * 200, [3000] + [3] * 201),
        ([9] * 3000, [10] * 3000),
        ([2**k for k in range(11)], [2**k for k in range(11)][::-1]),
        ([1] * 500, [50] * 500),
    ],
)
def test_padding_is_bounded(sizes: list[int], others: list[int]) -> None:
    """Neither the memory of a chunk nor the work grows with B n_max m_max."""
    made: list[int] = []

    def recorded(x: Tensor, y: Tensor, distance: str) -> Tensor:
        cost = torch.cdist(x, y)
        made.append(cost.numel())
        return cost

    pairs = 2**14
    first, second = random_sets(*sizes), random_sets(*others, seed=1)
    with (
        mock.patch.object(_nearest, "_PAIRS", pairs),
        mock.patch.object(_nearest, "pairwise_cost", recorded),
    ):
        ChamferLoss()(batch_of(*first), batch_of(*second))
    widest = max(*sizes, *others)
    real = 2 * sum(n * m for n, m in zip(sizes, others, strict=True))
    assert max(made) <= max(pairs, 32 * widest)
    assert sum(made) <= 2 * real + 2 * 12 * pairs + 32 * 2 * widest * 2


MEASURE = """
import torch
from pyg_topn.losses import ChamferLoss
from pyg_topn.utils import build_batch
torch.set_num_threads(1)
torch.manual_seed(0)
sizes = torch.full((64,), 2000)
x, y = torch.randn(2, 128000, 3)
x.requires_grad_()
small = build_batch(torch.tensor([2]), {"x": x[:2]})
def peak():  # of this process: that of getrusage is at least the parent's
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
ChamferLoss("DISTANCE")(small, small).backward()
before = peak()
ChamferLoss("DISTANCE")(build_batch(sizes, {"x": x}), build_batch(sizes, {"x": y})).backward()
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("distance", ["squared", "smooth_l1"])
def test_memory_of_64_sets_of_2000_points(distance: str) -> None:
    """Forwards and backwards; one padded matrix of distances would take 1 GB, and be kept."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE.replace("DISTANCE", distance)],
        capture_output=True,
        text=True,
        check=True,
    )
    kilobytes = int(run.stdout)
    assert 1024 < kilobytes < 200 * 1024


def test_bad_arguments() -> None:
    with pytest.raises(
        ValueError, match=r"'distance' to be one of 'squared', 'smooth_l1' \(got 'l"
    ):
        ChamferLoss("l2")
    with pytest.raises(ValueError, match=r"'point_reduction' to be one of 'sum', 'mean' \(got 'no"):
        ChamferLoss(point_reduction="none")


def test_repr() -> None:
    expected = "ChamferLoss(distance='squared', point_reduction='mean', reduction='none')"
    assert repr(ChamferLoss(point_reduction="mean", reduction="none")) == expected
