"""The points of a batch of sets, checked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.utils.layout import Layout, slices_of


def points_of(batch: Batch) -> Any:
    """What a batch holds as points: ``pos``, or ``x`` where there is none; or nothing."""
    points = getattr(batch, "pos", None)
    return getattr(batch, "x", None) if points is None else points


def read_points(
    batch: Batch, name: str, channels: int | None = None, like: Tensor | None = None
) -> tuple[Tensor, Layout]:
    """The points of a batch, [N, C] (``pos``, or ``x`` where there is none), and its layout.

    Args:
        batch: The sets, none of them empty.
        name: What the batch is, for errors.
        channels: How many channels the points are to have; by default any number.
        like: Weights that points are multiplied by. They are to have the same type, and are looked
            at on the CPU alone: a model does not wait for its device, whereas a loss does.

    Raises:
        ValueError: If there are none, or not of so many channels or of another type, one is not
            finite, a set is empty, or ``ptr`` or ``batch`` does not fit.
    """
    points = points_of(batch)
    if not isinstance(points, Tensor):
        raise ValueError(f"Expected the {name} to hold points as 'pos' or 'x' (got neither)")
    _check_type(points, name, channels, like)
    looked_at = like is None or points.is_cpu
    layout = Layout(_sizes(batch, points.size(0), name, looked_at), points.device)
    if looked_at:
        _check_values(batch, points, name, layout)
    return points, layout


def _check_type(points: Tensor, name: str, channels: int | None, like: Tensor | None) -> None:
    fits = like is None or points.dtype == like.dtype or _is_cast(points)
    shaped = points.dim() == 2 and (channels is None or points.size(1) == channels)
    if not (shaped and fits and points.is_floating_point()):
        kind = "floating-point numbers" if like is None else like.dtype
        width = "C" if channels is None else channels
        raise ValueError(
            f"Expected the points of the {name} to be {kind} of shape [N, {width}] "
            f"(got {points.dtype} of shape {list(points.shape)})"
        )


def _is_cast(points: Tensor) -> bool:
    """Whether autocast takes points as they are, which it does of any type but double precision."""
    return points.dtype != torch.float64 and torch.is_autocast_enabled(points.device.type)


def _check_values(batch: Batch, points: Tensor, name: str, layout: Layout) -> None:
    vector = getattr(batch, "batch", None)
    if vector is not None and not torch.equal(vector, layout.batch):
        raise ValueError(f"Expected 'batch' of the {name} to fit its 'ptr' (got another one)")
    finite = points.isfinite().all(dim=1)
    if not bool(finite.all()):
        row = int(finite.logical_not().nonzero()[0])
        raise ValueError(
            f"Expected finite points in the {name} (got NaN or infinity in set "
            f"{int(layout.batch[row])}, row {row})"
        )


def _sizes(batch: Batch, num_points: int, name: str, looked_at: bool) -> Tensor:
    """The sizes that ``ptr`` stands for, [B], on the CPU."""
    ptr = getattr(batch, "ptr", None)
    if not isinstance(ptr, Tensor) or ptr.dim() != 1 or ptr.numel() == 0:
        raise ValueError(f"Expected the {name} to be a Batch with a vector 'ptr' (got {ptr})")
    slices = None if looked_at else slices_of(batch)
    ends = (ptr if slices is None else slices).cpu()
    sizes = ends.diff()
    if int(ends[0]) != 0 or int(ends[-1]) != num_points or bool((sizes < 0).any()):
        raise ValueError(
            f"Expected 'ptr' of the {name} to ascend from 0 to its {num_points} points "
            f"(got {_shown(ends)})"
        )
    if bool((sizes == 0).any()):
        empty = int((sizes == 0).nonzero()[0])
        raise ValueError(
            f"Expected sets of at least one point in the {name} (got 0 in set {empty})"
        )
    return sizes


def _shown(values: Tensor) -> str:
    start = ", ".join(str(value) for value in values[:5].tolist())
    return f"[{start}]" if values.numel() <= 5 else f"[{start}, ..., {int(values[-1])}]"
