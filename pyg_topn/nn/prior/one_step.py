"""A rectified flow as prior whose steps a second network has learnt to take at once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_topn.nn.encoder.condition_encoder import check_condition
from pyg_topn.nn.prior._velocity import Velocity
from pyg_topn.nn.prior.rectified_flow import RectifiedFlowPrior


class OneStepPrior(RectifiedFlowPrior):
    r"""A rectified flow that is distilled into one evaluation of a network (`Luhman and Luhman,
    2021 <https://arxiv.org/abs/2101.02388>`_; `Liu et al., 2023
    <https://arxiv.org/abs/2209.03003>`_), among latent vectors.

    The flow is fitted and guided as a :class:`RectifiedFlowPrior`, the teacher. A student
    :math:`s` of the same shape as its velocity then learns where the teacher carries noise,
    :math:`T(\boldsymbol{\epsilon}, n)`,

    .. math::
        \mathcal{L} = \mathbb{E}_{\boldsymbol{\epsilon}, n} \left\|
            \boldsymbol{\epsilon} + s(\boldsymbol{\epsilon}, n) - T(\boldsymbol{\epsilon}, n)
            \right\|^2,

    and latent vectors are drawn by the student alone. From noise to graph there is one evaluation
    of one network and one pass of the decoder.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        max_num_nodes: The largest graph.
        hidden_channels: The width of the student and of the teacher.
        num_layers: The number of their residual blocks.
        has_teacher: Whether there is a teacher; to draw, none is needed: see
            :meth:`forget_teacher`.
        **teacher: The other arguments of :class:`RectifiedFlowPrior`.

    Raises:
        ValueError: If a number is below 1, or the guidance not finite.
        TypeError: If the teacher has no such argument.

    Shapes:
        - **input:** :math:`[B]` sizes
        - **output:** :math:`[B, L]` latent vectors

    Example:
        >>> prior = OneStepPrior(8, max_num_nodes=9, hidden_channels=32, guidance=3.0)
        >>> sizes, noise = torch.tensor([3, 9]), torch.randn(2, 8)
        >>> z = prior.teach(noise, sizes)
        >>> prior.distillation_loss(noise, z, sizes).dim(), prior.sample(sizes).shape
        (0, torch.Size([2, 8]))
    """

    has_begun: Tensor

    def __init__(
        self,
        latent_channels: int,
        max_num_nodes: int,
        hidden_channels: int = 384,
        num_layers: int = 4,
        has_teacher: bool = True,
        **teacher: Any,
    ) -> None:
        super().__init__(latent_channels, max_num_nodes, hidden_channels, num_layers, **teacher)
        sizes = latent_channels, max_num_nodes, hidden_channels, num_layers
        self.student = Velocity(*sizes, self.cond_channels)
        # Kept with the weights: a training run that goes on must not begin again.
        self.register_buffer("has_begun", torch.tensor(False))
        if not has_teacher:
            self.forget_teacher()

    @property
    def label(self) -> str:
        """See :attr:`Prior.label`."""
        return f"{super().label}, distilled to one step"

    @property
    def has_teacher(self) -> bool:
        """Whether there is a teacher, to be fitted or to learn from."""
        return "velocity" in self._modules

    def forget_teacher(self) -> None:
        """Leave only what latent vectors are drawn with."""
        for name in ("velocity", "guide"):
            self._modules.pop(name, None)

    @property
    def _networks(self) -> list[Velocity]:
        return super()._networks if self.has_teacher else []

    def reset_parameters(self) -> None:
        """Draw the parameters anew, and forget the moments."""
        super().reset_parameters()
        self.student.reset_parameters()
        self.has_begun.fill_(False)

    @torch.no_grad()
    def begin_distillation(self) -> None:
        """Let the student start as the teacher's velocity, unless it has started before."""
        self._check_teacher()
        if not bool(self.has_begun):
            self.student.load_state_dict(self.velocity.state_dict())
            self.has_begun.fill_(True)

    @torch.no_grad()
    def teach(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        r"""Return where the teacher carries noise, :math:`[B, L]`: see :meth:`Prior.draw`.

        Raises:
            ValueError: If there is no teacher.
        """
        self._check_teacher()
        return super().draw(noise, num_nodes, cond)

    def loss(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`RectifiedFlowPrior.loss`: that of the teacher, and a ValueError without."""
        self._check_teacher()
        return super().loss(z, num_nodes, generator, cond)

    def _check_teacher(self) -> None:
        if not self.has_teacher:
            raise ValueError("Expected a prior with a teacher (got one that has been forgotten)")

    def distillation_loss(
        self, noise: Tensor, z: Tensor, num_nodes: Tensor, cond: Tensor | None = None
    ) -> Tensor:
        r"""Return the squared error of the student, averaged over graphs and channels, where
        latent vectors have a standard deviation of 1.

        Args:
            noise: Drawn from :math:`\mathcal{N}(0, \mathbf{I})`, :math:`[B, L]`.
            z: Where the teacher carries it, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`.
            cond: The conditions that the teacher was given, :math:`[B, K]`, if any.

        Raises:
            TypeError: If the conditions are no tensor.
            ValueError: If shapes, sizes or conditions do not fit.
        """
        self._check(noise, num_nodes)
        self._check(z, num_nodes)
        cond = check_condition(cond, z.size(0), self.cond_channels)
        if cond is not None:
            cond = cond.to(z.device, non_blocking=True)
        found = self._one_step(noise, num_nodes.to(z.device, non_blocking=True), cond).to(z.dtype)
        error = F.mse_loss(found, (z.detach() - self.mean) / self.std, reduction="sum")
        return error / max(z.numel(), 1)  # The mean, and 0 for no graphs.

    def draw(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        """See :meth:`Prior.draw`."""
        return self._one_step(noise, num_nodes, cond) * self.std + self.mean

    def _one_step(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None) -> Tensor:
        velocity: Tensor = self.student(noise, noise.new_zeros(noise.size(0)), num_nodes, cond)
        return noise + velocity
