"""A penalty on points that are too close to each other."""

from __future__ import annotations

from torch import Tensor

from pyg_topn.losses.set._checks import check_positive
from pyg_topn.losses.set._regularizer import PointRegularizer


class MinDistanceRegularizer(PointRegularizer):
    r"""The regulariser :math:`reg_2` of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_
    (D.2), which keeps the points of a set apart:

    .. math::
        reg_2(X) = \sum_{1 \le i < j \le n} (d_0 - \| \mathbf{x}_i - \mathbf{x}_j \|_2)_+

    Two points at the same place are penalised without a gradient: no direction is better.

    Args:
        min_distance: The distance :math:`d_0` that points should keep.
        reduction: ``"mean"`` over sets, ``"sum"`` or ``"none"``.

    Shapes:
        - **input:** sets of :math:`[N, C]` points, a PyG batch with ``pos`` or ``x``
        - **output:** a scalar, or :math:`[B]`

    Raises:
        ValueError: If :obj:`min_distance` is not positive, or there is no such reduction.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> points = torch.tensor([[0.0, 0.0], [0.25, 0.0], [3.0, 0.0]])
        >>> MinDistanceRegularizer()(build_batch(torch.tensor([3]), {"x": points}))
        tensor(0.7500)
    """

    def __init__(self, min_distance: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        check_positive("min_distance", min_distance)
        self.min_distance = min_distance

    def per_set(self, distances: Tensor) -> Tensor:
        """The penalty of every set, :math:`[B]`; every pair is met twice."""
        return (self.min_distance - distances).relu().sum(dim=(1, 2)) / 2

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        return f"min_distance={self.min_distance}, reduction='{self.reduction}'"
