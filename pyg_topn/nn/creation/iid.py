"""i.i.d. creation: points drawn independently from a normal distribution."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyg_topn.nn.creation.base import Creation


class IIDCreation(Creation):
    r"""The i.i.d. creation layer: points drawn independently from a normal distribution, to which
    the latent vector is appended (section 2.1 of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_).

    .. math::
        \mathbf{X}^0 = \mathbf{E} \, \mathbf{W}_1 + \mathbf{1}_n \mathbf{z}^{\top} \mathbf{W}_2
        \quad \text{with} \quad \mathbf{E} \sim \mathcal{N}(\mathbf{0}, \mathbf{I})

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        out_channels: The size of a created point, :math:`C`.
        noise_channels: The size of a drawn point; by default :obj:`out_channels`.
        cond_channels: See :class:`Creation`.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors, :math:`[B]` sizes (unbounded)
        - **output:** a batch of :math:`[N, C]` points, :math:`N = \sum_g n_g`

    Example:
        >>> create = IIDCreation(8, 16)
        >>> create(torch.randn(2, 8), torch.tensor([3, 500]))
        DataBatch(x=[503, 16], batch=[503], ptr=[3])
    """

    def __init__(
        self,
        latent_channels: int,
        out_channels: int,
        noise_channels: int | None = None,
        cond_channels: int = 0,
    ) -> None:
        super().__init__(latent_channels, out_channels, cond_channels=cond_channels)
        self.noise_channels = out_channels if noise_channels is None else noise_channels
        if self.noise_channels < 1:
            raise ValueError(f"Expected 'noise_channels' to be at least 1 (got {noise_channels})")
        self.noise_lin = nn.Linear(self.noise_channels, out_channels, bias=False)  # W1
        self.latent_lin = nn.Linear(latent_channels, out_channels)  # W2
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        super().reset_parameters()
        nn.init.normal_(self.noise_lin.weight, std=1 / math.sqrt(self.noise_channels))
        nn.init.normal_(self.latent_lin.weight, std=1 / math.sqrt(self.latent_channels))
        nn.init.zeros_(self.latent_lin.bias)

    def create(
        self, z: Tensor, batch: Tensor, ptr: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Creation.create`."""
        points = self.noise_lin(self._noise(z, batch, generator))
        return torch.as_tensor(points + self.latent_lin(z).index_select(0, batch))

    def _project(
        self,
        z: Tensor,
        batch: Tensor,
        ptr: Tensor,
        lin: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        # Two products over the N points become one.
        weight = lin.weight @ self.noise_lin.weight
        points = F.linear(self._noise(z, batch, generator), weight)
        return points + lin(self.latent_lin(z)).index_select(0, batch)

    def _noise(self, z: Tensor, batch: Tensor, generator: torch.Generator | None) -> Tensor:
        # What torch.randn draws, which torch.export refuses for a free number of points.
        return z.new_empty(batch.numel(), self.noise_channels).normal_(generator=generator)
