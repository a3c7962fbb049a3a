"""The Sinkhorn divergence, a smooth Wasserstein distance for accelerators."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.losses.set._checks import check_positive
from pyg_topn.losses.set._cost import pairwise_cost
from pyg_topn.losses.set.base import SetLoss
from pyg_topn.utils.layout import Layout

_SELF_ITERS = 30  # The error is then 1e-9 of the first, at most.


class SinkhornLoss(SetLoss):
    r"""The Sinkhorn divergence (`Feydy et al. <https://arxiv.org/abs/1810.08278>`_; appendix B of
    the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ names it for accelerators):

    .. math::
        S_\varepsilon(X, X') = \mathrm{OT}_\varepsilon(X, X')
            - \tfrac{1}{2} \mathrm{OT}_\varepsilon(X, X)
            - \tfrac{1}{2} \mathrm{OT}_\varepsilon(X', X'), \qquad
        \mathrm{OT}_\varepsilon(X, X') = \min_{u \in \Gamma(X, X')} \langle u, C \rangle
            + \varepsilon \, \mathrm{KL}(u \,\|\, \tfrac{1}{n} \otimes \tfrac{1}{n'})

    with :math:`C_{ij} = \| \mathbf{x}_i - \mathbf{x}'_j \|_2^2`. It tends to :math:`W_2^2`, the
    value of :class:`WassersteinLoss`, as :math:`\varepsilon \to 0`, and is 0 for equal sets at any
    :math:`\varepsilon`: the last two terms remove the bias that makes a smoothed distance favour
    sets that are shrunk.

    Sinkhorn's iterations in the log domain, with :math:`\varepsilon` falling from the largest cost
    to its value during the first half of them; 30 for a set with itself, which converges fast.
    Their number is fixed, so that a set gets the same value whatever the rest of the batch, and
    nothing in them waits for the device. The value is that of the dual problem, never above the
    true :math:`\mathrm{OT}_\varepsilon` and off by the square of what the potentials are off. The
    gradient is that of the potentials held fixed (envelope theorem).
    Memory is a few times :math:`B \, n_{\max} n'_{\max}` numbers.

    Args:
        epsilon: The strength of the smoothing. Smaller ones need more iterations.
        relative: Whether :obj:`epsilon` is a share of the mean cost between the two sets, which is
            held fixed in the gradient, or a squared distance itself.
        num_iters: The number of iterations for a set and its target.
        reduction: ``"mean"`` over sets, ``"sum"`` or ``"none"``.

    Shapes:
        - **input:** sets of :math:`[N, C]` and :math:`[M, C]` points, see :meth:`SetLoss.forward`
        - **output:** a scalar, or :math:`[B]`

    Raises:
        ValueError: If :obj:`epsilon` is not positive or :obj:`num_iters` below 1.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> one = build_batch(torch.tensor([2]), {"x": torch.tensor([[0.0], [1.0]])})
        >>> other = build_batch(torch.tensor([2]), {"x": torch.tensor([[4.0], [0.0]])})
        >>> round(float(SinkhornLoss()(one, other)), 3)
        4.5
    """

    def __init__(
        self,
        epsilon: float = 0.01,
        relative: bool = True,
        num_iters: int = 100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        check_positive("epsilon", epsilon)
        if num_iters < 1:
            raise ValueError(f"Expected 'num_iters' to be at least 1 (got {num_iters})")
        self.epsilon = epsilon
        self.relative = relative
        self.num_iters = num_iters

    def per_set(self, x: Tensor, layout: Layout, y: Tensor, target_layout: Layout) -> Tensor:
        """See :meth:`SetLoss.per_set`."""
        if layout.num_graphs == 0:
            return (x.sum() + y.sum()).expand(0)
        padded, target = layout.pad(x), target_layout.pad(y)
        log_a, log_b = _log_mass(layout, x), _log_mass(target_layout, x)
        cost = pairwise_cost(padded, target, "squared")  # [B, n, m]
        farthest = _largest(cost.detach(), log_a, log_b)
        epsilon = self._epsilon(cost.detach(), log_a, log_b)
        potentials = self._cross(cost.detach(), log_a, log_b, epsilon)
        value = _dual(cost, log_a, log_b, epsilon, potentials)
        for points, log_mass in ((padded, log_a), (target, log_b)):
            cost = pairwise_cost(points, points, "squared")
            potential = _symmetric(cost.detach(), log_mass, epsilon)
            value = value - _dual(cost, log_mass, log_mass, epsilon, (potential, potential)) / 2
        # Costs that overflow have no potentials.
        return torch.where(farthest.isfinite().squeeze(1), value, torch.inf)

    def _epsilon(self, cost: Tensor, log_a: Tensor, log_b: Tensor) -> Tensor:
        """Of every set, [B, 1]."""
        if not self.relative:
            return cost.new_full((cost.size(0), 1), self.epsilon)
        mean = torch.einsum("bi,bij,bj->b", log_a.exp(), cost, log_b.exp())
        # All costs are 0 where the mean is: then any will do.
        smallest = torch.finfo(cost.dtype).tiny ** 0.5
        return (self.epsilon * mean).clamp(min=smallest).unsqueeze(1)

    def _annealed(self, epsilon: Tensor, top: Tensor, step: int) -> Tensor:
        top = torch.maximum(top, epsilon)
        return top * (epsilon / top) ** min(1.0, 2 * step / self.num_iters)

    # The solver for batches of POT (ot.batch, 0.9.7) gets padded points of mass 0 right with
    # reg_type="entropy", though its potentials are infinite there, and NaN with "kl". It stops when
    # the worst set of the batch has converged, so that a set gets another value in another batch;
    # it asks the device for that every 10 iterations; it takes one epsilon for all sets, and does
    # not let it fall: at 1e-4 of the mean cost, 1,000 iterations give half the distance. So these.
    @torch.no_grad()
    def _cross(
        self, cost: Tensor, log_a: Tensor, log_b: Tensor, epsilon: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The potentials of two sets, [B, n] and [B, m]."""
        top = _largest(cost, log_a, log_b)
        f, g = torch.zeros_like(log_a), torch.zeros_like(log_b)
        transposed = cost.mT.contiguous()
        for step in range(self.num_iters):
            now = self._annealed(epsilon, top, step)
            f = _soft_min(cost, g, log_b, now)
            g = _soft_min(transposed, f, log_a, now)
        return f, g

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        first = f"epsilon={self.epsilon}, relative={self.relative}, num_iters={self.num_iters}"
        return f"{first}, {super().extra_repr()}"


def _log_mass(layout: Layout, like: Tensor) -> Tensor:
    """The logarithm of one over the size, minus infinity in the padding, [B, n]."""
    sizes = layout.mask.sum(dim=1, keepdim=True)
    mass = -sizes.to(like.dtype).log().expand(layout.mask.shape)
    return mass.masked_fill(~layout.mask, -torch.inf)


@torch.no_grad()
def _symmetric(cost: Tensor, log_mass: Tensor, epsilon: Tensor) -> Tensor:
    """The potential of a set with itself, [B, n]."""
    f = torch.zeros_like(log_mass)
    # The mean of the old and the new one: the map from one to the other has eigenvalues from -1 to
    # 0, so every step halves the error at least, at any epsilon.
    for _ in range(_SELF_ITERS):
        f = (f + _soft_min(cost, f, log_mass, epsilon)) / 2
    return f


def _largest(cost: Tensor, log_a: Tensor, log_b: Tensor) -> Tensor:
    """The largest cost of every set outside the padding, [B, 1]."""
    inside = log_a.isfinite().unsqueeze(2) & log_b.isfinite().unsqueeze(1)
    return cost.masked_fill(~inside, 0).flatten(1).amax(dim=1, keepdim=True)


def _soft_min(cost: Tensor, other: Tensor, log_mass: Tensor, epsilon: Tensor) -> Tensor:
    """The potential that the other one calls for, [B, n] from costs [B, n, m]. Padding of the other
    set has no mass; a padded point of this one gets a finite value that nothing uses."""
    weighted = log_mass + other / epsilon  # [B, m]
    scores = weighted.unsqueeze(1) - cost / epsilon.unsqueeze(2)
    return -epsilon * scores.logsumexp(dim=2)


def _dual(
    cost: Tensor, log_a: Tensor, log_b: Tensor, epsilon: Tensor, potentials: tuple[Tensor, Tensor]
) -> Tensor:
    """The dual value at two potentials, [B]. Its derivative by the cost is the coupling."""
    f, g = potentials
    a, b = log_a.exp(), log_b.exp()
    scores = (log_a + f / epsilon).unsqueeze(2) + (log_b + g / epsilon).unsqueeze(1)
    mass = (scores - cost / epsilon.unsqueeze(2)).exp().sum(dim=(1, 2))
    return (a * f).sum(dim=1) + (b * g).sum(dim=1) - epsilon.squeeze(1) * (mass - 1)
