"""The contract of every loss between point sets."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.losses.set._checks import REDUCTIONS, check_choice, reduced
from pyg_topn.utils._points import read_points
from pyg_topn.utils.layout import Layout


class SetLoss(nn.Module, ABC):
    r"""Base class of the losses between point sets of mixed sizes.

    The value does not depend on the order of the points, neither of the prediction nor of the
    target: :math:`l(\pi . X, \hat{X}) = l(X, \hat{X})` (condition 2 of lemma 1 in the `Top-n paper
    <https://arxiv.org/abs/2110.02096>`_). A variant implements :meth:`per_set`.

    Args:
        reduction: What is made of the value of every set: ``"mean"`` over sets, ``"sum"``, or
            ``"none"``.

    Raises:
        ValueError: If there is no such reduction.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_choice("reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    @abstractmethod
    def per_set(self, x: Tensor, layout: Layout, y: Tensor, target_layout: Layout) -> Tensor:
        r"""Return the loss of every set, :math:`[B]`; the arguments are checked.

        Args:
            x: The predicted points, :math:`[N, C]`, of at least single precision.
            layout: Which set they belong to.
            y: The points of the target, :math:`[M, C]`, of the same type.
            target_layout: Which set they belong to.
        """

    def forward(self, prediction: Batch, target: Batch) -> Tensor:
        r"""Compare every predicted set with the target set of the same number.

        Args:
            prediction: The predicted sets: points :math:`[N, C]` as ``pos``, or as ``x`` where
                there is no ``pos``, with ``ptr`` :math:`[B + 1]`.
            target: The target sets, :math:`[M, C]`, in the same format. Sizes may differ from those
                of the prediction unless the loss says otherwise.

        Returns:
            A scalar, or :math:`[B]` with ``reduction="none"``. The mean over no sets is 0.

        Raises:
            ValueError: If prediction and target differ in the number of sets or channels, if a set
                is empty, if a point is not finite, or if ``ptr`` or ``batch`` is wrong. To look at
                the points waits for the device that they lie on.
        """
        x, layout = read_points(prediction, "prediction")
        y, target_layout = read_points(target, "target")
        if layout.num_graphs != target_layout.num_graphs:
            raise ValueError(
                f"Expected a target of as many sets as the prediction, {layout.num_graphs} "
                f"(got {target_layout.num_graphs})"
            )
        if x.size(1) != y.size(1):
            raise ValueError(
                f"Expected target points of as many channels as the prediction's, {x.size(1)} "
                f"(got {y.size(1)})"
            )
        # Not half precision: squares of coordinates overflow it, and their differences vanish.
        dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
        values = self.per_set(x.to(dtype), layout, y.to(dtype), target_layout)
        return reduced(values, self.reduction)

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        return f"reduction='{self.reduction}'"
