"""The layout of a ragged batch in which only some pairs of nodes are considered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pyg_topn.utils.layout import Layout


@dataclass(frozen=True, eq=False)
class SparseLayout(Layout):
    r"""The layout of a ragged batch that is restricted to given unordered pairs, so that what is
    computed of pairs costs as much as there are pairs, not :math:`\sum_g n_g (n_g - 1) / 2`.

    Whatever takes a :class:`Layout` takes this one: only the pairs differ.

    Args:
        num_nodes: The number of nodes of every graph, :math:`[B]`, on the CPU.
        device: Where the indices are needed.
        pairs: The pairs :math:`i < j`, :math:`[2, P]`, each once and sorted by :math:`i`, then by
            :math:`j`, with nodes numbered through the batch.
        weight: How many pairs that are left out each pair stands for if it was drawn at random, to
            estimate a loss over all of them, :math:`[P]`; 0 for the pairs that are there for their
            own sake. Pairs drawn at random send no messages to nodes.

    Raises:
        ValueError: If the pairs or their weights are not as described. Values are looked at only
            on the CPU: elsewhere the look would wait for the device.

    Example:
        >>> pairs = torch.tensor([[0, 2, 3], [1, 4, 4]])
        >>> layout = SparseLayout(torch.tensor([2, 3]), torch.device("cpu"), pairs)
        >>> layout.pair_ptr, layout.degree
        (tensor([0, 1, 3]), tensor([1, 1, 1, 1, 2]))
    """

    pairs: Tensor
    weight: Tensor | None = None

    def __post_init__(self) -> None:
        pairs, weight = self.pairs, self.weight
        if pairs.dim() != 2 or pairs.size(0) != 2 or pairs.dtype != torch.int64:
            raise ValueError(
                "Expected 'pairs' of shape [2, P] and dtype torch.int64 "
                f"(got shape {list(pairs.shape)} and dtype {pairs.dtype})"
            )
        if weight is not None and weight.shape != pairs.shape[1:]:
            raise ValueError(
                f"Expected 'weight' of shape [{pairs.size(1)}] (got {list(weight.shape)})"
            )
        if pairs.is_cpu and pairs.size(1) > 0:
            self._check(*pairs)

    def _check(self, i: Tensor, j: Tensor) -> None:
        if bool((i < 0).any() or (j >= self.batch.numel()).any() or (i >= j).any()):
            raise ValueError(f"Expected pairs i < j of {self.batch.numel()} nodes (got others)")
        if bool((self.batch[i] != self.batch[j]).any()):
            raise ValueError("Expected pairs within graphs (got pairs of different graphs)")
        if bool((self._codes.diff() <= 0).any()):
            raise ValueError("Expected pairs sorted by i, then by j, each once (got others)")

    def to(self, device: torch.device) -> SparseLayout:
        """Return the same layout with its indices on another device."""
        weight = None if self.weight is None else self.weight.to(device)
        return SparseLayout(self.num_nodes, device, self.pairs.to(device), weight)

    @property
    def is_restricted(self) -> bool:
        """Whether some pairs may be left out: yes."""
        return True

    @property
    def sample_weight(self) -> Tensor | None:
        """How many pairs that are left out a pair drawn at random stands for, [P], or None."""
        return self.weight

    @cached_property
    def pair_index(self) -> Tensor:
        """The pairs that are considered, [2, P], ordered by graph."""
        return self.pairs

    @cached_property
    def pair_ptr(self) -> Tensor:
        """The first pair of every graph, and one past the last, [B + 1]."""
        return torch.searchsorted(self.pairs[0].contiguous(), self.ptr)

    @cached_property
    def pair_batch(self) -> Tensor:
        """The graph of every pair, [P]."""
        return self.batch[self.pairs[0]]

    @cached_property
    def degree(self) -> Tensor:
        """The number of pairs that every node is part of, [N]."""
        return self._count(torch.ones_like(self.pairs[0]))

    @cached_property
    def num_partners(self) -> Tensor:
        """The number of pairs from which every node hears in message passing, [N]."""
        return self.degree if self.weight is None else self._count((self.weight == 0).long())

    def pair_id(self, i: Tensor, j: Tensor) -> Tensor:
        r"""Return the place of the unordered pairs {i, j} among the pairs; -1 for those left out.

        Args:
            i: Nodes numbered through the batch, :math:`[E]`.
            j: Other nodes of the same graphs, :math:`[E]`.

        Example:
            >>> pairs = torch.tensor([[0, 2, 3], [1, 4, 4]])
            >>> layout = SparseLayout(torch.tensor([2, 3]), torch.device("cpu"), pairs)
            >>> layout.pair_id(torch.tensor([4, 3]), torch.tensor([3, 2]))
            tensor([ 2, -1])
        """
        code = torch.minimum(i, j) * self.batch.numel() + torch.maximum(i, j)
        if self._codes.numel() == 0:
            return torch.full_like(code, -1)
        place = torch.searchsorted(self._codes, code).clamp(max=self._codes.numel() - 1)
        return place.where(self._codes[place] == code, -1)

    @cached_property
    def _codes(self) -> Tensor:
        """One number a pair, ascending, [P]."""
        return self.pairs[0] * self.batch.numel() + self.pairs[1]

    def _count(self, one: Tensor) -> Tensor:
        count = torch.zeros_like(self.batch)
        return count.index_add_(0, self.pairs[0], one).index_add_(0, self.pairs[1], one)
