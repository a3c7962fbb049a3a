"""The nearest neighbour of every point in another set, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.losses.set._cost import pairwise_cost
from pyg_topn.utils._blocks import blocks
from pyg_topn.utils.layout import Layout

_PAIRS = 2**20  # pairs at a time: 4 MB of single precision, which stays in a processor's cache


@torch.no_grad()
def nearest(x: Tensor, layout: Layout, y: Tensor, target: Layout, distance: str) -> Tensor:
    """The row of y that is nearest to every row of x among those of the same set, [N]."""
    found = torch.empty(x.size(0), dtype=torch.int64, device=x.device)
    # Padding repeats the last row, so that there is nothing to mask: it finds what that row finds,
    # and is found where that row is.
    for rows, columns, _ in blocks(layout, target, _PAIRS):
        at = rows.to(x.device, non_blocking=True)  # [b, r]
        candidates = columns.to(x.device, non_blocking=True)  # [b, w]
        cost = pairwise_cost(x[at], y[candidates], distance)  # [b, r, w]
        found[at] = candidates.gather(1, cost.argmin(dim=2))
    return found
