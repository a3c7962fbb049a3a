"""Which pairs of nodes are considered, where not all are."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.sparse_layout import SparseLayout


def random_pairs(
    layout: Layout, num_per_node: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    r"""Draw pairs of nodes within graphs, with replacement, all as likely as each other: every node
    of a graph of :math:`n` nodes with :math:`m` others.

    Args:
        layout: Which nodes belong to which graph.
        num_per_node: How many for every node, :math:`m`.
        generator: Where to draw from.

    Returns:
        The pairs, :math:`[2, M]`, in either direction, and the number of pairs that each stands
        for, :math:`(n - 1) / (2 m)`, :math:`[M]`: the sum over the drawn pairs of anything times
        that number is an unbiased estimate of its sum over all pairs.

    Raises:
        ValueError: If :obj:`num_per_node` is negative.

    Example:
        >>> pairs, share = random_pairs(Layout(torch.tensor([3]), torch.device("cpu")), 2)
        >>> pairs.shape, share
        (torch.Size([2, 6]), tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000]))
    """
    if num_per_node < 0:
        raise ValueError(f"Expected 'num_per_node' to be at least 0 (got {num_per_node})")
    node = torch.arange(layout.batch.numel(), device=layout.device)
    node = node.repeat_interleave(num_per_node)
    others = layout.ptr.diff()[layout.batch[node]] - 1  # n - 1
    where = layout.device if generator is None else generator.device
    uniform = torch.rand(node.numel(), generator=generator, device=where).to(layout.device)
    # A number below 1 times another may still be rounded to the latter.
    other = torch.minimum((uniform * others).long(), others - 1)
    other = other + (other >= layout.local_index[node])
    pairs = torch.stack([node, other + layout.ptr[layout.batch[node]]])
    alone = others == 0
    return pairs[:, ~alone], others[~alone] / (2 * max(num_per_node, 1))


def candidate_layout(
    layout: Layout, pairs: Tensor, drawn: Tensor | None = None, share: Tensor | None = None
) -> SparseLayout:
    r"""Return the layout restricted to candidates, and to pairs drawn at random to estimate a loss
    over all that are left out.

    Args:
        layout: Which nodes belong to which graph.
        pairs: The candidates, :math:`[2, C]`, in any direction and order, some more than once.
        drawn: Pairs drawn at random, :math:`[2, M]`, alike. Those that are candidates are dropped.
        share: The number of pairs that each of these stands for, :math:`[M]`.

    Raises:
        ValueError: If the pairs are not of shape :math:`[2, C]`, or those on the CPU are not pairs
            of different nodes of the same graphs.

    Example:
        >>> layout = Layout(torch.tensor([3]), torch.device("cpu"))
        >>> drawn, share = torch.tensor([[0, 1, 2], [2, 0, 0]]), torch.tensor([0.5, 0.5, 0.5])
        >>> sparse = candidate_layout(layout, torch.tensor([[0, 1], [1, 0]]), drawn, share)
        >>> sparse.pair_index, sparse.sample_weight
        (tensor([[0, 0],
                [1, 2]]), tensor([0., 1.]))
    """
    candidate = _codes(layout, pairs).unique()  # sorted
    if drawn is None or share is None:
        return _of_codes(layout, candidate, None)
    other, place = _codes(layout, drawn).unique(return_inverse=True)
    weight = share.new_zeros(other.numel()).index_add_(0, place, share)
    new = ~torch.isin(other, candidate)
    code, order = torch.cat([candidate, other[new]]).sort()
    weight = torch.cat([share.new_zeros(candidate.numel()), weight[new]])[order]
    return _of_codes(layout, code, weight)


def _codes(layout: Layout, pairs: Tensor) -> Tensor:
    """One number for every unordered pair, ascending in its lower node, then in the other."""
    if pairs.dim() != 2 or pairs.size(0) != 2 or pairs.dtype != torch.int64:
        raise ValueError(
            "Expected 'pairs' of shape [2, C] and dtype torch.int64 "
            f"(got shape {list(pairs.shape)} and dtype {pairs.dtype})"
        )
    num_nodes = layout.batch.numel()
    if pairs.is_cpu and bool(((pairs < 0) | (pairs >= num_nodes)).any()):
        raise ValueError(f"Expected pairs of {num_nodes} nodes (got other numbers)")
    return pairs.amin(dim=0) * num_nodes + pairs.amax(dim=0)


def _of_codes(layout: Layout, code: Tensor, weight: Tensor | None) -> SparseLayout:
    num_nodes = max(layout.batch.numel(), 1)
    pairs = torch.stack([code // num_nodes, code % num_nodes])
    return SparseLayout(layout.num_nodes, layout.device, pairs, weight)
