"""Where a node and its neighbours stand in a canonical order."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_topn.utils.layout import Layout

# Wider rows than this are mostly zeros: what they are multiplied with is looked up instead, which
# is faster then, and linear in the edges.
_MAX_DENSE = 512


class CanonicalEmbedding(nn.Module):
    r"""An embedding of the position of every node in the canonical order of its graph, and of the
    positions of its neighbours: its row of the adjacency matrix in canonical order.

    Both are invariant to the order in which the nodes are given, since the canonical order is.

    Args:
        edge_channels: The number of edge features.
        out_channels: The size of the embedding.
        max_num_nodes: The largest graph.

    Shapes:
        - **input:** a batch with :obj:`canonical_index`, :obj:`edge_index` and :obj:`edge_attr`
        - **output:** :math:`[N, D]`

    Example:
        >>> from pyg_topn.utils import build_batch
        >>> nodes = {"x": torch.ones(2, 1), "canonical_index": torch.tensor([1, 0])}
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> batch = build_batch(
        ...     torch.tensor([2]), nodes, edge_index, {"edge_attr": torch.ones(2, 3)}
        ... )
        >>> CanonicalEmbedding(3, 16, max_num_nodes=9)(batch).shape
        torch.Size([2, 16])
    """

    def __init__(self, edge_channels: int, out_channels: int, max_num_nodes: int) -> None:
        super().__init__()
        self.edge_channels, self.max_num_nodes = edge_channels, max_num_nodes
        self.position = nn.Embedding(max_num_nodes, out_channels)
        self.adjacency_lin = nn.Linear(max_num_nodes * edge_channels, out_channels, bias=False)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.position.reset_parameters()
        self.adjacency_lin.reset_parameters()

    def forward(self, batch: Batch) -> Tensor:
        r"""Embed the nodes of every graph.

        Args:
            batch: The graphs.

        Raises:
            ValueError: If a graph is larger than the embedding.
        """
        layout = Layout.from_batch(batch)
        layout.check_max_num_nodes(self.max_num_nodes)
        index = batch.canonical_index
        # Zeros, not what the memory held, where an order that cannot be checked misses a node.
        position = torch.zeros_like(index).index_copy(0, index, layout.local_index)
        source, destination = batch.edge_index
        if self.adjacency_lin.in_features > _MAX_DENSE:
            return torch.as_tensor(self.position(position) + self._sparse(batch, position))
        cell = destination * self.max_num_nodes + position[source]
        cells = batch.edge_attr.new_zeros(index.numel() * self.max_num_nodes, self.edge_channels)
        rows = cells.index_copy(0, cell, batch.edge_attr).view(index.numel(), -1)  # [N, n_max * D]
        return torch.as_tensor(self.position(position) + self.adjacency_lin(rows))

    def _sparse(self, batch: Batch, position: Tensor) -> Tensor:
        """The same product as of dense rows, edge by edge, [N, D]."""
        source, destination = batch.edge_index
        kinds = torch.arange(self.edge_channels, device=source.device)
        column = position[source].unsqueeze(1) * self.edge_channels + kinds  # [E, T]
        # index_select, since the gradient of x[index] on the CPU takes several times as long.
        weight = self.adjacency_lin.weight.t().index_select(0, column.flatten())
        message = (batch.edge_attr.unsqueeze(2) * weight.view(*column.shape, -1)).sum(dim=1)
        return scatter(message, destination, dim_size=position.numel())
