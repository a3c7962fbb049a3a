"""What the regularisers of point sets have in common: distances within a set, and a reduction."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.losses.set._checks import REDUCTIONS, check_choice, reduced
from pyg_topn.losses.set._cost import pairwise_cost
from pyg_topn.utils._points import read_points
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.precision import at_least_float32


class PointRegularizer(nn.Module, ABC):
    """A penalty on the distances between the points of a set."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        check_choice("reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    @abstractmethod
    def per_set(self, distances: Tensor) -> Tensor:
        """The penalty of every set, [B], from distances [B, n, n] that are infinite between a point
        and itself or padding."""

    def forward(self, prediction: Batch) -> Tensor:
        r"""Return the penalty.

        Args:
            prediction: The sets: points :math:`[N, C]` as ``pos``, or as ``x`` where there is no
                ``pos``, with ``ptr`` :math:`[B + 1]`.

        Returns:
            A scalar, or :math:`[B]` with ``reduction="none"``. The mean over no sets is 0.

        Raises:
            ValueError: If a set is empty, a point not finite, or ``ptr`` or ``batch`` wrong.
        """
        x, layout = read_points(prediction, "prediction")
        x = at_least_float32(x)
        return reduced(self.per_set(_distances(x, layout)), self.reduction)


def _distances(x: Tensor, layout: Layout) -> Tensor:
    padded, mask = layout.pad(x), layout.mask
    pairs = mask.unsqueeze(2) & mask.unsqueeze(1)
    pairs = pairs & ~torch.eye(mask.size(1), dtype=torch.bool, device=mask.device)
    return pairwise_cost(padded, padded, "euclidean").masked_fill(~pairs, torch.inf)
