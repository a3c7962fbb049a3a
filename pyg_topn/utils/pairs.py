"""Between nodes and unordered pairs: the sums that a decoder of edges is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyg_topn.utils.layout import Layout


def pair_sum(x: Tensor, layout: Layout) -> Tensor:
    r"""Return :math:`\mathbf{x}_i + \mathbf{x}_j` of every unordered pair.

    Args:
        x: The nodes, :math:`[N, C]`.
        layout: The batch that they belong to.

    Returns:
        The pairs, :math:`[P, C]`, symmetric in :math:`i` and :math:`j` by construction.

    Example:
        >>> layout = Layout(torch.tensor([3]), torch.device("cpu"))
        >>> pair_sum(torch.tensor([[1.0], [2.0], [4.0]]), layout).flatten()
        tensor([3., 5., 6.])
    """
    return torch.as_tensor(_PairSum.apply(x, layout))


def node_sum(e: Tensor, layout: Layout) -> Tensor:
    r"""Return the sum over all pairs that a node is part of.

    Args:
        e: The pairs, :math:`[P, C]`.
        layout: The batch that they belong to.

    Returns:
        The nodes, :math:`[N, C]`.

    Example:
        >>> layout = Layout(torch.tensor([3]), torch.device("cpu"))
        >>> node_sum(torch.tensor([[1.0], [2.0], [4.0]]), layout).flatten()
        tensor([3., 5., 6.])
    """
    return torch.as_tensor(_NodeSum.apply(e, layout))


def message_sum(e: Tensor, layout: Layout) -> Tensor:
    r"""Return the sum over the pairs that a node hears from: all but those that were drawn at
    random to estimate a loss, or filled in (:attr:`Layout.sample_weight`).

    Args:
        e: The pairs, :math:`[P, C]`.
        layout: The batch that they belong to.

    Returns:
        The nodes, :math:`[N, C]`.

    Example:
        >>> layout = Layout(torch.tensor([3]), torch.device("cpu"))
        >>> message_sum(torch.tensor([[1.0], [2.0], [4.0]]), layout).flatten()
        tensor([3., 5., 6.])
    """
    weight = layout.sample_weight
    return node_sum(e if weight is None else e * (weight == 0).unsqueeze(1), layout)


def add_pair_sum_(e: Tensor, x: Tensor, layout: Layout) -> Tensor:
    r"""Add :math:`\mathbf{x}_i + \mathbf{x}_j` to every unordered pair, in place.

    Args:
        e: The pairs, :math:`[P, C]`, whose values nothing else needs any more.
        x: The nodes, :math:`[N, C]`.
        layout: The batch that they belong to.

    Returns:
        The pairs that were given.

    Example:
        >>> layout = Layout(torch.tensor([3]), torch.device("cpu"))
        >>> add_pair_sum_(torch.ones(3, 1), torch.tensor([[1.0], [2.0], [4.0]]), layout).flatten()
        tensor([4., 6., 7.])
    """
    return torch.as_tensor(_AddPairSum.apply(e, x, layout))


# The two sums are adjoint to each other. On the CPU, a product with the sparse incidence matrix is
# two to five times as fast as gathers and scatters, forwards and backwards; the matrix is made
# once a batch. Other devices take the gathers, and so do other types than float32, but for sums of
# bfloat16 to nodes.


def _as_product(value: Tensor, layout: Layout) -> bool:
    return value.is_cpu and value.dtype == torch.float32 and layout.pair_index.size(1) > 0


def _product(matrix: Tensor, value: Tensor, total: Tensor | None = None) -> Tensor:
    """A sparse matrix times a dense one, added to a total in place if there is one."""
    # Autocast would ask for bfloat16, for which there is no sparse product.
    with torch.autocast("cpu", enabled=False):
        return matrix @ value if total is None else total.addmm_(matrix, value)


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layout: Layout) -> Tensor:
        ctx.layout = layout
        if _as_product(x, layout):
            return _product(layout.incidence[1], x)
        i, j = layout.pair_index
        return x.index_select(0, i) + x.index_select(0, j)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return node_sum(grads[0].contiguous(), ctx.layout), None


class _AddPairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, e: Tensor, x: Tensor, layout: Layout) -> Tensor:
        ctx.layout = layout
        ctx.mark_dirty(e)
        if _as_product(x, layout) and e.dtype == x.dtype and e.is_contiguous():
            return _product(layout.incidence[1], x, e)
        i, j = layout.pair_index
        return e.add_(x.index_select(0, i)).add_(x.index_select(0, j))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        return grads[0], node_sum(grads[0].contiguous(), ctx.layout), None


class _NodeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, e: Tensor, layout: Layout) -> Tensor:
        ctx.layout, dtype = layout, e.dtype
        if e.is_cpu and dtype == torch.bfloat16:
            e = e.float()  # To be added up in single precision, by a product.
        if _as_product(e, layout):
            return _product(layout.incidence[0], e).to(dtype)
        i, j = layout.pair_index
        x = e.new_zeros(layout.batch.numel(), e.size(1))
        return x.index_add_(0, i, e).index_add_(0, j, e).to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return pair_sum(grads[0].contiguous(), ctx.layout), None
