"""The standard normal prior."""

from __future__ import annotations

import math

from torch import Tensor

from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.prior.base import Prior


class GaussianPrior(Prior):
    r"""The standard normal distribution, whatever the size of the graph: the prior of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.

    Shapes:
        - **input:** :math:`[B]` sizes
        - **output:** :math:`[B, L]` latent vectors

    Example:
        >>> import torch
        >>> prior = GaussianPrior(8)
        >>> prior.sample(torch.tensor([3, 9])).shape, prior.label
        (torch.Size([2, 8]), 'N(0, I)')
    """

    def __init__(self, latent_channels: int) -> None:
        super().__init__(latent_channels)

    @property
    def label(self) -> str:
        """See :attr:`Prior.label`."""
        return "N(0, I)"

    def draw(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        """See :meth:`Prior.draw`."""
        return noise

    def log_density(self, z: Tensor, num_nodes: Tensor) -> Tensor:
        """See :meth:`Prior.log_density`."""
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=-1)

    def divergence(self, posterior: DiagonalGaussian, z: Tensor, num_nodes: Tensor) -> Tensor:
        """The divergence in closed form, without the noise of a sample."""
        return posterior.kl()

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.latent_channels})"
