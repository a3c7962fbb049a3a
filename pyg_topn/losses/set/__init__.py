"""Losses on sets: how far predicted points are from a target, and what is asked of them alone."""

from pyg_topn.losses.set.base import SetLoss
from pyg_topn.losses.set.chamfer_loss import ChamferLoss
from pyg_topn.losses.set.hungarian_loss import HungarianLoss
from pyg_topn.losses.set.min_distance_regularizer import MinDistanceRegularizer
from pyg_topn.losses.set.neighbor_regularizer import NeighborRegularizer
from pyg_topn.losses.set.resolver import SET_LOSSES, set_loss_resolver
from pyg_topn.losses.set.sinkhorn_loss import SinkhornLoss
from pyg_topn.losses.set.wasserstein_loss import WassersteinLoss

__all__ = [
    "SET_LOSSES",
    "ChamferLoss",
    "HungarianLoss",
    "MinDistanceRegularizer",
    "NeighborRegularizer",
    "SetLoss",
    "SinkhornLoss",
    "WassersteinLoss",
    "set_loss_resolver",
]
