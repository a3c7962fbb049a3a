"""MLP creation: all points at once from a multilayer perceptron, the first n kept."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.nn.creation.base import Creation


class MLPCreation(Creation):
    r"""The MLP creation layer: a perceptron from :math:`\mathbb{R}^L` to
    :math:`\mathbb{R}^{n_{\max} C}`, read as a matrix of which the first :math:`n` rows are kept
    (section 2.1 of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_).

    .. math::
        \mathbf{X}^0 = \mathrm{reshape}_{n_{\max} \times C}(\mathrm{MLP}(\mathbf{z}))[:n]

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        out_channels: The size of a created point, :math:`C`.
        max_num_nodes: The number of rows, :math:`n_{\max}`: no larger set can be created.
        hidden_channels: The hidden width of the perceptron.
        cond_channels: See :class:`Creation`.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors, :math:`[B]` sizes
        - **output:** a batch of :math:`[N, C]` points, :math:`N = \sum_g n_g`

    Example:
        >>> create = MLPCreation(8, 16, max_num_nodes=9)
        >>> create(torch.randn(2, 8), torch.tensor([3, 9]))
        DataBatch(x=[12, 16], batch=[12], ptr=[3])
    """

    def __init__(
        self,
        latent_channels: int,
        out_channels: int,
        max_num_nodes: int,
        hidden_channels: int = 64,
        cond_channels: int = 0,
    ) -> None:
        super().__init__(latent_channels, out_channels, max_num_nodes, cond_channels=cond_channels)
        self.mlp = MLP([latent_channels, hidden_channels, max_num_nodes * out_channels], norm=None)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        super().reset_parameters()
        self.mlp.reset_parameters()

    def create(
        self, z: Tensor, batch: Tensor, ptr: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Creation.create`."""
        return self._rows(self.mlp(z), batch, ptr)

    def _project(
        self,
        z: Tensor,
        batch: Tensor,
        ptr: Tensor,
        lin: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        last, width = self.mlp.lins[-1], lin.out_features
        merged = last.out_channels * width * last.in_channels  # products of weights
        if merged > last.out_channels * width * z.size(0):
            return super()._project(z, batch, ptr, lin, generator)
        slots = last.weight.unflatten(0, (-1, self.out_channels))  # [n_max, C, H]
        weight = (lin.weight @ slots).flatten(0, 1)  # [n_max D, H]
        bias = lin(last.bias.unflatten(0, (-1, self.out_channels))).flatten()  # [n_max D]
        hidden = self.mlp.act(self.mlp.lins[0](z))  # [B, H]
        return self._rows(F.linear(hidden, weight, bias), batch, ptr)

    def _rows(self, rows: Tensor, batch: Tensor, ptr: Tensor) -> Tensor:
        """Read vectors as matrices, [B, n_max D], and keep their first n rows. [N, D]"""
        assert self.max_num_nodes is not None
        local = torch.arange(batch.numel(), device=batch.device) - ptr[batch]
        rows = rows.unflatten(1, (self.max_num_nodes, -1)).flatten(0, 1)
        return rows.index_select(0, batch * self.max_num_nodes + local)
