"""First-n creation: the first points of a learned reference set."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyg_topn.nn.creation.base import Creation


class FirstNCreation(Creation):
    r"""The First-n creation layer: the first :math:`n` rows of a learned reference set, to which
    the latent vector is appended (`Zhang et al., 2019 <https://arxiv.org/abs/1906.06565>`_;
    `Krawczuk et al., 2021 <https://openreview.net/forum?id=qiAxL3Xqx1o>`_).

    Appending a vector to every point before a linear layer is a sum after it (equation 11 of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_), which is how it is computed:

    .. math::
        \mathbf{X}^0 = \mathbf{X}_{\mathrm{ref}}[:n] \, \mathbf{W}_1
            + \mathbf{1}_n \mathbf{z}^{\top} \mathbf{W}_2

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        out_channels: The size of a created point, :math:`C`.
        max_num_nodes: The size of the reference set: no larger set can be created.
        cond_channels: See :class:`Creation`.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors, :math:`[B]` sizes
        - **output:** a batch of :math:`[N, C]` points, :math:`N = \sum_g n_g`

    Example:
        >>> create = FirstNCreation(8, 16, max_num_nodes=9)
        >>> create(torch.randn(2, 8), torch.tensor([3, 9]))
        DataBatch(x=[12, 16], batch=[12], ptr=[3])
    """

    def __init__(
        self, latent_channels: int, out_channels: int, max_num_nodes: int, cond_channels: int = 0
    ) -> None:
        super().__init__(latent_channels, out_channels, max_num_nodes, cond_channels=cond_channels)
        self.reference = nn.Parameter(torch.empty(max_num_nodes, out_channels))
        self.reference_lin = nn.Linear(out_channels, out_channels, bias=False)  # W1
        self.latent_lin = nn.Linear(latent_channels, out_channels)  # W2
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        super().reset_parameters()
        nn.init.normal_(self.reference)
        nn.init.orthogonal_(self.reference_lin.weight)
        nn.init.normal_(self.latent_lin.weight, std=1 / math.sqrt(self.latent_channels))
        nn.init.zeros_(self.latent_lin.bias)

    def create(
        self, z: Tensor, batch: Tensor, ptr: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Creation.create`."""
        # The product is taken over the reference set, once, not over the N points.
        return self._add(self.reference_lin(self.reference), self.latent_lin(z), batch, ptr)

    def _project(
        self,
        z: Tensor,
        batch: Tensor,
        ptr: Tensor,
        lin: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        # Over the n_max reference points and the B latent vectors, not over the N points.
        points = F.linear(self.reference_lin(self.reference), lin.weight)
        return self._add(points, lin(self.latent_lin(z)), batch, ptr)

    @staticmethod
    def _add(points: Tensor, latents: Tensor, batch: Tensor, ptr: Tensor) -> Tensor:
        """A reference point [n_max, D] and a latent vector [B, D] for each of the points. [N, D]"""
        local = torch.arange(batch.numel(), device=batch.device) - ptr[batch]
        return points.index_select(0, local) + latents.index_select(0, batch)
