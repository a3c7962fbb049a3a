"""Losses on sets by name."""

from __future__ import annotations

from typing import Any

from pyg_topn.losses.set.base import SetLoss
from pyg_topn.losses.set.chamfer_loss import ChamferLoss
from pyg_topn.losses.set.hungarian_loss import HungarianLoss
from pyg_topn.losses.set.sinkhorn_loss import SinkhornLoss
from pyg_topn.losses.set.wasserstein_loss import WassersteinLoss

SET_LOSSES: dict[str, type[SetLoss]] = {
    "chamfer": ChamferLoss,
    "hungarian": HungarianLoss,
    "sinkhorn": SinkhornLoss,
    "wasserstein": WassersteinLoss,
}


def set_loss_resolver(query: SetLoss | str, **kwargs: Any) -> SetLoss:
    r"""Return a loss on sets by its name.

    Args:
        query: ``"chamfer"``, ``"hungarian"``, ``"sinkhorn"`` or ``"wasserstein"``; a loss is
            returned as it is.
        **kwargs: The arguments of the loss.

    Raises:
        ValueError: If there is no such loss.
        TypeError: If it is neither a loss nor a string, or if the loss has no such argument.

    Example:
        >>> set_loss_resolver("chamfer", distance="smooth_l1")
        ChamferLoss(distance='smooth_l1', point_reduction='sum', reduction='mean')
    """
    if isinstance(query, SetLoss):
        return query
    if not isinstance(query, str):
        raise TypeError(f"Expected a loss on sets or its name (got {type(query).__name__})")
    if query not in SET_LOSSES:
        raise ValueError(f"Expected a loss on sets among {', '.join(SET_LOSSES)} (got '{query}')")
    return SET_LOSSES[query](**kwargs)
