from __future__ import annotations

import pytest

from pyg_topn.metrics import ValidityScores


def test_shares() -> None:
    scores = ValidityScores(200, 160, 120, 30)
    assert scores.valid == 0.8
    assert scores.unique == 0.75
    assert scores.vu == pytest.approx(scores.valid * scores.unique)
    assert scores.novel == 0.25
    assert scores.vun == pytest.approx(scores.vu * scores.novel)


def test_nothing_valid_is_zero_not_an_error() -> None:
    scores = ValidityScores(5, 0, 0, 0)
    assert (scores.valid, scores.unique, scores.vu, scores.novel, scores.vun) == (0, 0, 0, 0, 0)


def test_without_a_reference_nothing_is_novel_or_known() -> None:
    scores = ValidityScores(5, 4, 3)
    assert scores.novel is None
    assert scores.vun is None


@pytest.mark.parametrize(
    ("n", "k", "low", "high"),
    # Wilson's score interval as statsmodels and R's prop.test (uncorrected) print it.
    [(10, 8, 0.490162, 0.943318), (10000, 9500, 0.945552, 0.954102), (20, 0, 0.0, 0.161125)],
)
def test_interval(n: int, k: int, low: float, high: float) -> None:
    assert ValidityScores(n, k, k).interval == pytest.approx((low, high), abs=2e-6)


def test_interval_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    expected = binomtest(37, 50).proportion_ci(method="wilson")
    interval = ValidityScores(50, 37, 30).interval
    assert interval == pytest.approx((expected.low, expected.high), abs=1e-12)
