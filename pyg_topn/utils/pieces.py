"""Connected components of a batch of graphs, without a loop over graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pyg_topn.utils.layout import Layout


def connected_pieces(has_edge: Tensor, layout: Layout) -> Tensor:
    r"""Return the connected component of every node, as the number of its first node.

    The reach of every node is squared :math:`\lceil \log_2 n_{\max} \rceil` times, so the number
    of steps is known beforehand and nothing waits for a device. Where only some pairs are
    considered (:class:`~pyg_topn.utils.SparseLayout`), numbers of nodes travel along the edges
    instead, in time linear in these, until nothing changes.

    Args:
        has_edge: Whether the two nodes of an unordered pair are joined, :math:`[P]`.
        layout: Which nodes and pairs belong to which graph.

    Returns:
        The first node of the component of every node, :math:`[N]`, numbered through the batch.

    Example:
        >>> layout = Layout(torch.tensor([3, 2]), torch.device("cpu"))
        >>> connected_pieces(torch.tensor([False, True, False, True]), layout)
        tensor([0, 1, 0, 3, 3])
    """
    size = layout.max_num_nodes
    if size == 0:
        return layout.batch
    if layout.is_restricted:
        return _along_edges(layout.pair_index[:, has_edge], layout.batch.numel())
    i, j = layout.local_index[layout.pair_index]
    first = layout.pair_batch * size * size
    edge = has_edge.to(torch.get_default_dtype())
    reach = torch.eye(size, device=layout.device).repeat(layout.num_graphs, 1, 1).flatten()
    reach = reach.index_copy(0, first + i * size + j, edge)
    reach = reach.index_copy(0, first + j * size + i, edge).view(-1, size, size)  # [B, n, n]
    for _ in range(math.ceil(math.log2(size)) if size > 1 else 0):
        reach = (reach @ reach > 0).to(reach.dtype)
    # argmax gives the first of the largest entries: the first node that is reached.
    return layout.unpad(reach.argmax(dim=-1)) + layout.ptr[layout.batch]


def _along_edges(edges: Tensor, num_nodes: int) -> Tensor:
    """The first node of the component of every node, from edges [2, E]."""
    piece = torch.arange(num_nodes, device=edges.device)
    while True:
        ends = piece[edges]  # [2, E]
        lower = ends.amin(dim=0).expand_as(ends)
        # The name of a piece is one of its nodes: what that node learns, all learn.
        after = piece.scatter_reduce(0, ends.flatten(), lower.flatten(), "amin")
        while not torch.equal(after[after], after):
            after = after[after]
        if torch.equal(after, piece):
            return piece
        piece = after
