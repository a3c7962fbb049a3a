"""All pairs of points of two sets, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch_geometric.utils import cumsum

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import batch_vector

_ROWS = 32  # points of one set that go together; the last block of a set may hold fewer


def blocks(
    layout: Layout, target: Layout, num_pairs: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Some blocks of points of one set each, [b, r], the points of the set of the same number in
    the target, [b, w], and how many these are, [b]; on the CPU.

    Padding repeats the last point. Blocks with the largest sets of the target come first, and as
    many go together as make about :obj:`num_pairs` pairs when padded. So the memory does not depend
    on the sizes, and neither a large set on one side nor one on the other makes all sets as wide as
    it is: as widths descend, chunks that are mostly padding are at most as many as the largest set
    can be halved.
    """
    sizes = layout.num_nodes
    num_blocks = (sizes + _ROWS - 1) // _ROWS
    graph = batch_vector(num_blocks)  # of every block
    offset = _ROWS * (torch.arange(graph.numel()) - cumsum(num_blocks)[graph])
    order = target.num_nodes[graph].argsort(descending=True, stable=True)
    graph, offset = graph[order], offset[order]
    first, length = cumsum(sizes)[graph] + offset, (sizes[graph] - offset).clamp(max=_ROWS)
    start, width = cumsum(target.num_nodes)[graph], target.num_nodes[graph]
    longest = length.flip(0).cummax(0).values.flip(0)  # of a block and all after it
    begin = 0
    while begin < order.numel():
        end = begin + max(num_pairs // int(longest[begin] * width[begin]), 1)
        now = slice(begin, end)
        yield _runs(first[now], length[now]), _runs(start[now], width[now]), width[now]
        begin = end


def _runs(first: Tensor, length: Tensor) -> Tensor:
    """Runs of numbers side by side; the last number of shorter ones is repeated."""
    steps = torch.arange(int(length.max()))
    return first.unsqueeze(1) + torch.minimum(steps, length.unsqueeze(1) - 1)
