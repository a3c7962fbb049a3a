"""Metrics of sets: exact values by hand, and against SciPy."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance
from torch import Tensor

from pyg_topn.datasets import synthetic_molecules
from pyg_topn.metrics import SetMetrics, point_valencies
from pyg_topn.metrics.set import _wasserstein


def line(*coordinates: float) -> tuple[Tensor, Tensor]:
    """One set of points on a line in 3D, and its size."""
    pos = torch.zeros(len(coordinates), 3)
    pos[:, 0] = torch.tensor(coordinates)
    return pos, torch.tensor([len(coordinates)])


def molecules(num_sets: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    arrays = synthetic_molecules(num_sets, max_points=12, seed=seed, processes=1)
    pos, valency, sizes = (torch.from_numpy(arrays[k]) for k in ("pos", "valency", "num_points"))
    return pos, valency, sizes


def test_valencies_by_hand() -> None:
    metrics = SetMetrics(reference=torch.tensor([1, 1, 2, 4]), num_pairs=0)
    metrics.update(*line(0.0, 1.0, 2.5, 9.0))  # valencies 1, 2, 1, 0
    metrics.update(*line(0.0, 0.1, 0.2, 0.3, 0.4, 0.5))  # valency 5
    report = metrics.compute()
    assert report.valencies == {0: 1, 1: 2, 2: 1, 5: 6}
    assert (report.num_sets, report.num_points) == (2, 10)
    assert report.isolated == 0.1
    assert report.crowded == 0.6
    assert report.incorrect == pytest.approx(0.7)
    # The distribution functions are .1 .3 .4 .4 .4 1 and 0 .5 .75 .75 1 1.
    assert report.valency_distance == pytest.approx(0.1 + 0.2 + 0.35 + 0.35 + 0.6)
    expected = wasserstein_distance([0, 1, 1, 2, *[5] * 6], [1, 1, 2, 4])
    assert report.valency_distance == pytest.approx(expected)
    assert report.diversity is None
    assert report.diversity_w1 is None


def test_diversity_by_hand() -> None:
    metrics = SetMetrics(num_pairs=7)
    metrics.update(*line(0.0, 2.0))
    metrics.update(*line(5.0, 0.0))
    report = metrics.compute()
    # The pairs are all of the two sets, never of a set with itself: 0 to 0, 2 to 5.
    assert report.diversity_w1 == pytest.approx(1.5)
    assert report.diversity == pytest.approx(np.sqrt(4.5))
    assert report.valency_distance is None


def test_distance_of_sets_of_different_sizes() -> None:
    pytest.importorskip("ot")
    # A third of the weight in every point of one set, half in the other, moved in order:
    # 1/3 from 0 to 0, 1/6 from 2 to 0, 1/6 from 2 to 1, 1/3 from 5 to 1.
    x, y = (line(*points)[0].double().numpy() for points in ((0.0, 2.0, 5.0), (0.0, 1.0)))
    w1, w2 = _wasserstein(x, y)
    assert w1 == pytest.approx((0 / 3) + 2 / 6 + 1 / 6 + 4 / 3)
    assert w2**2 == pytest.approx((0 / 3) + 4 / 6 + 1 / 6 + 16 / 3)


def test_diversity_of_random_pairs() -> None:
    pytest.importorskip("ot")
    pos, _, sizes = molecules(300)
    metrics = SetMetrics(num_pairs=200)
    metrics.update(pos, sizes)
    report = metrics.compute()
    sets = [points.double().numpy() for points in pos.split(sizes.tolist())]
    rng = np.random.default_rng(1)
    squares = []
    for _ in range(200):
        x, y = (sets[i] for i in rng.choice(len(sets), 2, replace=False))
        squares.append(_exact_square(x, y))
    other = np.sqrt(squares)
    # Two estimates of the same mean, of other pairs.
    assert report.diversity == pytest.approx(other.mean(), abs=5 * other.std() / np.sqrt(100))
    assert report.diversity_w1 is not None
    assert report.diversity is not None
    assert 0 < report.diversity_w1 <= report.diversity


def _exact_square(x: np.ndarray, y: np.ndarray) -> float:
    """The square of W2 without POT."""
    cost = cdist(x, y, "sqeuclidean")
    n, m = cost.shape
    if n == m:
        return float(cost[linear_sum_assignment(cost)].mean())
    couplings = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    weights = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return float(linprog(cost.ravel(), A_eq=couplings, b_eq=weights).fun)


def test_distances_equal_those_of_a_linear_program() -> None:
    pytest.importorskip("ot")
    rng = np.random.default_rng(0)
    for n, m in [(1, 3), (4, 4), (5, 7), (12, 9)]:
        x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
        assert _wasserstein(x, y)[1] ** 2 == pytest.approx(_exact_square(x, y), rel=1e-6)


def test_the_data_score_perfectly() -> None:
    pos, valency, sizes = molecules(500)
    metrics = SetMetrics(reference=valency, num_pairs=0)
    metrics.update(pos, sizes)
    report = metrics.compute()
    assert report.valency_distance == 0.0
    assert report.incorrect == 0.0
    _, other, _ = molecules(500, seed=1)
    close = SetMetrics(reference=other, num_pairs=0)
    close.update(pos, sizes)
    distance = close.compute().valency_distance
    assert distance is not None
    assert 0 < distance < 0.1


def test_parts_equal_the_whole_and_the_seed_decides() -> None:
    pytest.importorskip("ot")
    pos, valency, sizes = molecules(40)
    whole = SetMetrics(reference=valency, num_pairs=30, seed=3)
    whole.update(pos, sizes)
    parts = SetMetrics(reference=valency, num_pairs=30, seed=3)
    cut = int(sizes[:13].sum())
    parts.update(pos[:cut], sizes[:13])
    parts.compute()  # What comes later counts none the less.
    parts.update(torch.zeros(0, 3), sizes[:0])
    parts.update(pos[cut:], sizes[13:])
    assert parts.compute() == whole.compute()
    assert whole.compute() is whole.compute()
    other = SetMetrics(reference=valency, num_pairs=30, seed=4)
    other.update(pos, sizes)
    assert other.compute().diversity != whole.compute().diversity
    whole.reset()
    with pytest.raises(ValueError, match=r"Expected at least one set before compute\(\) \(got 0\)"):
        whole.compute()


def test_a_batch_of_another_size_is_another_update() -> None:
    """What the extrapolation columns of table 4 need."""
    metrics = SetMetrics(reference=torch.tensor([1, 2]), label="10 points more")
    metrics.update(*line(*range(15)))
    report = metrics.compute()
    assert report.valencies == {1: 2, 2: 13}
    assert report.diversity is None  # There is one set only.
    assert report.label == "10 points more"
    assert repr(metrics) == "SetMetrics(1 sets)"


def test_other_distances_and_dimensions() -> None:
    metrics = SetMetrics(neighbor_distance=1.1, max_valency=1, num_pairs=0)
    metrics.update(torch.tensor([[0.0], [1.0], [2.0], [4.0]]), torch.tensor([4]))
    report = metrics.compute()
    assert (report.isolated, report.crowded) == (0.25, 0.25)


def test_diversity_without_pot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    metrics = SetMetrics(num_pairs=5)
    metrics.update(torch.rand(5, 3), torch.tensor([2, 3]))
    with pytest.raises(ImportError, match=r"pip install 'pyg-topn\[ot\]'"):
        metrics.compute()


def test_gradients_are_not_kept() -> None:
    metrics = SetMetrics(num_pairs=3)
    pos = torch.rand(4, 3, requires_grad=True)
    metrics.update(pos, torch.tensor([2, 2]))
    assert metrics.compute().diversity is not None
    assert point_valencies(pos, torch.tensor([4])).requires_grad is False


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"Expected 'reference' to be a vector .*got dtype"):
        SetMetrics(reference=torch.tensor([1.0]))
    with pytest.raises(ValueError, match="Expected 'reference'"):
        SetMetrics(reference=torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="Expected 'neighbor_distance' to be positive"):
        SetMetrics(neighbor_distance=0.0)
    with pytest.raises(ValueError, match="Expected 'max_valency' to be at least 0"):
        SetMetrics(max_valency=-1)
    with pytest.raises(ValueError, match="Expected 'num_pairs' to be at least 0"):
        SetMetrics(num_pairs=-1)
    metrics = SetMetrics()
    with pytest.raises(ValueError, match="Expected 'pos' to have 2 rows"):
        metrics.update(torch.zeros(3, 3), torch.tensor([2]))
    with pytest.raises(ValueError, match="Expected finite coordinates"):
        metrics.update(torch.full((2, 3), torch.nan), torch.tensor([2]))
    metrics.update(torch.zeros(2, 3), torch.tensor([2]))
    with pytest.raises(ValueError, match=r"Expected points in 3 dimensions \(got 2\)"):
        metrics.update(torch.zeros(2, 2), torch.tensor([2]))
