"""The points of a batch of sets."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.data import Batch


def points_of(batch: Batch) -> Any:
    """What a batch holds as points: ``pos``, or ``x`` where there is none; or nothing."""
    points = getattr(batch, "pos", None)
    return getattr(batch, "x", None) if points is None else points


def read_points(batch: Batch, channels: int) -> Tensor:
    """The points of a batch, [N, C].

    Raises:
        ValueError: If there are none, or not of so many channels.
    """
    points = points_of(batch)
    if not isinstance(points, Tensor) or points.dim() != 2 or points.size(1) != channels:
        shape = list(points.shape) if isinstance(points, Tensor) else points
        raise ValueError(f"Expected points of shape [N, {channels}] as 'pos' or 'x' (got {shape})")
    return points
