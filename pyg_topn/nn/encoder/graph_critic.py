"""Permutation-invariant critic: from true or relaxed graphs to scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP
from torch_geometric.nn.aggr import MultiAggregation

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.relaxed_graphs import RelaxedGraphs


class GraphCritic(nn.Module):
    r"""The critic of a GAN: relational message passing over all pairs of a graph, in which an edge
    counts as much as its weight, and a sum over nodes. It does not depend on the order of nodes,
    which is all that lemma 1 of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ asks of a
    GAN, whatever its generator.

    With weights :math:`a_{ij}^t` of edge type :math:`t` and :math:`\mathbf{h}_i` normalised, a
    layer is

    .. math::
        \mathbf{h}_i \leftarrow \mathbf{h}_i + \mathrm{MLP}\Big( \mathbf{h}_i \,\Vert\,
            \textstyle\sum_j a_{ij}^1 \mathbf{h}_j \,\Vert\, \dots \,\Vert\,
            \textstyle\sum_j a_{ij}^T \mathbf{h}_j \Big)

    Nodes start from their type, their degree by edge type, and how likely a random walk is to be
    back after 2 to :math:`K` steps, which tells apart what message passing alone cannot: rings of
    different sizes. The readout is a sum, a mean and the size of the graph.

    Everything is differentiable twice, for gradient penalties.

    Args:
        num_node_types: The number of node types, :math:`A`.
        num_edge_types: The number of edge types, :math:`T`.
        hidden_channels: The width.
        num_layers: The number of message-passing layers.
        num_steps: The most steps of a random walk, :math:`K`; below 2 for none.
        batch_std: Whether a graph is also told how much the graphs of its batch differ from each
            other (`Karras et al., 2018 <https://arxiv.org/abs/1710.10196>`_): a generator that
            makes the same graph over and over is found out. Scores then depend on the batch, so
            true and generated graphs must be given in batches of their own.

    Shapes:
        - **input:** :class:`~pyg_topn.utils.RelaxedGraphs`
        - **output:** :math:`[B]` scores

    Raises:
        ValueError: If a number is too small.

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> nodes, pairs = torch.rand(5, 4), torch.rand(4, 4)
        >>> critic = GraphCritic(num_node_types=4, num_edge_types=3)
        >>> critic(RelaxedGraphs(nodes, pairs, layout)).shape
        torch.Size([2])
    """

    def __init__(
        self,
        num_node_types: int,
        num_edge_types: int,
        hidden_channels: int = 64,
        num_layers: int = 3,
        num_steps: int = 6,
        batch_std: bool = True,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("num_node_types", num_node_types, 1),
            ("num_edge_types", num_edge_types, 1),
            ("hidden_channels", hidden_channels, 1),
            ("num_layers", num_layers, 0),
            ("num_steps", num_steps, 0),
        ):
            if value < least:
                raise ValueError(f"Expected '{name}' to be at least {least} (got {value})")
        self.num_node_types, self.num_edge_types = num_node_types, num_edge_types
        self.num_steps, self.batch_std = num_steps, batch_std
        width = hidden_channels
        seen = num_node_types + num_edge_types + max(num_steps - 1, 0)
        self.in_mlp = _mlp(seen, width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(num_layers))
        self.mlps = nn.ModuleList(
            _mlp((1 + num_edge_types) * width, width, width) for _ in range(num_layers)
        )
        self.out_mlp = _mlp(width, 2 * width, 2 * width)
        self.aggregation = MultiAggregation(["sum", "mean"])
        self.graph_mlp = _mlp(4 * width + 1, 2 * width, width)
        self.score_mlp = _mlp(width + int(batch_std), width, 1)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        mlps = (self.in_mlp, *self.mlps, self.out_mlp, self.graph_mlp, self.score_mlp)
        for module in (*mlps, *self.norms):
            module.reset_parameters()

    def forward(self, graphs: RelaxedGraphs) -> Tensor:
        r"""Return the score of every graph, :math:`[B]`.

        Args:
            graphs: The graphs.

        Raises:
            ValueError: If there are other types than the critic was built for.
        """
        types = graphs.nodes.size(1), graphs.pairs.size(1) - 1
        if types != (self.num_node_types, self.num_edge_types):
            raise ValueError(
                f"Expected {self.num_node_types} node types and {self.num_edge_types} edge types "
                f"(got {types[0]} and {types[1]})"
            )
        layout = graphs.layout
        if layout.num_graphs == 0:
            return graphs.nodes.new_zeros(0)
        weights = dense_weights(graphs.pairs[:, 1:], layout)  # [B, T, n, n]
        degrees = weights.sum(dim=-1).transpose(1, 2)  # [B, n, T]
        seen = [layout.pad(graphs.nodes), degrees, self._returns(weights.sum(dim=1))]
        h = self.in_mlp(torch.cat(seen, dim=-1))  # [B, n, C]
        for norm, mlp in zip(self.norms, self.mlps, strict=True):
            normed = norm(h)
            messages = weights @ normed.unsqueeze(1)  # [B, T, n, C]
            h = h + mlp(torch.cat([normed, *messages.unbind(1)], dim=-1))
        return self._score(layout.unpad(self.out_mlp(h)), layout)

    def _returns(self, presence: Tensor) -> Tensor:
        """The probabilities that a walk, which may end at any step, is back; [B, n, K - 1]."""
        # The one more in the denominator keeps nodes without edges harmless, gradients included.
        step = presence / (1 + presence.sum(dim=-1, keepdim=True))  # [B, n, n]
        walk, returns = step, [presence.new_empty(*presence.shape[:2], 0)]
        for _ in range(self.num_steps - 1):
            walk = walk @ step
            returns.append(walk.diagonal(dim1=1, dim2=2).unsqueeze(-1))
        return torch.cat(returns, dim=-1)

    def _score(self, h: Tensor, layout: Layout) -> Tensor:
        pooled = self.aggregation(h, layout.batch, dim_size=layout.num_graphs)  # [B, 4C]
        size = layout.ptr.diff().to(h.dtype).log().unsqueeze(1)
        graph = self.graph_mlp(torch.cat([pooled, size], dim=1))  # [B, C]
        if self.batch_std:
            # Not the root at 0, whose gradient is infinite: a batch of one has no variance.
            spread = (graph.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
            graph = torch.cat([graph, spread.expand(graph.size(0), 1)], dim=1)
        return torch.as_tensor(self.score_mlp(graph)).squeeze(1)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.num_node_types}, {self.num_edge_types}, "
            f"num_layers={len(self.mlps)}, batch_std={self.batch_std})"
        )


def dense_weights(pairs: Tensor, layout: Layout) -> Tensor:
    r"""Lay weights of unordered pairs into symmetric matrices, zero-padded and on the diagonal.

    Args:
        pairs: The weights, :math:`[P, T]`.
        layout: Which pairs they are.

    Returns:
        The matrices, :math:`[B, T, n_{max}, n_{max}]`.

    Example:
        >>> layout = Layout(torch.tensor([2, 1]), torch.device("cpu"))
        >>> dense_weights(torch.tensor([[0.5]]), layout)[:, 0].tolist()
        [[[0.0, 0.5], [0.5, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """
    size = layout.max_num_nodes
    i, j = layout.pair_index
    place = layout.dense_index[i] * size + layout.local_index[j]  # [P]
    flat = pairs.new_zeros(layout.num_graphs * size * size, pairs.size(1))
    upper = flat.index_copy(0, place, pairs).view(layout.num_graphs, size, size, -1)
    upper = upper.permute(0, 3, 1, 2)  # [B, T, n, n]
    return upper + upper.transpose(2, 3)


def _mlp(*channels: int) -> MLP:
    return MLP(list(channels), norm=None, act="leaky_relu", act_kwargs={"negative_slope": 0.2})
