"""A penalty on points without a neighbour or with too many."""

from __future__ import annotations

from torch import Tensor

from pyg_topn.losses.set._checks import check_positive
from pyg_topn.losses.set._regularizer import PointRegularizer


class NeighborRegularizer(PointRegularizer):
    r"""The regulariser :math:`reg_3` of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_
    (D.2), which gives every point a neighbour, but not too many. A neighbour is a point at less
    than :math:`d_1`. With :math:`s^i_0 \le s^i_1 \le \dots` the distances from point :math:`i` to
    the :math:`n - 1` others, sorted,

    .. math::
        reg_3(X) = \sum_{1 \le i \le n} \Big( (s^i_0 - d_1)_+
            + \sum_{j \ge \text{max-valency}} (d_1 - s^i_j)_+ \Big)

    A set of one point, which can have no neighbour, costs nothing.

    Args:
        neighbor_distance: The distance :math:`d_1` below which points are neighbours.
        max_valency: How many neighbours a point may have.
        reduction: ``"mean"`` over sets, ``"sum"`` or ``"none"``.

    Shapes:
        - **input:** sets of :math:`[N, C]` points, a PyG batch with ``pos`` or ``x``
        - **output:** a scalar, or :math:`[B]`

    Raises:
        ValueError: If :obj:`neighbor_distance` is not positive, :obj:`max_valency` below 1, or
            there is no such reduction.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> batch = build_batch(torch.tensor([3]), {"x": torch.tensor([[0.0], [1.0], [3.5]])})
        >>> NeighborRegularizer()(batch), NeighborRegularizer(3.0, max_valency=1)(batch)
        (tensor(0.5000), tensor(0.5000))
    """

    def __init__(
        self, neighbor_distance: float = 2.0, max_valency: int = 4, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        check_positive("neighbor_distance", neighbor_distance)
        if max_valency < 1:
            raise ValueError(f"Expected 'max_valency' to be at least 1 (got {max_valency})")
        self.neighbor_distance = neighbor_distance
        self.max_valency = max_valency

    def per_set(self, distances: Tensor) -> Tensor:
        """The penalty of every set, :math:`[B]`."""
        distances = distances.sort(dim=2).values
        first = distances[:, :, :1]
        # There is no first neighbour of a point alone, nor of padding.
        lonely = (first - self.neighbor_distance).masked_fill(first.isinf(), 0).relu()
        crowded = (self.neighbor_distance - distances[:, :, self.max_valency :]).relu()
        return lonely.sum(dim=(1, 2)) + crowded.sum(dim=(1, 2))

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        return (
            f"neighbor_distance={self.neighbor_distance}, max_valency={self.max_valency}, "
            f"reduction='{self.reduction}'"
        )
