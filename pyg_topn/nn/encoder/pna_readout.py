"""Permutation-invariant readout with several aggregations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn.aggr import MultiAggregation

from pyg_topn.utils.layout import Layout


class PNAReadout(nn.Module):
    r"""The global pooling of `Corso et al., 2020 <https://arxiv.org/abs/2004.05718>`_ as used by
    the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.2, D.3): sum, mean, maximum and
    standard deviation of every channel, followed by a linear layer.

    Args:
        in_channels: The size of a node representation.
        out_channels: The size of a graph representation.

    Shapes:
        - **input:** :math:`[N, C]` nodes and their batch
        - **output:** :math:`[B, D]` graphs

    Example:
        >>> from pyg_topn.utils import build_batch
        >>> batch = build_batch(torch.tensor([2, 3]), {"x": torch.randn(5, 8)})
        >>> PNAReadout(8, 16)(batch.x, batch).shape
        torch.Size([2, 16])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.aggregation = MultiAggregation(["sum", "mean", "max", "std"])
        self.norm = nn.LayerNorm(4 * in_channels)
        self.lin = nn.Linear(4 * in_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.aggregation.reset_parameters()
        self.norm.reset_parameters()
        self.lin.reset_parameters()

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        r"""Pool the nodes of every graph.

        Args:
            x: The node representations, :math:`[N, C]`.
            batch: The batch that they belong to.
        """
        layout = Layout.from_batch(batch)
        pooled = self.aggregation(x, layout.batch, dim_size=layout.num_graphs)  # [B, 4C]
        return torch.as_tensor(self.lin(self.norm(pooled)))
