"""Nearest neighbours against brute force and a k-d tree."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial import cKDTree

from pyg_topn.utils import Layout, nearest, nearest_pairs, pair_index

CPU = torch.device("cpu")
SIZES = [[3, 1, 40, 2, 9], [1], [1, 1], [35, 70], []]


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), CPU)


def by_loops(points: torch.Tensor, sizes: list[int], k: int) -> list[tuple[int, int]]:
    """Sort all others by distance, then by number."""
    found, first = set(), 0
    for n in sizes:
        for i in range(first, first + n):
            gaps = (points[first : first + n] - points[i]).square().sum(dim=1).tolist()
            others = sorted((gaps[j - first], j) for j in range(first, first + n) if j != i)
            found |= {(min(i, j), max(i, j)) for _, j in others[:k]}
        first += n
    return sorted(found)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("pairs", [1, 2**18])
def test_against_loops(
    sizes: list[int], k: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one chunk, and block by block; on a lattice, where most distances are equal."""
    monkeypatch.setattr(nearest, "_PAIRS", pairs)
    for points in (torch.randn(sum(sizes), 3), torch.randint(3, (sum(sizes), 2)).float()):
        found = nearest_pairs(points, layout_of(sizes), k)
        assert found.shape[0] == 2
        assert list(map(tuple, found.t().tolist())) == by_loops(points, sizes, k)
        assert found.size(1) <= sum(sizes) * k


def test_against_a_tree() -> None:
    points = torch.randn(500, 8)
    _, near = cKDTree(points.numpy()).query(points.numpy(), k=7)
    expected = {(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row[1:]}
    assert set(map(tuple, nearest_pairs(points, layout_of([500]), 6).t().tolist())) == expected


@pytest.mark.parametrize("sizes", SIZES)
def test_enough_neighbours_are_all_pairs(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    points = torch.randn(sum(sizes), 3)
    for k in (max(sizes, default=2) - 1, 1000):
        if k >= 1:
            assert torch.equal(nearest_pairs(points, layout, k), pair_index(layout.num_nodes))


def test_a_batch_is_its_graphs_one_by_one() -> None:
    sizes = [5, 33, 1, 12]
    points = torch.randint(4, (51, 2)).float()
    together = nearest_pairs(points, layout_of(sizes), 3)
    parts, first = [], 0
    for n in sizes:
        parts.append(nearest_pairs(points[first : first + n], layout_of([n]), 3) + first)
        first += n
    assert torch.equal(together, torch.cat(parts, dim=1))


def test_far_away_and_at_the_same_place() -> None:
    """Differences of coordinates, so that what is added to all of them does not count."""
    points = torch.tensor([[0.0], [1.0], [3.0], [3.0]]) + 4096
    assert nearest_pairs(points, layout_of([4]), 1).tolist() == [[0, 2], [1, 3]]


def test_other_precisions_and_gradients() -> None:
    points = torch.randn(20, 4, requires_grad=True)
    expected = nearest_pairs(points.detach(), layout_of([20]), 2)
    assert torch.equal(nearest_pairs(points.double(), layout_of([20]), 2), expected)
    assert nearest_pairs(points.bfloat16(), layout_of([20]), 2).size(1) >= 20 // 2


def test_unfit_arguments() -> None:
    with pytest.raises(ValueError, match="'k' to be at least 1 .got 0"):
        nearest_pairs(torch.randn(3, 2), layout_of([3]), 0)
    for points in (torch.randn(4, 2), torch.randn(3)):
        with pytest.raises(ValueError, match=r"points of shape \[3, D\] .got "):
            nearest_pairs(points, layout_of([3]), 1)
