"""Where the nodes of a ragged batch lie: computed once, shared by every layer of a model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.utils import cumsum

from pyg_topn.utils.ragged import batch_vector, num_pairs, pair_index


def slices_of(batch: Batch) -> Tensor | None:
    """Where graphs begin and the last one ends, [B + 1], on the CPU whatever device a batch lies
    on, if it knows that."""
    slices = getattr(batch, "_slice_dict", {})
    found: Tensor | None = slices.get("x", slices.get("pos"))
    return found


@dataclass(frozen=True, eq=False)
class Layout:
    r"""The layout of a ragged batch: which rows belong to which graph.

    Every index is computed at most once and from the sizes alone. With sizes on the CPU nothing
    here waits for an accelerator.

    Args:
        num_nodes: The number of nodes of every graph, :math:`[B]`, on the CPU.
        device: Where the indices are needed.

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> layout.pad(torch.ones(5, 4)).shape
        torch.Size([2, 3, 4])
        >>> layout.pair_index
        tensor([[0, 2, 2, 3],
                [1, 3, 4, 4]])
    """

    num_nodes: Tensor
    device: torch.device

    @classmethod
    def from_batch(cls, batch: Batch) -> Layout:
        r"""Read the layout of a batch; its sizes come to the CPU if they are not there.

        Example:
            >>> from pyg_topn.utils.ragged import build_batch
            >>> Layout.from_batch(build_batch(torch.tensor([2, 1]), {"x": torch.ones(3, 1)})).ptr
            tensor([0, 2, 3])
        """
        ptr: Tensor | None = getattr(batch, "ptr", None)
        if ptr is None:
            raise ValueError("Expected a Batch with 'ptr' and 'batch' (got one without)")
        slices = slices_of(batch)
        sizes = (ptr if slices is None else slices).diff().cpu()
        return cls(sizes, ptr.device)

    def to(self, device: torch.device) -> Layout:
        """Return the same layout with its indices on another device."""
        return Layout(self.num_nodes, device)

    @property
    def is_restricted(self) -> bool:
        """Whether some pairs may be left out, as in a :class:`SparseLayout`."""
        return False

    @property
    def sample_weight(self) -> Tensor | None:
        """How many pairs that are left out a pair drawn at random stands for, if any was drawn."""
        return None

    @property
    def num_graphs(self) -> int:
        """The number of graphs, B."""
        return self.num_nodes.numel()

    @cached_property
    def max_num_nodes(self) -> int:
        """The size of the largest graph; 0 for an empty batch."""
        return int(self.num_nodes.max()) if self.num_graphs else 0

    def check_max_num_nodes(self, limit: int) -> None:
        r"""Check that no graph is larger than a layer can take.

        Args:
            limit: The largest size allowed.

        Raises:
            ValueError: If a graph is larger.
        """
        if self.max_num_nodes > limit:
            raise ValueError(f"Expected graphs of at most {limit} nodes (got {self.max_num_nodes})")

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all graphs have the same size, so that padding adds nothing."""
        return int(self.num_nodes.sum()) == self.num_graphs * self.max_num_nodes

    @cached_property
    def ptr(self) -> Tensor:
        """The first node of every graph, and one past the last, [B + 1]."""
        return cumsum(self.num_nodes).to(self.device, non_blocking=True)

    @cached_property
    def batch(self) -> Tensor:
        """The graph of every node, [N]."""
        return batch_vector(self.num_nodes, self.device)

    @cached_property
    def local_index(self) -> Tensor:
        """The number of every node within its graph, [N]."""
        return torch.arange(self.batch.numel(), device=self.device) - self.ptr[self.batch]

    @cached_property
    def mask(self) -> Tensor:
        """Whether a padded slot holds a node, [B, n_max]."""
        slots = torch.arange(self.max_num_nodes)
        mask = slots[None] < self.num_nodes[:, None]  # [B, n_max]
        return mask.to(self.device, non_blocking=True)

    @cached_property
    def pair_index(self) -> Tensor:
        """All unordered pairs i < j within graphs, [2, P], ordered by graph."""
        return pair_index(self.num_nodes).to(self.device, non_blocking=True)

    @cached_property
    def pair_ptr(self) -> Tensor:
        """The first pair of every graph, and one past the last, [B + 1]."""
        return cumsum(num_pairs(self.num_nodes)).to(self.device, non_blocking=True)

    @cached_property
    def pair_batch(self) -> Tensor:
        """The graph of every pair, [P]."""
        return batch_vector(num_pairs(self.num_nodes), self.device)

    @cached_property
    def degree(self) -> Tensor:
        """The number of pairs that every node is part of, [N]."""
        return self.ptr.diff()[self.batch] - 1

    @property
    def num_partners(self) -> Tensor:
        """The number of pairs from which every node hears in message passing, [N]."""
        return self.degree

    @cached_property
    def incidence(self) -> tuple[Tensor, Tensor]:
        """The matrix of which node is in which pair, [N, P], and its transpose, sparse CSR."""
        pairs = self.pair_index
        num_pairs = pairs.size(1)
        ones = torch.ones(2 * num_pairs, device=self.device)
        by_node = pairs.flatten().argsort(stable=True) % max(num_pairs, 1)
        starts = torch.arange(0, 2 * num_pairs + 1, 2, device=self.device)
        size = (self.batch.numel(), num_pairs)
        sparse = partial(torch.sparse_csr_tensor, values=ones, check_invariants=False)
        with warnings.catch_warnings():  # PyTorch calls the layout itself "beta", once a process.
            warnings.simplefilter("ignore")
            nodes = sparse(cumsum(self.degree), by_node, size=size)
            return nodes, sparse(starts, pairs.t().flatten(), size=size[::-1])

    def pair_id(self, i: Tensor, j: Tensor) -> Tensor:
        r"""Return the place of the unordered pairs {i, j} among all pairs.

        Args:
            i: Nodes numbered through the batch, :math:`[E]`.
            j: Other nodes of the same graphs, :math:`[E]`.

        Example:
            >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
            >>> layout.pair_id(torch.tensor([4, 0]), torch.tensor([2, 1]))
            tensor([2, 0])
        """
        graph = self.batch[i]
        low = torch.minimum(i, j) - self.ptr[graph]
        high = torch.maximum(i, j) - self.ptr[graph]
        size = self.ptr.diff()[graph]
        # Row i of the upper triangle starts after the i rows of n-1, n-2, ... entries above it.
        return self.pair_ptr[graph] + low * size - low * (low + 1) // 2 + high - low - 1

    @cached_property
    def dense_index(self) -> Tensor:
        """The slot of every node in the padded batch laid flat, [N]."""
        return self.batch * self.max_num_nodes + self.local_index

    def pad(self, x: Tensor) -> Tensor:
        r"""Lay rows of nodes :math:`[N, *]` into zero-padded :math:`[B, n_{max}, *]`."""
        shape = (self.num_graphs, self.max_num_nodes, *x.shape[1:])
        if self.is_uniform:
            return x.reshape(shape)
        flat = x.new_zeros(self.num_graphs * self.max_num_nodes, *x.shape[1:])
        return flat.index_copy(0, self.dense_index, x).view(shape)

    def unpad(self, x: Tensor) -> Tensor:
        r"""Take the rows of nodes :math:`[N, *]` out of padded :math:`[B, n_{max}, *]`."""
        flat = x.reshape(-1, *x.shape[2:])
        return flat if self.is_uniform else flat.index_select(0, self.dense_index)
