"""Point sets out of a PyG batch, checked; and what is made of one value a set."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.utils._points import points_of
from pyg_topn.utils.layout import Layout

REDUCTIONS = ("mean", "sum", "none")


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Check that an argument is one of a few values."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"Expected '{name}' to be one of {names} (got {value!r})")


def check_positive(name: str, value: float) -> None:
    """Check that a number is above 0, and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(f"Expected '{name}' to be positive and finite (got {value})")


def reduced(values: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of one value a set, [B], or the values; the mean of none is 0."""
    if reduction == "none":
        return values
    return values.sum() / (max(values.numel(), 1) if reduction == "mean" else 1)


def read_points(batch: Batch, name: str) -> tuple[Tensor, Layout]:
    """The points of a batch, [N, C] (``pos``, or ``x`` where there is none), and its layout."""
    points = points_of(batch)
    if not isinstance(points, Tensor):
        raise ValueError(f"Expected the {name} to hold points as 'pos' or 'x' (got neither)")
    if points.dim() != 2 or not points.is_floating_point():
        raise ValueError(
            f"Expected the points of the {name} to be floating-point numbers of shape [N, C] "
            f"(got {points.dtype} of shape {list(points.shape)})"
        )
    layout = Layout(_sizes(batch, points.size(0), name), points.device)
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
    return points, layout


def _sizes(batch: Batch, num_points: int, name: str) -> Tensor:
    """The sizes that ``ptr`` stands for, [B], on the CPU."""
    ptr = getattr(batch, "ptr", None)
    if not isinstance(ptr, Tensor) or ptr.dim() != 1 or ptr.numel() == 0:
        raise ValueError(f"Expected the {name} to be a Batch with a vector 'ptr' (got {ptr})")
    ends = ptr.cpu()
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
