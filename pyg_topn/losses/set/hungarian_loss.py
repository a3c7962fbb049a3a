"""The loss of the best assignment of one set to another of the same size."""

from __future__ import annotations

from torch import Tensor

from pyg_topn.losses.set._checks import check_choice
from pyg_topn.losses.set._transport import coupled_cost, optimal_coupling
from pyg_topn.losses.set.base import SetLoss
from pyg_topn.utils.layout import Layout


class HungarianLoss(SetLoss):
    r"""The mean cost of the best assignment of predicted points to those of the target, as `DSPN
    <https://arxiv.org/abs/1906.06565>`_ has it for CLEVR:

    .. math::
        \min_\pi \frac{1}{n} \sum_{i \le n} c(\mathbf{x}_i, \mathbf{x}'_{\pi(i)})

    with :math:`c` the sum over channels of :func:`~torch.nn.functional.smooth_l1_loss`. Channels
    are added up, as for :class:`ChamferLoss`; DSPN averages them. Both sets have the same size:
    where they do not in the data, pad them with points that a channel of their own marks as absent,
    as DSPN does, or take :class:`WassersteinLoss`. With ``distance="squared"`` both are the same.

    Assignments are solved by scipy on the CPU, in double precision. The gradient is that of the
    assignment held fixed.

    Args:
        distance: ``"smooth_l1"``, or ``"squared"`` for squared Euclidean distances.
        reduction: ``"mean"`` over sets, ``"sum"`` or ``"none"``.

    Shapes:
        - **input:** sets of :math:`[N, C]` points each, see :meth:`SetLoss.forward`
        - **output:** a scalar, or :math:`[B]`

    Raises:
        ValueError: If an argument has none of these values; in the call, if sizes differ.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> one = build_batch(torch.tensor([2]), {"x": torch.tensor([[0.0], [1.0]])})
        >>> other = build_batch(torch.tensor([2]), {"x": torch.tensor([[4.0], [0.0]])})
        >>> HungarianLoss()(one, other), HungarianLoss("squared")(one, other)
        (tensor(1.2500), tensor(4.5000))
    """

    def __init__(self, distance: str = "smooth_l1", reduction: str = "mean") -> None:
        super().__init__(reduction)
        check_choice("distance", distance, ("smooth_l1", "squared"))
        self.distance = distance

    def per_set(self, x: Tensor, layout: Layout, y: Tensor, target_layout: Layout) -> Tensor:
        """See :meth:`SetLoss.per_set`."""
        differ = (layout.num_nodes != target_layout.num_nodes).nonzero()
        if differ.numel() > 0:
            at = int(differ[0])
            raise ValueError(
                "Expected prediction and target of the same sizes (got "
                f"{int(layout.num_nodes[at])} and {int(target_layout.num_nodes[at])} points in set "
                f"{at}). WassersteinLoss and ChamferLoss take sets of different sizes"
            )
        coupling = optimal_coupling(x, layout, y, target_layout, self.distance)
        return coupled_cost(x, layout, y, coupling, self.distance)

    def extra_repr(self) -> str:
        """The arguments, in the order of the constructor."""
        return f"distance='{self.distance}', {super().extra_repr()}"
