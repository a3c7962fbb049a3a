"""A normal distribution with a diagonal covariance over latent vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class DiagonalGaussian:
    r"""A normal distribution over latent vectors with a diagonal covariance.

    Args:
        mean: The means, :math:`[B, L]`.
        log_variance: The logarithms of the variances, :math:`[B, L]`.

    Example:
        >>> posterior = DiagonalGaussian(torch.zeros(2, 8), torch.zeros(2, 8))
        >>> posterior.rsample().shape, posterior.kl().tolist()
        (torch.Size([2, 8]), [0.0, 0.0])
    """

    mean: Tensor
    log_variance: Tensor

    def rsample(self, generator: torch.Generator | None = None) -> Tensor:
        r"""Draw one latent vector a graph, differentiably, :math:`[B, L]`."""
        noise = torch.randn(
            self.mean.shape,
            generator=generator,
            device=self.mean.device,
            dtype=self.mean.dtype,
        )
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def kl(self) -> Tensor:
        r"""Return the divergence from :math:`\mathcal{N}(0, \mathbf{I})` in nats, :math:`[B]`.

        .. math::
            \mathrm{KL} = \frac{1}{2} \sum_l
                \left( \mu_l^2 + \sigma_l^2 - 1 - \log \sigma_l^2 \right)
        """
        terms = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return 0.5 * terms.sum(dim=-1)

    def log_prob(self, z: Tensor) -> Tensor:
        r"""Return the logarithm of the density in nats, :math:`[B]`.

        Args:
            z: Latent vectors, :math:`[B, L]`.
        """
        squares = (z - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(dim=-1)
