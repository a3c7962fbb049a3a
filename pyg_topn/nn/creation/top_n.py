"""Top-n creation: the points of a learned reference set that suit the latent vector best."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.nn.creation.base import Creation


class TopNCreation(Creation):
    r"""The Top-n creation layer from the `"Top-N: Equivariant Set and Graph Generation without
    Exchangeability" <https://arxiv.org/abs/2110.02096>`_ paper (equations 5 to 10).

    .. math::
        \mathbf{a} &= \mathrm{MLP}_1(\mathbf{z}) \\
        c_i &= \frac{\boldsymbol{\phi}_i^{\top} \mathbf{a}}
            {\|\boldsymbol{\phi}_i\|_2 \, \|\mathbf{a}\|_2} \\
        \mathbf{s} &= \mathrm{argsort}_{\downarrow}(\mathbf{c})[:n] \\
        \tilde{\mathbf{c}} &= \mathrm{softmax}(\mathbf{c}[\mathbf{s}]) \\
        \mathbf{X}^0 &= \mathbf{R}[\mathbf{s}] \odot \tilde{\mathbf{c}} \mathbf{W}_1
            + \tilde{\mathbf{c}} \mathbf{W}_2 \\
        \mathbf{X}^0 &= \mathbf{X}^0 \odot \mathbf{1}_n \mathbf{z}^{\top} \mathbf{W}_3
            + \mathbf{1}_n \mathbf{z}^{\top} \mathbf{W}_4

    Every reference point has an angle :math:`\boldsymbol{\phi}_i`, which decides when it is
    selected, and a representation :math:`\mathbf{r}_i`. The selection is hard; gradients reach
    angles and MLP through the cosines that modulate the selected representations. The norm of
    :math:`\mathbf{a}`, which the paper leaves out, changes the softmax and not the selection.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        out_channels: The size of a created point, :math:`C`.
        num_reference_points: The size of the reference set, :math:`n_0`: no larger set can be
            created.
        angle_channels: The size of an angle, :math:`a`.
        hidden_channels: The hidden width of :math:`\mathrm{MLP}_1`.
        order: The order in which the selected points are listed. ``"reference"``, the order of
            the reference set, lets a row keep its identity when :math:`\mathbf{z}` moves;
            ``"cosine"`` lists the largest cosine first. The set is the same.
        times_size: Whether the softmax is multiplied by :math:`n`, so that the weights of a set
            average to 1 whatever its size. As printed in the paper they average to :math:`1 / n`,
            and :math:`\mathbf{R}[\mathbf{s}]` counts 17 times as much in a set of 2 points as in
            one of 35 beside what comes from :math:`\mathbf{z}`; no weight of the layer can undo it.
            For sets of nearly one size it makes no difference.
        cond_channels: See :class:`Creation`.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors, :math:`[B]` sizes
        - **output:** a batch of :math:`[N, C]` points, :math:`N = \sum_g n_g`

    Example:
        >>> create = TopNCreation(8, 16, num_reference_points=12)
        >>> batch = create(torch.randn(2, 8), torch.tensor([3, 12]))
        >>> batch
        DataBatch(x=[15, 16], batch=[15], ptr=[3])
        >>> batch[0]
        Data(x=[3, 16])
    """

    def __init__(
        self,
        latent_channels: int,
        out_channels: int,
        num_reference_points: int,
        angle_channels: int = 4,
        hidden_channels: int = 64,
        order: str = "reference",
        times_size: bool = False,
        cond_channels: int = 0,
    ) -> None:
        super().__init__(
            latent_channels, out_channels, num_reference_points, cond_channels=cond_channels
        )
        if order not in ("reference", "cosine"):
            raise ValueError(f"Expected 'order' to be 'reference' or 'cosine' (got '{order}')")
        if angle_channels < 1:
            raise ValueError(f"Expected 'angle_channels' to be at least 1 (got {angle_channels})")
        self.num_reference_points = num_reference_points
        self.angle_channels = angle_channels
        self.order = order
        self.times_size = times_size
        self.angle_mlp = MLP([latent_channels, hidden_channels, angle_channels], norm=None)
        self.angles = nn.Parameter(torch.empty(num_reference_points, angle_channels))
        self.representations = nn.Parameter(torch.empty(num_reference_points, out_channels))
        self.cosine_scale = nn.Linear(1, out_channels, bias=False)  # W1
        self.cosine_shift = nn.Linear(1, out_channels, bias=False)  # W2
        self.latent_scale = nn.Linear(latent_channels, out_channels, bias=False)  # W3
        self.latent_shift = nn.Linear(latent_channels, out_channels, bias=False)  # W4
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw the parameters anew.

        The cosine weights grow with :math:`n_0`, since the softmax over :math:`n` points is of
        order :math:`1/n` and would otherwise silence the representations. At first the angle of
        a latent vector is nearly the same for all, so that slots keep their points long enough
        for the layers behind to learn what to do with each.
        """
        super().reset_parameters()
        self.angle_mlp.reset_parameters()
        with torch.no_grad():
            last = self.angle_mlp.lins[-1]
            last.weight.mul_(0.1)
            last.bias.normal_()
        nn.init.normal_(self.angles)
        nn.init.normal_(self.representations)
        mean = 1.0 if self.times_size else float(self.num_reference_points)
        std = mean / self.num_reference_points
        nn.init.normal_(self.cosine_scale.weight, mean=mean, std=std)
        nn.init.normal_(self.cosine_shift.weight, std=std)
        nn.init.normal_(self.latent_scale.weight, std=1 / math.sqrt(self.latent_channels))
        nn.init.normal_(self.latent_shift.weight, std=1 / math.sqrt(self.latent_channels))

    def cosines(self, z: Tensor) -> Tensor:
        r"""Return the cosine of every reference angle with the angle of every latent vector.

        Args:
            z: The latent vectors, :math:`[B, L]`.

        Returns:
            The cosines, :math:`[B, n_0]` (equations 5 and 6).
        """
        # Not under autocast: cosines rounded to 8 bits tie, and other points would be selected.
        # The meta device knows no autocast.
        with nullcontext() if z.is_meta else torch.autocast(z.device.type, enabled=False):
            angle = F.normalize(self.angle_mlp(z.to(self.angles.dtype)), dim=-1)  # [B, a]
            return angle @ F.normalize(self.angles, dim=-1).t()  # [B, n_0]

    def select(self, cosines: Tensor, num_nodes: Tensor) -> tuple[Tensor, Tensor]:
        r"""Select the reference points of the largest cosines.

        Args:
            cosines: The cosines, :math:`[B, n_0]`.
            num_nodes: The size of every set, :math:`[B]`.

        Returns:
            The reference points by slot, :math:`[B, n_0]`, of which the first :math:`n_g` of
            graph :math:`g` are selected; and whether each reference point is, :math:`[B, n_0]`.
        """
        # Stable, so that equal cosines go to the same points whatever n is.
        ranked = cosines.detach().argsort(dim=1, descending=True, stable=True)
        slots = torch.arange(ranked.size(1), device=ranked.device)
        in_size = slots < num_nodes[:, None]  # [B, n_0], by rank
        selected = torch.zeros_like(in_size).scatter(1, ranked, in_size)  # by reference point
        if self.order == "reference":
            # Selected points first, each group in the order of the reference set.
            ranked = (~selected).to(torch.uint8).argsort(dim=1, stable=True)
        return ranked, selected

    def create(
        self, z: Tensor, batch: Tensor, ptr: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See :meth:`Creation.create`."""
        point, weight = self._selected(z, batch, ptr)
        x = self._table().index_select(0, point) * weight  # [N, C]
        x = x * self.latent_scale(z).index_select(0, batch)
        return x + self.latent_shift(z).index_select(0, batch)

    def _project(
        self,
        z: Tensor,
        batch: Tensor,
        ptr: Tensor,
        lin: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        # Equation 9 is bilinear in a reference point and the latent vector, so is what a linear
        # layer makes of it: all pairs of n0 points and B vectors take one product, with weights
        # [n0 D, L] that are worked out once, and N x C numbers are not written anywhere.
        number, width = self.num_reference_points, lin.out_features
        merged = number * width * self.latent_channels * (self.out_channels + z.size(0))
        if merged > batch.numel() * self.out_channels * width:
            return super()._project(z, batch, ptr, lin, generator)
        point, weight = self._selected(z, batch, ptr)
        table = (self._table().unsqueeze(1) * lin.weight).flatten(0, 1)  # [n0 D, C]
        scaled = F.linear(z, table @ self.latent_scale.weight)  # [B, n0 D]
        x = scaled.view(-1, width).index_select(0, batch * number + point) * weight  # [N, D]
        return x + lin(self.latent_shift(z)).index_select(0, batch)

    def _selected(self, z: Tensor, batch: Tensor, ptr: Tensor) -> tuple[Tensor, Tensor]:
        """The reference point of every point of the sets, [N], and its weight, [N, 1]."""
        cosines = self.cosines(z)
        slots, selected = self.select(cosines, ptr.diff())
        weights = cosines.masked_fill(~selected, -math.inf).softmax(dim=1)  # [B, n_0]
        if self.times_size:
            weights = weights * ptr.diff().unsqueeze(1)
        local = torch.arange(batch.numel(), device=batch.device) - ptr[batch]
        first = batch * self.num_reference_points
        # index_select, since the gradient of x[index] on the CPU takes several times as long.
        point = slots.flatten().index_select(0, first + local)  # s
        return point, weights.flatten().index_select(0, first + point).unsqueeze(-1)

    def _table(self) -> Tensor:
        """R W1 + W2, [n_0, C]: both terms of equation 9 are linear in the cosine, so this is taken
        once for the reference points, not for the selected ones."""
        return self.representations * self.cosine_scale.weight.t() + self.cosine_shift.weight.t()

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.latent_channels}, {self.out_channels}, "
            f"num_reference_points={self.num_reference_points}, "
            f"angle_channels={self.angle_channels}, order='{self.order}'"
            f"{', times_size=True' if self.times_size else ''})"
        )
