"""The nearest neighbour of every point in another set, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.utils import cumsum

from pyg_topn.losses.set._cost import pairwise_cost
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import batch_vector

_ROWS = 32  # points of one set that go together; the last block of a set may hold fewer
_PAIRS = 2**20  # pairs at a time: 4 MB of single precision, which stays in a processor's cache


@torch.no_grad()
def nearest(x: Tensor, layout: Layout, y: Tensor, target: Layout, distance: str) -> Tensor:
    """The row of y that is nearest to every row of x among those of the same set, [N].

    Points of x are taken in blocks, those with the largest sets of y first, and a chunk is as many
    blocks as make about :data:`_PAIRS` pairs when padded. So the memory does not depend on the
    sizes, and neither a large set on one side nor one on the other makes all sets as wide as it is:
    as widths descend, chunks that are mostly padding are at most as many as the largest set can be
    halved.
    """
    found = torch.empty(x.size(0), dtype=torch.int64, device=x.device)
    for chunk in _chunks(layout, target):
        at = chunk.rows(x.device)  # [b, r]
        candidates = chunk.columns(x.device)  # [b, w]
        cost = pairwise_cost(x[at], y[candidates], distance)  # [b, r, w]
        found[at] = candidates.gather(1, cost.argmin(dim=2))
    return found


@dataclass(frozen=True)
class _Blocks:
    """Runs of points of one set each, and the points of the other set that they may go with."""

    first: Tensor  # [b]
    length: Tensor  # [b]
    target_first: Tensor  # [b]
    width: Tensor  # [b]

    def __getitem__(self, chosen: Tensor) -> _Blocks:
        fields = (self.first, self.length, self.target_first, self.width)
        return _Blocks(*(field[chosen] for field in fields))

    # Padding repeats the last row, so that there is nothing to mask: it finds what that row finds,
    # and is found where that row is.
    def rows(self, device: torch.device) -> Tensor:
        """The points of every block, [b, r]."""
        return _runs(self.first, self.length).to(device, non_blocking=True)

    def columns(self, device: torch.device) -> Tensor:
        """The points that those of every block may go with, [b, w]."""
        return _runs(self.target_first, self.width).to(device, non_blocking=True)


def _runs(first: Tensor, length: Tensor) -> Tensor:
    steps = torch.arange(int(length.max()))
    return first.unsqueeze(1) + torch.minimum(steps, length.unsqueeze(1) - 1)


def _chunks(layout: Layout, target: Layout) -> Iterator[_Blocks]:
    sizes = layout.num_nodes
    num_blocks = (sizes + _ROWS - 1) // _ROWS
    graph = batch_vector(num_blocks)  # of every block
    offset = _ROWS * (torch.arange(graph.numel()) - cumsum(num_blocks)[graph])
    blocks = _Blocks(
        cumsum(sizes)[graph] + offset,
        (sizes[graph] - offset).clamp(max=_ROWS),
        cumsum(target.num_nodes)[graph],
        target.num_nodes[graph],
    )
    order = blocks.width.argsort(descending=True, stable=True)
    rows, start = min(_ROWS, layout.max_num_nodes), 0
    while start < order.numel():
        width = int(blocks.width[order[start]])
        stop = start + max(_PAIRS // (rows * width), 1)
        yield blocks[order[start:stop]]
        start = stop
