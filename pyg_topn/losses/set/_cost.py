"""What it costs to move a point to another: sums over channels, in the three ways in use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Floats = npt.NDArray[np.float64]

_NUMPY_METRICS = {"squared": "sqeuclidean", "euclidean": "euclidean"}


def paired_cost(x: Tensor, y: Tensor, distance: str) -> Tensor:
    """The cost of every row of x and the same row of y, [K], from points [K, C]."""
    if distance == "smooth_l1":
        return F.smooth_l1_loss(x, y, reduction="none").sum(dim=-1)
    if distance == "euclidean":  # Its gradient is 0 where two points coincide.
        return torch.linalg.vector_norm(x - y, dim=-1)
    return (x - y).square().sum(dim=-1)


def pairwise_cost(x: Tensor, y: Tensor, distance: str) -> Tensor:
    """The cost of all pairs of points [B, n, C] and [B, m, C]: [B, n, m].

    Of differences, not of products of points: those cancel far from the origin.
    """
    if distance == "smooth_l1":
        cost = x.new_zeros(x.size(0), x.size(1), y.size(1))
        for of_x, of_y in zip(x.unbind(-1), y.unbind(-1), strict=True):
            a, b = torch.broadcast_tensors(of_x.unsqueeze(2), of_y.unsqueeze(1))
            cost = cost + F.smooth_l1_loss(a, b, reduction="none")
        return cost
    root = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return root if distance == "euclidean" else root.square()


def numpy_cost(x: Floats, y: Floats, distance: str) -> Floats:
    """The cost of all pairs of points [n, C] and [m, C] of one set: [n, m]."""
    if distance in _NUMPY_METRICS:
        # Here, since an import of the package would take a tenth of a second more.
        from scipy.spatial.distance import cdist

        return np.asarray(cdist(x, y, _NUMPY_METRICS[distance]))
    cost = np.zeros((x.shape[0], y.shape[0]))
    for of_x, of_y in zip(x.T, y.T, strict=True):
        gap = np.abs(of_x[:, None] - of_y)
        near = np.minimum(gap, 1)
        cost += near * (gap - near / 2)  # gap^2 / 2 up to 1, gap - 1/2 from there on
    return cost
