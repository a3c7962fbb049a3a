"""The contract of every prior over latent vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from pyg_topn.nn.encoder.condition_encoder import check_condition
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.utils.ragged import check_num_nodes


class Prior(nn.Module, ABC):
    r"""Base class of the distributions that latent vectors are drawn from, given the sizes of the
    graphs that they stand for.

    A variant implements :meth:`draw`, and :meth:`log_density` where it has one.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        max_num_nodes: The largest graph that it knows of; :obj:`None` if sizes do not matter.
        cond_channels: The number of conditions that the latent vectors depend on, :math:`K`.

    Raises:
        ValueError: If a number is below 1.
    """

    _like: Tensor

    def __init__(
        self, latent_channels: int, max_num_nodes: int | None = None, cond_channels: int = 0
    ) -> None:
        super().__init__()
        if cond_channels < 0:
            raise ValueError(f"Expected 'cond_channels' to be at least 0 (got {cond_channels})")
        for name, value in (
            ("latent_channels", latent_channels),
            ("max_num_nodes", max_num_nodes),
        ):
            if value is not None and value < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
        self.latent_channels = latent_channels
        self.max_num_nodes = max_num_nodes
        self.cond_channels = cond_channels
        # Follows the module to its device and type, also where there are no parameters.
        self.register_buffer("_like", torch.empty(0), persistent=False)

    @property
    @abstractmethod
    def label(self) -> str:
        """What results obtained with this prior are to be labelled with."""

    @property
    def device(self) -> torch.device:
        """Where latent vectors are drawn."""
        return self._like.device

    @property
    def is_conditional(self) -> bool:
        """Whether the latent vectors depend on the sizes."""
        return self.max_num_nodes is not None

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""

    @abstractmethod
    def draw(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        r"""Turn normal noise into latent vectors.

        Args:
            noise: Drawn from :math:`\mathcal{N}(0, \mathbf{I})`, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`, on the device of the noise.
            cond: The conditions, :math:`[B, K]`, NaN where left open, if there are any.

        Returns:
            The latent vectors, :math:`[B, L]`.
        """

    def log_density(self, z: Tensor, num_nodes: Tensor) -> Tensor:
        r"""Return :math:`\log p(\mathbf{z} \mid n)` in nats, :math:`[B]`; arguments are checked."""
        raise NotImplementedError(f"{self.__class__.__name__} has no tractable density")

    @torch.no_grad()
    def sample(
        self,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> Tensor:
        r"""Draw a latent vector for every graph.

        The noise is drawn on the generator's device, so that a seed gives the same on any.

        Args:
            num_nodes: The size of every graph, :math:`[B]`, ``torch.int64``.
            generator: Where to draw from.
            cond: The conditions, :math:`[B, K]`, or :math:`[K]` for the same for all graphs; NaN
                where left open, :obj:`None` to leave all of them open.

        Returns:
            The latent vectors, :math:`[B, L]`, on the device of the module.

        Raises:
            TypeError: If the conditions are no tensor.
            ValueError: If the sizes have another type or are too large, or conditions do not fit.
        """
        check_num_nodes(num_nodes, self.max_num_nodes)
        noise = torch.randn(
            (num_nodes.numel(), self.latent_channels),
            generator=generator,
            device=self.device if generator is None else generator.device,
            dtype=self._like.dtype,
        )
        return self.carry(noise, num_nodes, cond)

    def carry(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        r"""Turn normal noise into latent vectors, differentiably.

        Args:
            noise: Drawn from :math:`\mathcal{N}(0, \mathbf{I})`, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`, ``torch.int64``.
            cond: The conditions, see :meth:`sample`.

        Returns:
            The latent vectors, :math:`[B, L]`, on the device of the module.

        Raises:
            TypeError: If the conditions are no tensor.
            ValueError: If shapes or types do not fit, or sizes are too large.
        """
        self._check(noise, num_nodes)
        cond = check_condition(cond, num_nodes.numel(), self.cond_channels)
        sizes = num_nodes.to(self.device, non_blocking=True)
        noise = noise.to(self.device, non_blocking=True)
        if cond is None:
            return self.draw(noise, sizes)
        return self.draw(noise, sizes, cond.to(self.device, non_blocking=True))

    def log_prob(self, z: Tensor, num_nodes: Tensor) -> Tensor:
        r"""Return the logarithm of the density of latent vectors in nats, :math:`[B]`.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`.

        Raises:
            ValueError: If shapes or sizes do not fit.
            NotImplementedError: If there is no tractable density.
        """
        self._check(z, num_nodes)
        return self.log_density(z, num_nodes.to(z.device, non_blocking=True))

    def _check(self, z: Tensor, num_nodes: Tensor) -> None:
        check_num_nodes(num_nodes, self.max_num_nodes)
        if z.shape != (num_nodes.numel(), self.latent_channels):
            raise ValueError(
                f"Expected 'z' of shape [{num_nodes.numel()}, {self.latent_channels}] "
                f"(got {list(z.shape)})"
            )

    def divergence(self, posterior: DiagonalGaussian, z: Tensor, num_nodes: Tensor) -> Tensor:
        r"""Return the divergence of a posterior from this prior in nats, :math:`[B]`: estimated
        without bias from one sample, :math:`\log q(\mathbf{z}) - \log p(\mathbf{z} \mid n)`.

        Args:
            posterior: The posterior, :math:`q`.
            z: A sample of it, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`.
        """
        return posterior.log_prob(z) - self.log_prob(z, num_nodes)
