"""The tensor of one attribute of all graphs, laid out such that rows are gathered fast."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

# A row of so many bytes is copied as one number: on the CPU, index_select is two to three times as
# fast for a vector as for the rows of a matrix, each of which is a call of memcpy.
_NUMBERS = {
    1: torch.uint8,
    2: torch.int16,
    4: torch.int32,
    8: torch.int64,
    16: torch.complex128,
}


class StoredAttribute:
    """The tensor of one attribute of all graphs, laid out such that rows are gathered fast.

    Args:
        data: The collated graphs.
        key: The name of the attribute.
    """

    def __init__(self, data: Data, key: str) -> None:
        value = data[key]
        # Under these names PyG concatenates along the last dimension and counts through the batch.
        self.is_index = data.__cat_dim__(key, value) == -1
        # Rows first: a gather along the last dimension takes twice as long.
        rows = value.movedim(-1, 0) if self.is_index else value  # [2, E] -> [E, 2]
        self.rows = rows.contiguous()
        self.numbers = _as_numbers(self.rows)

    def gather(self, row: Tensor, shift: Tensor | None) -> Tensor:
        """Return some rows, [R], as PyG lays them; of an index, with a shift for every row, if any.

        Without one, as in a batch of one graph, PyG adds nothing: a truth value stays one.
        """
        value = self.numbers.index_select(0, row)
        if self.numbers is not self.rows:
            value = value.view(self.rows.dtype).view(row.numel(), *self.rows.shape[1:])
        if self.is_index:
            value = value.movedim(0, -1)  # [E, 2] -> [2, E]
        if shift is None:
            return value.contiguous()
        # PyG adds a number a graph, which does not widen the type as a vector would.
        dtype = torch.result_type(value, 0)
        out = torch.empty(value.shape, dtype=dtype, device=value.device)  # contiguous
        return torch.add(value, shift, out=out)


def _as_numbers(rows: Tensor) -> Tensor:
    """See rows of a fitting width as single numbers, [R, *] -> [R], of the same memory."""
    width = rows[0].numel() * rows.element_size() if rows.size(0) else 0
    fits = rows.is_cpu and rows.dim() > 1 and rows.storage_offset() == 0
    if not fits or width not in _NUMBERS or rows.data_ptr() % width:
        return rows
    return rows.flatten(1).view(_NUMBERS[width]).squeeze(1)
