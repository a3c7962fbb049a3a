"""The deep set prediction network, an autoencoder of sets that decodes by gradient descent."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import MLP

from pyg_topn.models._autoencoder import check_frame, check_sizes, sizes_of, standardised
from pyg_topn.nn.creation import Creation, SizePredictor
from pyg_topn.nn.encoder.fspool import FSPool
from pyg_topn.utils._points import read_points
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import build_batch


class DSPN(nn.Module):
    r"""The autoencoder of sets from the `"Deep Set Prediction Networks"
    <https://arxiv.org/abs/1906.06565>`_ paper (DSPN), with any creation layer in place of its
    learned initial set (section 5.1 of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_).

    A set is encoded point by point and pooled. It is decoded by gradient descent on the points,
    towards a set with the given representation:

    .. math::
        g(\mathbf{X}) &= \frac{1}{n} \mathrm{FSPool}(\mathrm{MLP}(\mathbf{X})) \in \mathbb{R}^L \\
        \mathbf{X}^{0} &= \mathrm{scale} \cdot \mathrm{create}(\mathbf{z}, n) + \mathrm{center} \\
        \mathbf{X}^{t + 1} &= \mathbf{X}^{t} - \eta \, \nabla_{\mathbf{X}}
            \frac{1}{L} \sum_{l \leq L} \mathrm{smooth}_{L_1} \big(g_l(\mathbf{X}^t) - z_l \big)

    where the encoder :math:`g` sees :math:`(\mathbf{x} - \mathrm{center}) / \mathrm{spread}` if
    :obj:`spread` is given.

    In training mode gradients pass through the steps. In evaluation mode nothing of a step is kept:
    what it makes has no gradient, and one of the initial set alone, through a loss over all of
    them, is refused.

    Sets of the paper are padded, and a third channel says which points are there. Here sizes are
    mixed: all points are there, and a channel that is always one would be the bias that the first
    layer has. The paper's loss is a mean over the channels and over a batch of 32 sets as well, so
    that its rate of 800 is 25 for each set, which is what :math:`\eta` is: a set is decoded in the
    same way whatever the rest of the batch. Like its code, we divide by the size of the set.

    There is no loss inside. That of the paper is the mean of
    :class:`~pyg_topn.losses.ChamferLoss` over the initial set and all steps.

    Args:
        in_channels: The size of a point, :math:`F`.
        creation: From latent vectors :math:`[B, L]` and sizes to initial points :math:`[N, F]`.
        hidden_channels: The width of the two hidden layers of the encoder.
        num_pieces: The number of pieces of :class:`FSPool`.
        num_steps: The number of steps of gradient descent.
        step_size: The rate :math:`\eta` of a step, of a set. Gradients are those by the points
            themselves, whatever :obj:`spread` is.
        center: Added to created points, so that they start in the middle of the unit square.
        scale: Multiplies created points, which would start far outside of it otherwise.
        sizes: Predicts the size of a set from its latent vector.
        max_move: How far a point moves in a step at most, :math:`m`: by
            :math:`\mathbf{v} / \sqrt{1 + \| \mathbf{v} \|^2 / m^2}` instead of :math:`\mathbf{v}`,
            hardly another one if it is short. By default as far as the gradient says, as in the
            paper; then a large :obj:`step_size` now and then throws points so far away that
            training needs dozens of batches to recover.
        spread: About the standard deviation of the data around :obj:`center`, by which the encoder
            sees points centred and scaled; by default it sees them as they are, as in the paper.
            Biases start at 0, so that for points of the unit square every unit of the first layer
            has its kink at the corner, and moves all points alike; 0.25 takes digits of MNIST less
            than half as far from what is asked for.

    Shapes:
        - **input:** a batch of sets, :math:`[N, F]` points
        - **output:** a list of batches of the same sizes: the initial sets, and those of each step

    Raises:
        ValueError: If a number is below 1 (:obj:`num_steps`: below 0), :obj:`step_size`,
            :obj:`scale`, :obj:`spread` or :obj:`max_move` not positive and finite, :obj:`center`
            not finite, the creation layer makes points of another size, or larger sizes may be
            predicted than created.

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> dspn = DSPN(2, TopNCreation(8, 2, num_reference_points=12), hidden_channels=16)
        >>> batch = build_batch(torch.tensor([3, 6]), {"pos": torch.rand(9, 2)})
        >>> steps = dspn(batch)
        >>> len(steps), steps[-1]
        (11, DataBatch(pos=[9, 2], batch=[9], ptr=[3]))
        >>> dspn.encode(batch).shape
        torch.Size([2, 8])
    """

    arguments: dict[str, Any] | None = None  # What a builder made it from, to save it.

    def __init__(
        self,
        in_channels: int,
        creation: Creation,
        hidden_channels: int = 256,
        num_pieces: int = 20,
        num_steps: int = 10,
        step_size: float = 25.0,
        center: float = 0.5,
        scale: float = 0.3,
        sizes: SizePredictor | None = None,
        spread: float | None = None,
        max_move: float | None = None,
    ) -> None:
        super().__init__()
        _check(in_channels, creation, hidden_channels, num_steps)
        for name, value in (("step_size", step_size), ("scale", scale)):
            if not 0 < value < math.inf:
                raise ValueError(f"Expected '{name}' to be positive and finite (got {value})")
        check_frame(center, spread)
        if max_move is not None and not 0 < max_move < math.inf:
            raise ValueError(
                f"Expected 'max_move' to be positive and finite, or None (got {max_move})"
            )
        check_sizes(sizes, creation)
        self.in_channels, self.latent_channels = in_channels, creation.latent_channels
        self.num_steps, self.step_size, self.max_move = num_steps, step_size, max_move
        self.center, self.scale, self.spread = center, scale, spread
        widths = [in_channels, hidden_channels, hidden_channels, creation.latent_channels]
        self.mlp = MLP(widths, norm=None)
        self.pool = FSPool(creation.latent_channels, num_pieces, reduce="mean")
        self.creation = creation
        self.sizes = sizes
        self._draw_encoder()

    def _draw_encoder(self) -> None:
        for lin in self.mlp.lins:
            nn.init.xavier_uniform_(lin.weight)
            nn.init.zeros_(lin.bias)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            module.reset_parameters()  # type: ignore[operator]
        self._draw_encoder()

    def encode(self, batch: Batch) -> Tensor:
        r"""Return the latent vector of every set, :math:`[B, L]`.

        Args:
            batch: The sets: points :math:`[N, F]` as ``pos``, or as ``x`` where there is no
                ``pos``.

        Raises:
            ValueError: If points have another size or type, a set is empty, or ``ptr`` does not
                fit; and, on the CPU, if a point is not finite.
        """
        weight = self.mlp.lins[0].weight
        return self._represent(*read_points(batch, "batch", self.in_channels, weight))

    def decode(
        self,
        z: Tensor,
        num_nodes: Tensor | None = None,
        generator: torch.Generator | None = None,
        num_steps: int | None = None,
    ) -> list[Batch]:
        r"""Return the initial set of every latent vector and what each step makes of it.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every set, :math:`[B]`; by default the most likely one.
            generator: Where a stochastic creation draws from.
            num_steps: The number of steps; by default that of the model.

        Returns:
            Batches with the points :obj:`pos` :math:`[N, F]`, one more than steps. The last one is
            the decoded one. In evaluation mode only the first one asks for gradients, and those
            raise a :class:`RuntimeError`.

        Raises:
            ValueError: If sizes are neither given nor predicted, :obj:`num_steps` is negative, or
                the creation layer refuses the arguments.
        """
        num_steps = self.num_steps if num_steps is None else num_steps
        if num_steps < 0:
            raise ValueError(f"Expected 'num_steps' to be at least 0 (got {num_steps})")
        num_nodes = sizes_of(z, num_nodes, self.sizes)
        layout = Layout(num_nodes.cpu(), z.device)
        x = self.scale * self.creation(z, num_nodes, generator).x + self.center
        if num_steps > 0 and not self.training:
            x = _Refused.apply(x)
        sets = [build_batch(num_nodes, {"pos": x})]
        for _ in range(num_steps):
            x = self._step(x, z, layout)
            sets.append(build_batch(num_nodes, {"pos": x}))
        return sets

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> list[Batch]:
        r"""Encode sets and decode them at their true sizes.

        Args:
            batch: The sets, as :meth:`encode` takes them.
            generator: Where a stochastic creation draws from.
        """
        z = self.encode(batch)
        return self.decode(z, Layout.from_batch(batch).num_nodes, generator)

    def _represent(self, x: Tensor, layout: Layout) -> Tensor:
        seen = standardised(x, self.center, self.spread)
        return torch.as_tensor(self.pool(self.mlp(seen), layout))

    def _step(self, x: Tensor, z: Tensor, layout: Layout) -> Tensor:
        """One step of gradient descent on points, [N, F]."""
        keep = self.training and torch.is_grad_enabled()
        # The step needs its gradient even where the caller wants none.
        with torch.inference_mode(False), torch.enable_grad():
            if not keep:
                x, z = x.detach().clone(), z.detach().clone()
            x = x if x.requires_grad else x.detach().requires_grad_()
            gap = F.smooth_l1_loss(self._represent(x, layout), z, reduction="none")
            # A sum over sets: each has the gradient of its own loss.
            loss = gap.mean(dim=1).sum()
            (gradient,) = torch.autograd.grad(loss, x, create_graph=keep)
            move = self.step_size * gradient
            if self.max_move is not None:
                square = (move / self.max_move).square().sum(dim=1, keepdim=True)
                move = move * (1 + square).rsqrt()  # Unlike a norm, smooth at 0, too.
        return x - move if keep else (x - move).detach()


class _Refused(torch.autograd.Function):
    """Points as they are, of which nobody is to ask a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        raise RuntimeError(
            "Expected a DSPN in training mode for gradients of the sets that it decodes (got one "
            "in evaluation mode, which keeps nothing of its steps). Call 'train()' first."
        )


def _check(in_channels: int, creation: Creation, hidden_channels: int, num_steps: int) -> None:
    for name, value, least in (
        ("in_channels", in_channels, 1),
        ("hidden_channels", hidden_channels, 1),
        ("num_steps", num_steps, 0),
    ):
        if value < least:
            raise ValueError(f"Expected '{name}' to be at least {least} (got {value})")
    if creation.out_channels != in_channels:
        raise ValueError(
            f"Expected a creation layer that makes points of size {in_channels} "
            f"(got {creation.out_channels})"
        )
