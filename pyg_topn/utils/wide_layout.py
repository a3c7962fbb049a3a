"""The layout of a ragged batch whose graphs are filled up to one size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import num_pairs


@dataclass(frozen=True, eq=False)
class WideLayout(Layout):
    r"""The layout of a batch whose graphs are all filled up with nodes to the size of its largest
    one, so that there are as many rows of nodes and pairs in every batch, whatever its sizes are.

    Filled nodes are no partners, and the pairs that they are part of send no messages, so what is
    computed of the graphs' own nodes and pairs is what it would be without them. Some kernels are
    made for one number of rows: those that multiply ``bfloat16`` on a CPU are compiled anew for
    every other, which takes longer than the product.

    Args:
        num_nodes: The size to which every graph is filled up, :math:`[B]`.
        device: Where the indices are needed.
        ragged: The layout of the graphs as they are.

    Example:
        >>> wide = WideLayout.around(Layout(torch.tensor([3, 2]), torch.device("cpu")))
        >>> wide.num_nodes, wide.own_pairs, wide.num_partners
        (tensor([3, 3]), tensor([0, 1, 2, 3]), tensor([2, 2, 2, 1, 1, 1]))
    """

    ragged: Layout

    @classmethod
    def around(cls, ragged: Layout) -> WideLayout:
        """Fill up the graphs of a layout."""
        size = torch.full_like(ragged.num_nodes, ragged.max_num_nodes)
        return cls(size, ragged.device, ragged)

    @staticmethod
    def overhead(layout: Layout) -> float:
        """Return by how much filling up would increase the number of pairs: 0.25 for a quarter."""
        filled = torch.full_like(layout.num_nodes, layout.max_num_nodes)
        own, wide = (int(num_pairs(sizes).sum()) for sizes in (layout.num_nodes, filled))
        return wide / own - 1 if own else 0.0

    def to(self, device: torch.device) -> WideLayout:
        """Return the same layout with its indices on another device."""
        return WideLayout(self.num_nodes, device, self.ragged.to(device))

    @property
    def own_nodes(self) -> Tensor:
        """The nodes of the graphs as they are, [N]."""
        return self.ragged.dense_index

    @cached_property
    def own_pairs(self) -> Tensor:
        """The pairs of the graphs as they are, in their order, [P]."""
        i, j = self.own_nodes[self.ragged.pair_index]
        return self.pair_id(i, j)

    @cached_property
    def sample_weight(self) -> Tensor:
        """1 for pairs that are filled in, which send no messages, and 0 for the others, [P]."""
        is_filled = ~self.ragged.mask.flatten()
        return is_filled[self.pair_index[1]].to(torch.get_default_dtype())  # Filled ones are last.

    @cached_property
    def num_partners(self) -> Tensor:
        """The number of pairs from which every node hears in message passing."""
        return (self.ragged.ptr.diff() - 1)[self.batch]
