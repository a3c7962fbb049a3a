"""The discrepancy against a double loop, the kernels against scipy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from pyg_topn.metrics import (
    gaussian_emd_kernel,
    gaussian_kernel,
    gaussian_tv_kernel,
    squared_mmd,
)


def histograms(count: int, bins: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(bins), count)


def emd(x: np.ndarray, y: np.ndarray) -> float:
    return float(wasserstein_distance(np.arange(x.size), np.arange(y.size), x, y))


DISTANCES = {
    gaussian_kernel: lambda x, y: np.linalg.norm(x - y),
    gaussian_tv_kernel: lambda x, y: np.abs(x - y).sum() / 2,
    gaussian_emd_kernel: emd,
}


@pytest.mark.parametrize("kernel", list(DISTANCES))
def test_kernels(kernel: object) -> None:
    x, y = histograms(4, 7, 0), histograms(5, 7, 1)
    distance = DISTANCES[kernel]
    expected = [[np.exp(-(distance(a, b) ** 2) / (2 * 0.3**2)) for b in y] for a in x]
    np.testing.assert_allclose(kernel(x, y, sigma=0.3), expected, rtol=1e-9)


def test_width_of_the_bins() -> None:
    x, y = histograms(3, 10, 0), histograms(3, 10, 1)
    wide = gaussian_emd_kernel(x, y, sigma=0.1, bin_width=0.1)
    np.testing.assert_allclose(wide, gaussian_emd_kernel(x, y, sigma=1.0))


@pytest.mark.parametrize("kernel", list(DISTANCES))
def test_mmd_is_the_double_loop(kernel: object) -> None:
    x, y = histograms(6, 5, 0), histograms(4, 5, 1)

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([[kernel(u[None], v[None])[0, 0] for v in b] for u in a]))

    expected = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    assert squared_mmd(x, y, kernel) == pytest.approx(expected, abs=1e-12)
    assert squared_mmd(y, x, kernel) == pytest.approx(expected, abs=1e-12)


def test_of_a_sample_with_itself() -> None:
    x = histograms(6, 5, 0)
    kernel = partial(gaussian_tv_kernel, sigma=0.1)
    assert squared_mmd(x, x[::-1], kernel) == pytest.approx(0, abs=1e-15)
    # Biased: pairs of a vector with itself count.
    far = np.eye(2) * 100
    assert squared_mmd(far, far[:1], gaussian_kernel) == pytest.approx(1 / 2 + 1 - 1)


@pytest.mark.parametrize(
    ("x", "y"),
    [(np.ones((2, 3)), np.ones((2, 4))), (np.ones((0, 3)), np.ones((2, 3))), (np.ones(3),) * 2],
)
def test_bad_samples(x: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Expected two samples .*got shapes \["):
        squared_mmd(x, y, gaussian_kernel)
