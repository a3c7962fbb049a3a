"""A low-dimensional embedding of points, near to each other where edges are."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyg_topn.utils.candidates import candidate_layout, random_pairs
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.nearest import nearest_pairs


class NeighborEmbedding(nn.Module):
    r"""An embedding of points that says which pairs may have an edge: those of which one point is
    among the :math:`k` nearest neighbours of the other. All other pairs have none, and cost
    nothing.

    The search has no gradient. The embedding is learned because the squared distance also enters
    the log-odds of an edge,

    .. math::
        b - \mathrm{softplus}(a) \, \| \mathbf{p}_i - \mathbf{p}_j \|_2^2,
        \qquad \mathbf{p}_i = \mathrm{LayerNorm}(\mathbf{x}_i) \mathbf{W}

    with learned numbers :math:`a` and :math:`b`: true edges pull their nodes together, and pairs
    without an edge push theirs apart.

    Args:
        in_channels: The size of a point, :math:`C`.
        num_neighbors: The number of neighbours, :math:`k`.
        num_negatives: How many pairs are drawn at random for every node, to learn from what is left
            out; only where pairs are given, which is in training.
        channels: The size of an embedding, :math:`D`.

    Raises:
        ValueError: If a number is too small.

    Shapes:
        - **input:** :math:`[N, C]` points
        - **output:** :math:`[N, D]` embedded points

    Example:
        >>> embed = NeighborEmbedding(16, num_neighbors=2)
        >>> points = embed(torch.randn(9, 16))
        >>> layout = Layout(torch.tensor([9]), torch.device("cpu"))
        >>> near = embed.candidates(points, layout)
        >>> 9 <= near.pair_index.size(1) <= 18, embed.log_odds(points, near).size(1)
        (True, 1)
    """

    def __init__(
        self, in_channels: int, num_neighbors: int, num_negatives: int = 4, channels: int = 8
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("num_neighbors", num_neighbors, 1),
            ("num_negatives", num_negatives, 0),
            ("channels", channels, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"Expected '{name}' to be an integer (got {value!r})")
            if value < least:
                raise ValueError(f"Expected '{name}' to be at least {least} (got {value})")
        self.num_neighbors, self.num_negatives = num_neighbors, num_negatives
        self.norm = nn.LayerNorm(in_channels)
        self.lin = nn.Linear(in_channels, channels, bias=False)
        self.scale = nn.Parameter(torch.empty(1))  # a
        self.shift = nn.Parameter(torch.empty(1))  # b
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew; the scale is 1 at first."""
        self.norm.reset_parameters()
        self.lin.reset_parameters()
        nn.init.constant_(self.scale, math.log(math.e - 1))
        nn.init.zeros_(self.shift)

    def forward(self, x: Tensor) -> Tensor:
        r"""Embed points.

        Args:
            x: The points, :math:`[N, C]`.
        """
        return torch.as_tensor(self.lin(self.norm(x)))

    @torch.no_grad()
    def candidates(
        self,
        points: Tensor,
        layout: Layout,
        pairs: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Layout:
        r"""Return the layout restricted to the pairs that may have an edge.

        Args:
            points: The embedded points, :math:`[N, D]`.
            layout: Which points belong to which set. Where no set has more than :math:`k + 1`
                points, all pairs are candidates, and this layout is returned.
            pairs: Other pairs that are wanted, :math:`[2, M]`, in any direction and order. With
                them, pairs are drawn at random as well, see :func:`~pyg_topn.utils.random_pairs`.
            generator: Where to draw from.
        """
        if layout.max_num_nodes <= self.num_neighbors + 1:
            return layout
        near = nearest_pairs(points, layout, self.num_neighbors)
        if pairs is None:
            return candidate_layout(layout, near)
        both = torch.cat([near, pairs], dim=1)
        if self.num_negatives == 0:
            return candidate_layout(layout, both)
        return candidate_layout(layout, both, *random_pairs(layout, self.num_negatives, generator))

    def log_odds(self, points: Tensor, layout: Layout) -> Tensor:
        r"""Return what the distance of its points adds to the log-odds of every pair.

        Args:
            points: The embedded points, :math:`[N, D]`.
            layout: The pairs, :math:`P` of them.

        Returns:
            The log-odds, :math:`[P, 1]`.
        """
        i, j = layout.pair_index
        gap = points.index_select(0, i) - points.index_select(0, j)
        distance = gap.square().sum(dim=1, keepdim=True)
        return self.shift - F.softplus(self.scale) * distance

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.lin.in_features}, "
            f"num_neighbors={self.num_neighbors}, num_negatives={self.num_negatives}, "
            f"channels={self.lin.out_features})"
        )
