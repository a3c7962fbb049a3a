"""Pooling of sets by sorting every feature."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyg_topn.utils.layout import Layout


class FSPool(nn.Module):
    r"""The featurewise sort pooling of the `"FSPool: Learning Set Representations with Featurewise
    Sort Pooling" <https://arxiv.org/abs/1906.02795>`_ paper: every feature is sorted across the
    points of its set, and what is sorted is added up with learned weights,

    .. math::
        y_c = \sum_{j=1}^{n} f_c \Big( \frac{j - 1}{n - 1} \Big) \, x_{\downarrow j, c}

    where :math:`x_{\downarrow 1, c} \geq x_{\downarrow 2, c} \geq \dots` and :math:`f_c` is
    piecewise linear on :math:`k` pieces of the same length: :math:`k + 1` numbers that are learned,
    whatever :math:`n` is. A point alone has the weight :math:`f_c(0)`.

    Sets of all sizes are sorted together. The result can be differentiated any number of times;
    the order counts as fixed.

    Args:
        channels: The number of features, :math:`C`.
        num_pieces: The number of pieces, :math:`k`.
        reduce: ``"sum"``, or ``"mean"`` to divide by :math:`n`, so that large sets have no larger
            representations than small ones.

    Shapes:
        - **input:** :math:`[N, C]` points, their :class:`~pyg_topn.utils.Layout`
        - **output:** :math:`[B, C]`; zeros for a set without points

    Raises:
        ValueError: If a number is below 1 or there is no such :obj:`reduce`.

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> FSPool(8)(torch.randn(5, 8), layout).shape
        torch.Size([2, 8])
    """

    def __init__(self, channels: int, num_pieces: int = 20, reduce: str = "sum") -> None:
        super().__init__()
        for name, value in (("channels", channels), ("num_pieces", num_pieces)):
            if value < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
        if reduce not in ("sum", "mean"):
            raise ValueError(f"Expected 'reduce' to be 'sum' or 'mean' (got {reduce!r})")
        self.channels, self.num_pieces, self.reduce = channels, num_pieces, reduce
        self.weight = nn.Parameter(torch.empty(channels, num_pieces + 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        r"""Pool the points of every set.

        Args:
            x: The points, :math:`[N, C]`.
            layout: Which points belong to which set.

        Raises:
            ValueError: If the shape is another one.
        """
        expected = (layout.batch.numel(), self.channels)
        if tuple(x.shape) != expected:
            raise ValueError(f"Expected points of shape {expected} (got {tuple(x.shape)})")
        inside = layout.mask.unsqueeze(1)  # [B, 1, n]
        # Contiguous rows are sorted several times as fast as columns.
        padded = layout.pad(x).transpose(1, 2).contiguous()  # [B, C, n]
        ordered = padded.masked_fill(~inside, -torch.inf).sort(dim=2, descending=True).values
        # The padding comes last, so the mask is the same before and after.
        ordered = ordered.masked_fill(~inside, 0)
        # The weights are linear in what is learned, which enters once a set, not once a point.
        pieces = ordered @ self._hats(layout, x.dtype)  # [B, C, k + 1]
        return (pieces * self.weight).sum(dim=2)

    def _hats(self, layout: Layout, dtype: torch.dtype) -> Tensor:
        """The share of each of the k + 1 numbers in the weight of every place, [B, n, k + 1]."""
        sizes = layout.mask.sum(dim=1)[:, None, None].to(dtype)  # [B, 1, 1]
        place = torch.arange(layout.max_num_nodes, device=sizes.device, dtype=dtype)[:, None]
        knot = torch.arange(self.num_pieces + 1, device=sizes.device, dtype=dtype)
        position = self.num_pieces * place / (sizes - 1).clamp(min=1)
        hats = (1 - (position - knot).abs()).relu()
        return hats / sizes.clamp(min=1) if self.reduce == "mean" else hats

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        return f"{self.channels}, num_pieces={self.num_pieces}, reduce='{self.reduce}'"
