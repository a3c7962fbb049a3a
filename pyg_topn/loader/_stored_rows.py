"""Which rows of the tensors of a data set belong to which graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.utils import cumsum


@dataclass(frozen=True, eq=False)
class GatheredRows:
    """The rows of the graphs of a batch. What has an entry a row lies on the device.

    Attributes:
        row: Where the rows lie in the data set. [R]
        graph: The graph in the batch of every row. [R]
        size: The number of rows of every graph, on the CPU. [B]
        ptr: Its cumulative sum, on the CPU. [B + 1]
    """

    row: Tensor
    graph: Tensor
    size: Tensor
    ptr: Tensor

    @classmethod
    def of(cls, start: Tensor, size: Tensor, device: torch.device) -> GatheredRows:
        """Find the rows of graphs by their first rows and numbers of rows, on the CPU. [B]"""
        ptr = cumsum(size)
        # The total is known on the CPU, so no step waits for a device; and only what has an entry
        # a graph is sent there, not what has one a row.
        total = int(ptr[-1])
        graph = torch.repeat_interleave(size.to(device, non_blocking=True), output_size=total)
        shift = (start - ptr[:-1]).to(device, non_blocking=True)
        row = torch.arange(total, device=device).add_(shift.index_select(0, graph))
        return cls(row, graph, size, ptr)
