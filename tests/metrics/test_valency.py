"""Neighbours of points, counted exactly and against one set at a time."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial.distance import cdist

from pyg_topn.metrics import point_valencies


def test_exact_values() -> None:
    pos = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 2.0], [9.0, 9.0], [0.0, 0.0], [0.0, 1.0]])
    valency = point_valencies(pos, torch.tensor([4, 1, 1]))
    assert valency.dtype == torch.int64
    # The distance of the first and the third point is 2, which is not below 2.
    assert valency.tolist() == [1, 2, 1, 0, 0, 0]
    assert point_valencies(pos, torch.tensor([6]), 2.1).tolist() == [4, 4, 4, 0, 4, 4]


def test_equals_one_set_at_a_time() -> None:
    sizes = torch.tensor([1, 7, 30, 2])
    pos = 3 * torch.randn(40, 3)
    expected = []
    for points in pos.double().split(sizes.tolist()):
        expected += ((cdist(points, points) < 2).sum(axis=1) - 1).tolist()
    assert point_valencies(pos, sizes).tolist() == expected
    assert max(expected) > 2


def test_no_sets() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert point_valencies(torch.zeros(0, 3), none).tolist() == []


def test_bad_input() -> None:
    pos, sizes = torch.zeros(3, 2), torch.tensor([1, 2])
    with pytest.raises(ValueError, match=r"Expected 'pos' to have 4 rows.*got shape \[3, 2\]"):
        point_valencies(pos, torch.tensor([2, 2]))
    with pytest.raises(ValueError, match=r"Expected 'pos' to have 3 rows"):
        point_valencies(torch.zeros(3), sizes)
    with pytest.raises(ValueError, match="Expected finite coordinates"):
        point_valencies(pos / 0, sizes)
    with pytest.raises(TypeError, match="Expected 'num_nodes' to be a Tensor"):
        point_valencies(pos, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1 everywhere"):
        point_valencies(pos, torch.tensor([3, 0]))
    with pytest.raises(ValueError, match="Expected 'neighbor_distance' to be positive"):
        point_valencies(pos, sizes, 0.0)
