"""Rounds in which nodes and pairs see each other, and the valency that they add up to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.nn.decoder.graph_distribution import expected_valency
from pyg_topn.utils.few_classes import softmax_of_few, to_few_classes
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pairs import add_pair_sum_, message_sum


class PairRefinement(nn.Module):
    r"""One round of message passing between the nodes of a graph and its unordered pairs.

    Nodes receive the mean of their pairs, the current guess of their own type, and the valency that
    the current guess of the edges adds up to; then pairs receive their two nodes. Without it every
    edge is decided alone: nothing tells a pair that a node has already spent its valency.

    Args:
        channels: The size of a node.
        pair_channels: The size of a pair.
        num_node_types: The number of node types, :math:`A`.
        edge_orders: The order of every edge type, :math:`[T]`.

    Shapes:
        - **input:** :math:`[N, C]` nodes, :math:`[P, D]` pairs and their :class:`Layout`
        - **output:** :math:`[N, C]` nodes, :math:`[P, D]` pairs

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> refine = PairRefinement(8, 16, num_node_types=4, edge_orders=torch.ones(3))
        >>> x, e = refine(torch.randn(5, 8), torch.randn(4, 16), layout)
        >>> x.shape, e.shape
        (torch.Size([5, 8]), torch.Size([4, 16]))
    """

    edge_orders: Tensor

    def __init__(
        self, channels: int, pair_channels: int, num_node_types: int, edge_orders: Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("edge_orders", edge_orders, persistent=False)
        self.node_norm = nn.LayerNorm(channels)
        self.pair_norm = nn.LayerNorm(pair_channels)
        self.node_type_lin = nn.Linear(channels, num_node_types)
        self.pair_type_lin = nn.Linear(pair_channels, 1 + edge_orders.numel())
        self.node_mlp = MLP(
            [channels + pair_channels + num_node_types + 1, 2 * channels, channels], norm=None
        )
        self.to_pair = nn.Linear(channels, 2 * pair_channels)
        self.pair_in = nn.Linear(pair_channels, 2 * pair_channels)
        self.pair_out = nn.Linear(2 * pair_channels, pair_channels)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            module.reset_parameters()  # type: ignore[operator]

    def forward(self, x: Tensor, e: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        r"""Refine nodes and pairs.

        Args:
            x: The nodes, :math:`[N, C]`.
            e: The pairs, :math:`[P, D]`.
            layout: Which nodes belong to which graph.
        """
        normed_e = self.pair_norm(e)
        to_type = self.pair_type_lin
        pair_logits = to_few_classes(normed_e, to_type.weight, to_type.bias)
        valency = expected_valency(pair_logits, self.edge_orders, layout)
        normed_x = self.node_norm(x)
        node_type = softmax_of_few(self.node_type_lin(normed_x))
        # The mean keeps the scale of a message whatever the size of the graph is.
        partners = layout.num_partners.clamp(min=1).unsqueeze(1)
        message = message_sum(normed_e, layout) / partners
        x = x + self.node_mlp(torch.cat([normed_x, message, node_type, valency.unsqueeze(1)], 1))
        hidden = add_pair_sum_(self.pair_in(normed_e), self.to_pair(x), layout)
        return x, e + self.pair_out(torch.relu_(hidden))
