"""The Chamfer loss."""

from __future__ import annotations

from torch import Tensor
from torch_geometric.utils import scatter

from pyg_topn.losses.set._checks import check_choice
from pyg_topn.losses.set._cost import paired_cost
from pyg_topn.losses.set._nearest import nearest
from pyg_topn.losses.set.base import SetLoss
from pyg_topn.utils.layout import Layout


class ChamferLoss(SetLoss):
    r"""The Chamfer loss of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (appendix B):
    every point goes with the nearest point of the other set,

    .. math::
        d(X, X') = \sum_{i \le n} \min_{j \le n'} c(\mathbf{x}_i, \mathbf{x}'_j)
            + \sum_{j \le n'} \min_{i \le n} c(\mathbf{x}_i, \mathbf{x}'_j)

    with :math:`c(\mathbf{x}, \mathbf{x}') = \| \mathbf{x} - \mathbf{x}' \|_2^2`. Channels are added
    up, never averaged (D.1).

    The formula adds up points as well. The figures of the paper's table 1 are means over points, in
    each direction over its own: ``point_reduction="mean"``.

    Nearest points are searched for in chunks, and the gradient needs only who they are. So the
    memory is linear in the number of points, forwards and backwards, and 64 sets of 2,000 points
    with others of 2,000 take some tens of megabytes.

    Args:
        distance: ``"squared"``, or ``"smooth_l1"`` for :math:`c` the sum over channels of
            :func:`~torch.nn.functional.smooth_l1_loss`, as DSPN and TSPN have it. It decides also
            which point is the nearest.
        point_reduction: ``"sum"`` over points, or ``"mean"``.
        reduction: ``"mean"`` over sets, ``"sum"`` or ``"none"``.

    Shapes:
        - **input:** sets of :math:`[N, C]` and :math:`[M, C]` points, see :meth:`SetLoss.forward`
        - **output:** a scalar, or :math:`[B]`

    Raises:
        ValueError: If an argument has none of these values.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> one = build_batch(torch.tensor([2]), {"x": torch.tensor([[0.0, 0.0], [3.0, 0.0]])})
        >>> other = build_batch(torch.tensor([1]), {"x": torch.tensor([[1.0, 0.0]])})
        >>> ChamferLoss()(one, other), ChamferLoss(point_reduction="mean")(one, other)
        (tensor(6.), tensor(3.5000))
    """

    def __init__(
        self,
        distance: str = "squared",
        point_reduction: str = "sum",
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        check_choice("distance", distance, ("squared", "smooth_l1"))
        check_choice("point_reduction", point_reduction, ("sum", "mean"))
        self.distance = distance
        self.point_reduction = point_reduction

    def per_set(self, x: Tensor, layout: Layout, y: Tensor, target_layout: Layout) -> Tensor:
        """See :meth:`SetLoss.per_set`."""
        to_target = nearest(x, layout, y, target_layout, self.distance)  # [N]
        to_prediction = nearest(y, target_layout, x, layout, self.distance)  # [M]
        there = paired_cost(x, y.index_select(0, to_target), self.distance)
        back = paired_cost(x.index_select(0, to_prediction), y, self.distance)
        return self._over_points(there, layout) + self._over_points(back, target_layout)

    def _over_points(self, cost: Tensor, layout: Layout) -> Tensor:
        return scatter(cost, layout.batch, dim_size=layout.num_graphs, reduce=self.point_reduction)

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        first = f"distance='{self.distance}', point_reduction='{self.point_reduction}'"
        return f"{first}, {super().extra_repr()}"
