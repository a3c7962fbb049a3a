"""From latent vectors to a distribution over graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.nn.creation.base import Creation
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution, expected_valency
from pyg_topn.nn.decoder.neighbor_embedding import NeighborEmbedding
from pyg_topn.nn.decoder.pair_refinement import PairRefinement
from pyg_topn.nn.decoder.set2graph import Set2Graph
from pyg_topn.nn.update.set_transformer import SetTransformer
from pyg_topn.utils.few_classes import to_few_classes
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.precision import at_least_float32
from pyg_topn.utils.wide_layout import WideLayout


class GraphDecoder(nn.Module):
    r"""The decoder of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.3): creation,
    transformer update, Set2Graph, two perceptrons for the presence and the type of edges, and one
    for node types, which sees the predicted valencies.

    Beyond the paper, :obj:`num_rounds` rounds of :class:`PairRefinement` may follow Set2Graph.

    Args:
        creation: The layer that creates points from the latent vector.
        update: The layers that refine them.
        num_node_types: The number of node types, :math:`A`.
        edge_orders: The order of every edge type, :math:`T` numbers: what an edge adds to the
            valency of its nodes. Ones, where edges have no order.
        pair_channels: The size of a pair.
        plus: Whether Set2Graph is S2G+.
        num_rounds: The number of rounds in which nodes and pairs see each other.
        num_neighbors: If given, only pairs of which one point is among so many nearest neighbours
            of the other are decided, see :class:`NeighborEmbedding`, and all others have no edge.
        num_negatives: How many pairs a node are drawn at random in training besides.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors, :math:`[B]` sizes
        - **output:** a :class:`GraphDistribution`

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> creation = TopNCreation(8, 32, num_reference_points=12)
        >>> update = SetTransformer(16, num_layers=1, heads=2, latent_channels=8)
        >>> decoder = GraphDecoder(creation, update, num_node_types=4, edge_orders=(1, 2, 3))
        >>> decoder(torch.randn(2, 8), torch.tensor([9, 5])).mode().num_graphs
        2
    """

    edge_orders: Tensor

    def __init__(
        self,
        creation: Creation,
        update: SetTransformer,
        num_node_types: int,
        edge_orders: Sequence[float],
        pair_channels: int = 48,
        plus: bool = False,
        num_rounds: int = 0,
        *,
        num_neighbors: int | None = None,
        num_negatives: int = 4,
    ) -> None:
        super().__init__()
        if num_node_types < 1 or not edge_orders:
            raise ValueError(
                "Expected at least one node type and one edge type "
                f"(got {num_node_types} and {len(edge_orders)})"
            )
        channels = update.channels
        orders = torch.tensor(edge_orders, dtype=torch.get_default_dtype())
        self.register_buffer("edge_orders", orders, persistent=False)
        self.creation = creation
        self.update = update
        self.in_lin = nn.Linear(creation.out_channels, channels)
        self.neighbors = (
            None
            if num_neighbors is None
            else NeighborEmbedding(channels, num_neighbors, num_negatives)
        )
        self.set2graph = Set2Graph(channels, pair_channels, plus=plus)
        self.rounds = nn.ModuleList(
            PairRefinement(channels, pair_channels, num_node_types, orders)
            for _ in range(num_rounds)
        )
        self.pair_norm = nn.LayerNorm(pair_channels)
        self.presence_mlp = _mlp(pair_channels, pair_channels, 1)
        self.edge_type_mlp = _mlp(pair_channels, pair_channels, len(edge_orders))
        self.node_norm = nn.LayerNorm(channels)
        self.node_type_mlp = _mlp(channels + 1, channels, num_node_types)

    @property
    def latent_channels(self) -> int:
        """The size of a latent vector, L."""
        return self.creation.latent_channels

    @property
    def cond_channels(self) -> int:
        """The number of conditions, K; 0 if it takes none."""
        return self.creation.cond_channels

    @property
    def max_num_nodes(self) -> int | None:
        """The largest graph that can be decoded; None for no bound."""
        return self.creation.max_num_nodes

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in (*self.rounds, *(m for m in self.children() if m is not self.rounds)):
            module.reset_parameters()

    def forward(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
        *,
        pairs: Tensor | None = None,
    ) -> GraphDistribution:
        r"""Decode latent vectors.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`; on the CPU nothing waits for a device.
            generator: Where a stochastic creation draws from.
            cond: The conditions, :math:`[B, K]` or :math:`[K]`, NaN where left open, if the
                creation takes any.
            pairs: Pairs of slots that must have logits, :math:`[2, M]`, in any direction and order:
                see :func:`~pyg_topn.losses.target_pairs`. Without :obj:`num_neighbors` all have.

        Raises:
            TypeError: See :meth:`Creation.forward`.
            ValueError: See :meth:`Creation.forward`.
        """
        z = self.creation.conditioned(z, cond)  # Once: the update sees it as well.
        x = self.creation.create_projected(z, num_nodes, self.in_lin, generator)
        layout = Layout(num_nodes.cpu(), z.device)
        x = self.update(x, layout, z)
        nearness = None
        if self.neighbors is not None:
            points = self.neighbors(x)
            layout = self.neighbors.candidates(points, layout, pairs, generator)
            nearness = self.neighbors.log_odds(points, layout)  # [P, 1]
        if not self._pays_to_widen(layout):
            return GraphDistribution(*self._logits(x, layout, nearness), layout)
        wide = WideLayout.around(layout)
        node_logits, pair_logits = self._logits(layout.pad(x).flatten(0, 1), wide)
        own = pair_logits.t().index_select(1, wide.own_pairs).t()  # Of columns, without a copy.
        return GraphDistribution(node_logits.index_select(0, wide.own_nodes), own, layout)

    def _pays_to_widen(self, layout: Layout) -> bool:
        """Whether kernels that are compiled for every number of rows cost more than more rows."""
        compiled = layout.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not compiled or layout.is_uniform or layout.is_restricted or self.set2graph.plus:
            return False
        return WideLayout.overhead(layout) < 0.25

    def _logits(
        self, x: Tensor, layout: Layout, nearness: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Refined points to the logits of nodes, [N, A], and of pairs, [P, 1 + T]."""
        e = self.set2graph(x, layout)
        for refine in self.rounds:
            x, e = refine(x, e, layout)
        pair_logits = self._pair_logits(self.pair_norm(e), nearness)
        valency = expected_valency(pair_logits, self.edge_orders, layout).unsqueeze(1)  # [N, 1]
        node_logits = self.node_type_mlp(torch.cat([self.node_norm(x), valency], dim=1))
        return at_least_float32(node_logits), pair_logits

    def _pair_logits(self, e: Tensor, nearness: Tensor | None = None) -> Tensor:
        """Join p(edge) and p(type | edge) into one categorical distribution, [P, 1 + T]."""
        # The two perceptrons side by side: P rows pass once.
        (first, to_presence), (second, to_type) = self.presence_mlp.lins, self.edge_type_mlp.lins
        weight = torch.cat([first.weight, second.weight])
        hidden = F.linear(e, weight, torch.cat([first.bias, second.bias])).relu_()
        weight = torch.block_diag(to_presence.weight, to_type.weight)
        both = to_few_classes(hidden, weight, torch.cat([to_presence.bias, to_type.bias]))
        presence, types = at_least_float32(both).t().split([1, len(self.edge_orders)])
        if nearness is not None:
            presence = presence + nearness.t()
        edge_type = types.log_softmax(dim=0)  # [T, P]
        return torch.cat([torch.zeros_like(presence), presence + edge_type]).t()


def _mlp(*channels: int) -> MLP:
    # In place: fresh memory costs more than the activation itself.
    return MLP(list(channels), norm=None, act_kwargs={"inplace": True})
