"""The nearest neighbours of every point among those of its set, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.utils._blocks import blocks
from pyg_topn.utils.layout import Layout

_PAIRS = 2**18  # pairs at a time
_NOBODY = 2**63 - 1


@torch.no_grad()
def nearest_pairs(points: Tensor, layout: Layout, k: int) -> Tensor:
    r"""Return the unordered pairs of points of which one is among the :math:`k` nearest neighbours
    of the other.

    Distances are Euclidean, in single precision. Of equally near points those of lower numbers are
    taken, so the pairs of a set do not depend on the rest of the batch. All distances are looked
    at, but a bounded number at a time: the memory is that of the result.

    Args:
        points: The points, :math:`[N, D]`.
        layout: Which points belong to which set.
        k: How many neighbours of every point; sets of at most :math:`k + 1` points give all pairs.

    Returns:
        The pairs :math:`i < j`, :math:`[2, P]` with :math:`P \le N k`, sorted by :math:`i`, then by
        :math:`j`; points are numbered through the batch.

    Raises:
        ValueError: If :obj:`k` is not positive, or the points are not as many as in the layout.

    Example:
        >>> layout = Layout(torch.tensor([3, 2]), torch.device("cpu"))
        >>> nearest_pairs(torch.tensor([[0.0], [5.0], [6.0], [1.0], [2.0]]), layout, k=1)
        tensor([[0, 1, 3],
                [1, 2, 4]])
    """
    num_points = layout.batch.numel()
    if k < 1:
        raise ValueError(f"Expected 'k' to be at least 1 (got {k})")
    if points.dim() != 2 or points.size(0) != num_points:
        raise ValueError(f"Expected points of shape [{num_points}, D] (got {list(points.shape)})")
    points = points.detach().float()
    codes = [torch.empty(0, dtype=torch.int64, device=points.device)]
    for row, column, width in blocks(layout, layout, _PAIRS):
        row, column = row.to(points.device), column.to(points.device)  # [b, r], [b, w]
        near = _nearest(points, row, column, width.to(points.device), k)  # [b, r, k]
        code = torch.minimum(row.unsqueeze(2), near) * num_points
        code = code + torch.maximum(row.unsqueeze(2), near)
        codes.append(code[near >= 0])
    code = torch.cat(codes).unique()  # sorted
    return torch.stack([code // max(num_points, 1), code % max(num_points, 1)])


def _nearest(points: Tensor, row: Tensor, column: Tensor, width: Tensor, k: int) -> Tensor:
    """The k nearest columns of every row, -1 where there are fewer, [b, r, k]."""
    # Of differences, not of products: those would cancel.
    mode = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(points[row], points[column], compute_mode=mode)  # [b, r, w]
    place = torch.arange(column.size(1), device=points.device)
    # The bits of a float that is not negative sort as it does. With the number of the column below
    # them no two keys are equal, so that the smallest are always the same ones.
    key = distance.view(torch.int32).long().bitwise_left_shift_(32).bitwise_or_(place)
    key.scatter_(2, (row - column[:, :1]).unsqueeze(2), _NOBODY)
    key.masked_fill_((place >= width.unsqueeze(1)).unsqueeze(1), _NOBODY)  # padding
    key = key.topk(min(k, column.size(1)), dim=2, largest=False, sorted=False).values
    near = column[:, :1].unsqueeze(2) + key.bitwise_and(2**32 - 1)
    return near.masked_fill_(key == _NOBODY, -1)
