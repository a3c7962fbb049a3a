"""Readout position by position along a canonical order."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.utils.canonical import batch_canonical_index
from pyg_topn.utils.layout import Layout


class CanonicalReadout(nn.Module):
    r"""Readout position by position: nodes are laid along the canonical order of their graph and
    read by one linear layer with weights of its own for every position.

    It keeps the encoder permutation invariant (condition 2 of lemma 1 in the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_), since the canonical order is, and unlike
    pooling it keeps which node stands where.

    Args:
        in_channels: The size of a node representation.
        out_channels: The size of a graph representation.
        max_num_nodes: The largest graph.

    Shapes:
        - **input:** :math:`[N, C]` nodes and their batch with :obj:`canonical_index`
        - **output:** :math:`[B, D]` graphs

    Example:
        >>> from pyg_topn.utils import build_batch
        >>> nodes = {"x": torch.randn(5, 8), "canonical_index": torch.tensor([1, 0, 2, 4, 3])}
        >>> batch = build_batch(torch.tensor([2, 3]), nodes)
        >>> CanonicalReadout(8, 16, max_num_nodes=9)(batch.x, batch).shape
        torch.Size([2, 16])
    """

    def __init__(self, in_channels: int, out_channels: int, max_num_nodes: int) -> None:
        super().__init__()
        self.max_num_nodes = max_num_nodes
        self.norm = nn.LayerNorm(in_channels)
        self.lin = nn.Linear(max_num_nodes * in_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.norm.reset_parameters()
        self.lin.reset_parameters()

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        r"""Read the nodes of every graph.

        Args:
            x: The node representations, :math:`[N, C]`.
            batch: The batch that they belong to.

        Raises:
            ValueError: If a graph is larger than the readout.
        """
        layout = Layout.from_batch(batch)
        layout.check_max_num_nodes(self.max_num_nodes)
        in_order = self.norm(x)[batch_canonical_index(batch)]  # [N, C], canonical order
        rows = layout.batch * self.max_num_nodes + layout.local_index
        dense = in_order.new_zeros(layout.num_graphs * self.max_num_nodes, x.size(1))
        dense = dense.index_copy(0, rows, in_order)
        return torch.as_tensor(
            self.lin(dense.view(layout.num_graphs, -1))
        )  # [B, n_max * C] -> [B, D]
