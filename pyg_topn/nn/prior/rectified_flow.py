"""A rectified flow as prior, fitted on the latent vectors of a trained encoder."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_topn.nn.encoder.condition_encoder import check_condition
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.prior._velocity import Velocity
from pyg_topn.nn.prior.base import Prior


class RectifiedFlowPrior(Prior):
    r"""A rectified flow (`Liu et al., 2023 <https://arxiv.org/abs/2209.03003>`_; `Lipman et al.,
    2023 <https://arxiv.org/abs/2210.02747>`_) in the space of latent vectors, conditional on the
    size of the graph.

    A perceptron :math:`v` is fitted to the direction of straight lines from noise
    :math:`\boldsymbol{\epsilon}` to latent vectors :math:`\mathbf{z}` of the data,

    .. math::
        \mathcal{L} = \mathbb{E}_{t, \boldsymbol{\epsilon}, \mathbf{z}} \left\|
            v((1 - t) \boldsymbol{\epsilon} + t \mathbf{z}, t, n)
            - (\mathbf{z} - \boldsymbol{\epsilon}) \right\|^2,

    and noise is carried along it in a few steps of Heun's method. The graph is still decoded in
    one pass: the steps take place among vectors, before it. Latent vectors are standardised by
    the moments given to :meth:`standardise`.

    With a :obj:`guidance` :math:`w` above 1 the flow is guided by a bad version of itself
    (`Karras et al., 2024 <https://arxiv.org/abs/2406.02507>`_): a smaller perceptron :math:`v_0` is
    fitted to the same lines, and noise follows :math:`v_0 + w \, (v - v_0)`. Where the smaller one
    errs, the larger one errs the same way, only less: the difference points to where neither does.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        max_num_nodes: The largest graph.
        hidden_channels: The width of the perceptron.
        num_layers: The number of its residual blocks.
        num_steps: The number of steps of Heun's method, two evaluations each.
        guidance: The weight of the guidance, :math:`w`; 1 for none.
        guide_channels: The width of the smaller perceptron.
        guide_layers: The number of its residual blocks.
        cond_channels: The number of conditions, :math:`K`, that latent vectors depend on. The
            smaller perceptron is not told them when noise is carried, so that guidance points to
            what was asked for, too (`Ho and Salimans, 2022 <https://arxiv.org/abs/2207.12598>`_).

    Raises:
        ValueError: If a number is below 1, or the guidance not finite.
        TypeError: If a number other than the guidance is no integer.

    Shapes:
        - **input:** :math:`[B]` sizes
        - **output:** :math:`[B, L]` latent vectors

    Example:
        >>> prior = RectifiedFlowPrior(8, max_num_nodes=9, hidden_channels=32)
        >>> sizes = torch.tensor([3, 9])
        >>> prior.loss(torch.randn(2, 8), sizes).dim(), prior.sample(sizes).shape
        (0, torch.Size([2, 8]))
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        latent_channels: int,
        max_num_nodes: int,
        hidden_channels: int = 384,
        num_layers: int = 4,
        num_steps: int = 8,
        guidance: float = 1.0,
        guide_channels: int = 128,
        guide_layers: int = 2,
        cond_channels: int = 0,
    ) -> None:
        super().__init__(latent_channels, max_num_nodes, cond_channels)
        for name, value in (
            ("hidden_channels", hidden_channels),
            ("num_layers", num_layers),
            ("num_steps", num_steps),
            ("guidance", guidance),
            ("guide_channels", guide_channels),
            ("guide_layers", guide_layers),
        ):
            if not 1 <= value < math.inf:
                raise ValueError(f"Expected '{name}' to be at least 1 and finite (got {value})")
            if name != "guidance" and not isinstance(value, int):
                raise TypeError(f"Expected '{name}' to be an integer (got {value})")
        self.num_steps, self.guidance = num_steps, guidance
        sizes, small = (latent_channels, max_num_nodes), (guide_channels, guide_layers)
        self.velocity = Velocity(*sizes, hidden_channels, num_layers, cond_channels)
        # It never needs the conditions: it guides away from what is likely without them.
        self.guide = Velocity(*sizes, *small) if guidance > 1 else None
        self.register_buffer("mean", torch.zeros(latent_channels))
        self.register_buffer("std", torch.ones(latent_channels))

    @property
    def label(self) -> str:
        """See :attr:`Prior.label`."""
        guided = f", guidance {self.guidance:g}" if self.guidance > 1 else ""
        return f"rectified flow, {self.num_steps} Heun steps{guided}"

    def reset_parameters(self) -> None:
        """Draw the parameters anew, and forget the moments."""
        for network in self._networks:
            network.reset_parameters()
        self.mean.zero_()
        self.std.fill_(1.0)

    @torch.no_grad()
    def standardise(self, mean: Tensor, std: Tensor) -> None:
        r"""Set the moments of the latent vectors, by which they are standardised.

        Args:
            mean: The mean of every channel, :math:`[L]`.
            std: The standard deviation of every channel, :math:`[L]`.

        Raises:
            ValueError: If shapes do not fit, a number is not finite or a deviation not positive.
        """
        for name, value in (("mean", mean), ("std", std)):
            if value.shape != self.mean.shape:
                raise ValueError(
                    f"Expected '{name}' of shape [{self.latent_channels}] (got {list(value.shape)})"
                )
            if not bool(value.isfinite().all()):
                raise ValueError(f"Expected '{name}' to be finite (got nan or inf)")
        if not bool((std > 0).all()):
            raise ValueError("Expected 'std' to be positive (got a deviation of 0 or below)")
        self.mean.copy_(mean)
        self.std.copy_(std)

    def loss(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> Tensor:
        r"""Return the loss of latent vectors of the data: the squared error of the velocity at one
        time each, averaged over graphs and channels; that of the guide is added, if there is one.

        Args:
            z: The latent vectors, :math:`[B, L]`; no gradient reaches them.
            num_nodes: The size of every graph, :math:`[B]`.
            generator: Where times and noise are drawn from, on the device of :obj:`z`.
            cond: The conditions, :math:`[B, K]`, NaN where unknown.

        Raises:
            TypeError: If the conditions are no tensor.
            ValueError: If shapes, sizes or conditions do not fit.
        """
        self._check(z, num_nodes)
        cond = check_condition(cond, z.size(0), self.cond_channels)
        if cond is not None and self.velocity.asked is not None:
            cond = self.velocity.asked.hide(cond.to(z.device, non_blocking=True))
        end = (z.detach() - self.mean) / self.std
        start = torch.randn(end.shape, generator=generator, device=end.device, dtype=end.dtype)
        time = torch.rand(end.size(0), generator=generator, device=end.device, dtype=end.dtype)
        between = torch.lerp(start, end, time.unsqueeze(1))
        total, sizes = end.new_zeros(()), num_nodes.to(z.device, non_blocking=True)
        for network in self._networks:
            velocity = network(between, time, sizes, cond).to(end.dtype)
            total = total + F.mse_loss(velocity, end - start, reduction="sum")
        return total / max(end.numel(), 1)  # The mean, and 0 for no graphs.

    def divergence(self, posterior: DiagonalGaussian, z: Tensor, num_nodes: Tensor) -> Tensor:
        r"""The divergence from :math:`\mathcal{N}(0, \mathbf{I})`: a flow has no tractable density,
        and fits latent vectors that are kept near the normal distribution it starts from."""
        return posterior.kl()

    def draw(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        """See :meth:`Prior.draw`."""
        z, step = noise, 1 / self.num_steps
        for k in range(self.num_steps):
            time = z.new_full((z.size(0),), k * step)
            first = self._guided(z, time, num_nodes, cond)
            second = self._guided(z + step * first, time + step, num_nodes, cond)
            z = z + step / 2 * (first + second)
        return z * self.std + self.mean

    @property
    def _networks(self) -> list[Velocity]:
        return [self.velocity] if self.guide is None else [self.velocity, self.guide]

    def _guided(self, z: Tensor, time: Tensor, num_nodes: Tensor, cond: Tensor | None) -> Tensor:
        """The velocity that noise follows."""
        velocity: Tensor = self.velocity(z, time, num_nodes, cond).to(z.dtype)
        if self.guide is None:
            return velocity
        # Not in bfloat16: guidance multiplies what rounding leaves of a difference.
        return torch.lerp(self.guide(z, time, num_nodes).to(z.dtype), velocity, self.guidance)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.latent_channels}, "
            f"max_num_nodes={self.max_num_nodes}, num_steps={self.num_steps})"
        )
