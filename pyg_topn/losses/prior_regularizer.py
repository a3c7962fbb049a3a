"""What every valid graph satisfies, asked of graphs decoded from the prior."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.pairs import node_sum


class PriorRegularizer(nn.Module):
    r"""Penalties on decoded graphs that have no target, such as samples of the prior, in the spirit
    of the regularisers of D.2 in the `Top-n paper <https://arxiv.org/abs/2110.02096>`_.

    ``valency`` is what the valency of a node exceeds the maximum of its type by: of the most likely
    graph, with the gradient of the expected one (straight-through), plus the square of the excess
    of the expected valency. ``connectivity`` is
    :math:`\mathrm{relu}(-\log \det \mathbf{L}_{11})` with the Laplacian
    :math:`\mathbf{L}` of the edge probabilities without its first row and column: by the
    matrix-tree theorem the determinant counts spanning trees, and is 0 for a graph in pieces.

    Args:
        max_valencies: The maximum valency of every node type, :math:`A` numbers.
        edge_orders: The order of every edge type, :math:`T` numbers.
        sharpness: What the logits are multiplied by before edge probabilities enter the Laplacian.
            The most likely graph can be in pieces while the expected one is not: three bonds of
            probability 0.3 connect a node in expectation. Above 1, such a node is penalised.

    Raises:
        ValueError: If the sharpness is not positive.

    Shapes:
        - **input:** a :class:`~pyg_topn.nn.decoder.GraphDistribution`
        - **output:** the two penalties by name, averaged over graphs

    Example:
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
        >>> apart = GraphDistribution(torch.zeros(2, 4), torch.tensor([[20.0, 0, 0, 0]]), layout)
        >>> penalties = PriorRegularizer((4, 3, 2, 1), (1, 2, 3))(apart)
        >>> bool(penalties["connectivity"] > 5), float(penalties["valency"])
        (True, 0.0)
    """

    max_valencies: Tensor
    edge_orders: Tensor

    def __init__(
        self,
        max_valencies: Sequence[float],
        edge_orders: Sequence[float],
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        if not sharpness > 0:
            raise ValueError(f"Expected 'sharpness' to be positive (got {sharpness})")
        self.sharpness = sharpness
        self.register_buffer("max_valencies", torch.tensor(max_valencies, dtype=torch.float32))
        self.register_buffer("edge_orders", torch.tensor(edge_orders, dtype=torch.float32))

    def forward(self, distribution: GraphDistribution) -> dict[str, Tensor]:
        r"""Return the penalties ``"valency"`` and ``"connectivity"``.

        Args:
            distribution: The decoded graphs.
        """
        probabilities = distribution.pair_logits.softmax(dim=-1)  # [P, 1 + T]
        num_graphs = max(distribution.num_graphs, 1)
        return {
            "valency": self._valency(distribution, probabilities) / num_graphs,
            "connectivity": self._connectivity(distribution) / num_graphs,
        }

    def _valency(self, distribution: GraphDistribution, probabilities: Tensor) -> Tensor:
        layout = distribution.layout
        orders = torch.cat([self.edge_orders.new_zeros(1), self.edge_orders])
        soft = probabilities @ orders.unsqueeze(1)  # [P, 1]
        hard = orders[distribution.pair_logits.argmax(dim=-1)].unsqueeze(1)
        valency = node_sum(torch.cat([soft, soft + (hard - soft).detach()], dim=1), layout)
        type_probability = distribution.node_logits.softmax(dim=-1)
        soft_limit = type_probability @ self.max_valencies
        hard_limit = self.max_valencies[distribution.node_logits.argmax(dim=-1)]
        hard_limit = soft_limit + (hard_limit - soft_limit).detach()
        soft_excess = (valency[:, 0] - soft_limit).relu()
        return (valency[:, 1] - hard_limit).relu().sum() + soft_excess.square().sum()

    def _connectivity(self, distribution: GraphDistribution) -> Tensor:
        layout = distribution.layout
        probabilities = (self.sharpness * distribution.pair_logits).softmax(dim=-1)
        size = layout.max_num_nodes
        if size < 2:
            return probabilities.sum() * 0
        i, j = layout.local_index[layout.pair_index]
        edge = 1 - probabilities[:, 0]
        flat = edge.new_zeros(layout.num_graphs * size * size)
        base = layout.pair_batch * size * size
        flat = flat.index_copy(0, base + i * size + j, edge)
        flat = flat.index_copy(0, base + j * size + i, edge)
        adjacency = flat.view(-1, size, size)  # [B, n, n]
        # A padded slot gets a row of the identity, which leaves the determinant as it is.
        diagonal = adjacency.sum(dim=-1) + (~layout.mask).to(edge.dtype) + 1e-6
        laplacian = torch.diag_embed(diagonal) - adjacency
        factor = torch.linalg.cholesky_ex(laplacian[:, 1:, 1:]).L
        log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).clamp(min=1e-12).log().sum(dim=-1)
        return (-log_det).relu().sum()
