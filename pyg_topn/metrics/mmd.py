"""Maximum mean discrepancy between two samples of vectors, and the kernels used for graphs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.float64]
Kernel = Callable[[Floats, Floats], Floats]


def squared_mmd(x: Floats, y: Floats, kernel: Kernel) -> float:
    r"""Return the squared maximum mean discrepancy, with the biased estimate

    .. math::
        \frac{1}{n^2} \sum_{i, j} k(x_i, x_j) + \frac{1}{m^2} \sum_{i, j} k(y_i, y_j)
        - \frac{2}{nm} \sum_{i, j} k(x_i, y_j),

    which counts pairs of a vector with itself (a V-statistic), as papers on the generation of
    graphs do.

    Args:
        x: The one sample, :math:`[n, K]`.
        y: The other, :math:`[m, K]`.
        kernel: Returns :math:`k` of all pairs, :math:`[n, m]`.

    Raises:
        ValueError: If a sample is empty, or the numbers of columns differ.

    Example:
        >>> x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [0.0]])
        >>> round(squared_mmd(x, y, gaussian_kernel), 3)  # 1/2 - exp(-1/2)/2
        0.197
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not (len(x) and len(y)):
        raise ValueError(
            "Expected two samples of at least one vector, with as many columns "
            f"(got shapes {list(x.shape)} and {list(y.shape)})"
        )
    return float(kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean())


def gaussian_kernel(x: Floats, y: Floats, sigma: float = 1.0) -> Floats:
    r"""Return :math:`\exp(-d^2 / 2 \sigma^2)` of all pairs, :math:`d` the Euclidean distance.

    Example:
        >>> gaussian_kernel(np.zeros((1, 2)), np.array([[3.0, 4.0]]), sigma=5.0).round(3)
        array([[0.607]])
    """
    return _of_distance(cdist(x, y), sigma)


def gaussian_tv_kernel(x: Floats, y: Floats, sigma: float = 1.0) -> Floats:
    r"""Return :math:`\exp(-d^2 / 2 \sigma^2)` of all pairs, :math:`d = \frac{1}{2} \|x - y\|_1`,
    which is the total variation between distributions.

    Example:
        >>> gaussian_tv_kernel(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).round(3)
        array([[0.607]])
    """
    return _of_distance(cdist(x, y, "cityblock") / 2, sigma)


def gaussian_emd_kernel(x: Floats, y: Floats, sigma: float = 1.0, bin_width: float = 1.0) -> Floats:
    r"""Return :math:`\exp(-d^2 / 2 \sigma^2)` of all pairs of histograms, :math:`d` the earth
    mover's distance.

    On a line, that is the sum of the differences between the distribution functions, exactly.

    Args:
        x: Histograms that sum to one, :math:`[n, K]`.
        y: Histograms that sum to one, :math:`[m, K]`.
        sigma: Width of the kernel.
        bin_width: The distance between neighbouring bins.

    Example:
        >>> x, y = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
        >>> gaussian_emd_kernel(x, y, sigma=2.0).round(3)
        array([[0.607]])
    """
    return _of_distance(cdist(x.cumsum(axis=1), y.cumsum(axis=1), "cityblock") * bin_width, sigma)


def _of_distance(distance: Floats, sigma: float) -> Floats:
    return np.exp(-(distance**2) / (2 * sigma**2))
