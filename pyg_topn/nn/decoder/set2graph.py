"""Set2Graph: from the points of a set to representations of its unordered pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP
from torch_geometric.utils import scatter

from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pairs import pair_sum


class Set2Graph(nn.Module):
    r"""The Set2Graph layer of `Serviansky et al., 2020 <https://arxiv.org/abs/2002.08772>`_ for
    symmetric edges: one representation for every unordered pair.

    Points are broadcast to pairs and the same perceptron :math:`\psi` runs on each. Symmetry is
    built in: :math:`\psi` sees functions of :math:`\mathbf{x}_i` and :math:`\mathbf{x}_j` that do
    not change when they are exchanged, a sum and a product,

    .. math::
        \mathbf{e}_{ij} = \psi \big( (\mathbf{x}_i + \mathbf{x}_j) \mathbf{W}_1
            + \mathbf{x}_i \mathbf{W}_2 \odot \mathbf{x}_j \mathbf{W}_2
            + \textstyle\sum_k \mathbf{x}_k \mathbf{W}_3 \big)

    where the last term, the part of the full equivariant basis that reaches pairs off the diagonal,
    belongs to the variant S2G+ only.

    Args:
        in_channels: The size of a point.
        out_channels: The size of a pair.
        hidden_channels: The hidden width of :math:`\psi`; by default :obj:`out_channels`.
        plus: Whether to add the sum over the set (S2G+).

    Shapes:
        - **input:** :math:`[N, C]` points and their :class:`Layout`
        - **output:** :math:`[P, D]` pairs, in the order of ``layout.pair_index``

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> Set2Graph(8, 16, plus=True)(torch.randn(5, 8), layout).shape
        torch.Size([4, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int | None = None,
        plus: bool = False,
    ) -> None:
        super().__init__()
        hidden_channels = out_channels if hidden_channels is None else hidden_channels
        self.plus = plus
        self.norm = nn.LayerNorm(in_channels)
        self.sum_lin = nn.Linear(in_channels, hidden_channels)  # W1
        self.product_lin = nn.Linear(in_channels, hidden_channels, bias=False)  # W2
        self.set_lin = nn.Linear(in_channels, hidden_channels, bias=False) if plus else None  # W3
        self.mlp = MLP(
            [hidden_channels, hidden_channels, out_channels],
            norm=None,
            act_kwargs={"inplace": True},
        )

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in (self.norm, self.sum_lin, self.product_lin, self.set_lin, self.mlp):
            if module is not None:
                module.reset_parameters()

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        r"""Return the representation of every unordered pair.

        Args:
            x: The points, :math:`[N, C]`.
            layout: Which points belong to which set.
        """
        i, j = layout.pair_index
        x = self.norm(x)
        factor = self.product_lin(x)
        # Each term is linear in a node before it meets its partner, so it is a product over the N
        # nodes, not over the P pairs.
        e = pair_sum(self.sum_lin(x), layout)
        e = e.add_(factor.index_select(0, i) * factor.index_select(0, j))
        if self.set_lin is not None:
            total = scatter(self.set_lin(x), layout.batch, dim_size=layout.num_graphs)  # [B, H]
            e = e + total.index_select(0, layout.pair_batch)
        return torch.as_tensor(self.mlp(torch.relu_(e)))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.sum_lin.in_features}, plus={self.plus})"
