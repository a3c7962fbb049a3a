"""The Wasserstein distance between point sets, exact."""

from __future__ import annotations

from torch import Tensor

from pyg_topn.losses.set._checks import check_choice
from pyg_topn.losses.set._transport import coupled_cost, optimal_coupling
from pyg_topn.losses.set.base import SetLoss
from pyg_topn.utils.layout import Layout

_DISTANCES = {1: "euclidean", 2: "squared"}


class WassersteinLoss(SetLoss):
    r"""The Wasserstein distance between the uniform distributions on two sets, exact and to its
    power :math:`p` (appendix B of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_):

    .. math::
        W_p^p(X, X') = \min_{u \in \Gamma(X, X')} \sum_{i \le n, j \le n'}
            u_{ij} \, \| \mathbf{x}_i - \mathbf{x}'_j \|_2^p

    over the couplings :math:`\Gamma`, whose rows add up to :math:`1 / n` and whose columns to
    :math:`1 / n'`: a mean over points, so that sets of all sizes weigh the same. With :math:`p = 2`
    this is :math:`W_2^2`, without a root, which is what appendix B calls :math:`d_{W_2}` and what
    enters the loss of D.2. With :math:`p = 1` it is :math:`W_1`: the figures of the paper's tables
    4 and 6 are of Euclidean distances that are not squared in the code that made them.

    Sets of the same size are solved as assignments, by scipy. Where sizes differ, by optimal
    transport, which needs the extra ``ot``; if the least common multiple of the two sizes is at
    most 48, that too as an assignment of repeated points, which is faster. All of it happens on
    the CPU in double precision. The gradient is that of the cost with the coupling held fixed,
    which is the gradient of the distance wherever that has one (envelope theorem).

    Args:
        p: 2 or 1.
        reduction: ``"mean"`` over sets, ``"sum"`` or ``"none"``.

    Shapes:
        - **input:** sets of :math:`[N, C]` and :math:`[M, C]` points, see :meth:`SetLoss.forward`
        - **output:** a scalar, or :math:`[B]`

    Raises:
        ValueError: If an argument has none of these values.
        ImportError: In the call, if sizes differ and the extra ``ot`` is not installed.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> one = build_batch(torch.tensor([2]), {"x": torch.tensor([[0.0], [1.0]])})
        >>> other = build_batch(torch.tensor([2]), {"x": torch.tensor([[4.0], [0.0]])})
        >>> WassersteinLoss()(one, other), WassersteinLoss(p=1)(one, other)
        (tensor(4.5000), tensor(1.5000))
    """

    def __init__(self, p: int = 2, reduction: str = "mean") -> None:
        super().__init__(reduction)
        check_choice("p", p, tuple(_DISTANCES))
        self.p = p

    def per_set(self, x: Tensor, layout: Layout, y: Tensor, target_layout: Layout) -> Tensor:
        """See :meth:`SetLoss.per_set`."""
        distance = _DISTANCES[self.p]
        coupling = optimal_coupling(x, layout, y, target_layout, distance)
        return coupled_cost(x, layout, y, coupling, distance)

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        return f"p={self.p}, {super().extra_repr()}"
