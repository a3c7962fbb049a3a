"""What every valid graph satisfies, asked of graphs decoded from the prior."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.few_classes import softmax_of_few
from pyg_topn.utils.pairs import node_sum
from pyg_topn.utils.pieces import connected_pieces

PENALTIES = ("valency", "connectivity")


class PriorRegularizer(nn.Module):
    r"""Penalties on decoded graphs that have no target, such as samples of the prior, in the spirit
    of the regularisers of D.2 in the `Top-n paper <https://arxiv.org/abs/2110.02096>`_.

    ``valency`` is what the valency of a node exceeds the maximum of its type by: of the most likely
    graph, with the gradient of the expected one (straight-through), plus the square of the excess
    of the expected valency. The type of the node is taken as given: it would be cheaper to make
    all nodes of the type with the largest maximum than to mend the edges.

    ``connectivity`` is, for every piece of a most likely graph in pieces, how far the most likely
    edge that leaves the piece is from being there: the logit of "no edge" minus the largest logit
    of an edge. It is 0 for a connected graph. A penalty on the expected graph would not do: three
    edges of probability 0.3 connect a node in expectation.

    Args:
        max_valencies: The maximum valency of every node type, :math:`A` numbers.
        edge_orders: The order of every edge type, :math:`T` numbers.

    Shapes:
        - **input:** a :class:`~pyg_topn.nn.decoder.GraphDistribution`
        - **output:** the two penalties by name, averaged over graphs

    Raises:
        ValueError: If a maximum is negative, or an order not positive.

    Example:
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
        >>> apart = GraphDistribution(torch.zeros(2, 4), torch.tensor([[20.0, 0, 0, 0]]), layout)
        >>> penalties = PriorRegularizer((4, 3, 2, 1), (1, 2, 3))(apart)
        >>> float(penalties["connectivity"]), float(penalties["valency"])
        (40.0, 0.0)
    """

    max_valencies: Tensor
    edge_orders: Tensor

    def __init__(self, max_valencies: Sequence[float], edge_orders: Sequence[float]) -> None:
        super().__init__()
        if not len(max_valencies) or not all(0 <= each < math.inf for each in max_valencies):
            raise ValueError(f"Expected 'max_valencies' of at least 0 (got {max_valencies})")
        if not len(edge_orders) or not all(0 < each < math.inf for each in edge_orders):
            raise ValueError(f"Expected 'edge_orders' above 0 (got {edge_orders})")
        self.register_buffer("max_valencies", torch.tensor(max_valencies, dtype=torch.float32))
        self.register_buffer("edge_orders", torch.tensor(edge_orders, dtype=torch.float32))

    def forward(self, distribution: GraphDistribution) -> dict[str, Tensor]:
        r"""Return the penalties ``"valency"`` and ``"connectivity"``.

        Args:
            distribution: The decoded graphs.

        Raises:
            ValueError: If the graphs have another number of node or edge types.
        """
        self._check(distribution)
        probabilities = softmax_of_few(distribution.pair_logits)  # [P, 1 + T]
        num_graphs = max(distribution.num_graphs, 1)
        return {
            "valency": self._valency(distribution, probabilities) / num_graphs,
            "connectivity": self._connectivity(distribution) / num_graphs,
        }

    @torch.no_grad()
    def is_flawed(self, distribution: GraphDistribution) -> Tensor:
        r"""Return which of the most likely graphs break a rule: a valency is exceeded, or the graph
        is in pieces.

        Args:
            distribution: The decoded graphs.

        Returns:
            Whether it does, for every graph, :math:`[B]`.

        Example:
            >>> from pyg_topn.utils import Layout
            >>> layout = Layout(torch.tensor([2, 2]), torch.device("cpu"))
            >>> pairs = torch.tensor([[9.0, 0, 0, 0], [0, 9.0, 0, 0]])
            >>> decoded = GraphDistribution(torch.zeros(4, 4), pairs, layout)
            >>> PriorRegularizer((4, 3, 2, 1), (1, 2, 3)).is_flawed(decoded)
            tensor([ True, False])
        """
        self._check(distribution)
        layout = distribution.layout
        pair_type = distribution.pair_logits.argmax(dim=-1)
        orders = torch.cat([self.edge_orders.new_zeros(1), self.edge_orders])
        valency = node_sum(orders[pair_type].unsqueeze(1), layout).squeeze(1)
        limit = self.max_valencies[distribution.node_logits.argmax(dim=-1)]
        # The number of a piece is that of its first node.
        apart = connected_pieces(pair_type > 0, layout) != layout.ptr[layout.batch]
        flaws = ((valency > limit) | apart).to(valency.dtype)
        return scatter(flaws, layout.batch, dim_size=layout.num_graphs) > 0

    def _check(self, distribution: GraphDistribution) -> None:
        found = distribution.node_logits.size(-1), distribution.pair_logits.size(-1) - 1
        expected = self.max_valencies.numel(), self.edge_orders.numel()
        if found != expected:
            raise ValueError(
                "Expected graphs with {} node types and {} edge types (got {} and {})".format(
                    *expected, *found
                )
            )

    def _valency(self, distribution: GraphDistribution, probabilities: Tensor) -> Tensor:
        layout = distribution.layout
        orders = torch.cat([self.edge_orders.new_zeros(1), self.edge_orders])
        soft = probabilities @ orders.unsqueeze(1)  # [P, 1]
        hard = orders[distribution.pair_logits.argmax(dim=-1)].unsqueeze(1)
        valency = node_sum(torch.cat([soft, soft + (hard - soft).detach()], dim=1), layout)
        soft_limit = softmax_of_few(distribution.node_logits.detach()) @ self.max_valencies
        hard_limit = self.max_valencies[distribution.node_logits.argmax(dim=-1)]
        soft_excess = (valency[:, 0] - soft_limit).relu()
        return (valency[:, 1] - hard_limit).relu().sum() + soft_excess.square().sum()

    def _connectivity(self, distribution: GraphDistribution) -> Tensor:
        layout = distribution.layout
        logits = distribution.pair_logits
        gain = logits[:, 1:].amax(dim=-1) - logits[:, 0]  # [P], above 0 where there is an edge
        piece = connected_pieces(gain.detach() > 0, layout)
        first, second = piece[layout.pair_index]
        lowest = torch.finfo(gain.dtype).min
        leaving = gain.masked_fill(first == second, lowest)
        best = leaving.new_full((piece.numel(),), lowest)  # [N], by the first node of a piece
        ends = torch.cat([first, second])
        best = best.scatter_reduce(0, ends, torch.cat([leaving, leaving]), "amax")
        return best.masked_fill(best == lowest, 0).neg().sum()
