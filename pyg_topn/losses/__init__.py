"""Losses: what a prediction is compared with, and how."""

from pyg_topn.losses.graph_gan import GraphGANLoss, gradient_penalty
from pyg_topn.losses.graph_vae import GraphVAELoss, aligned_pair_type
from pyg_topn.losses.prior_regularizer import PriorRegularizer

# Public here too, but not in __all__: the reference documents them once, where they are defined.
from pyg_topn.losses.set import SET_LOSSES as SET_LOSSES
from pyg_topn.losses.set import ChamferLoss as ChamferLoss
from pyg_topn.losses.set import HungarianLoss as HungarianLoss
from pyg_topn.losses.set import MinDistanceRegularizer as MinDistanceRegularizer
from pyg_topn.losses.set import NeighborRegularizer as NeighborRegularizer
from pyg_topn.losses.set import SetLoss as SetLoss
from pyg_topn.losses.set import SinkhornLoss as SinkhornLoss
from pyg_topn.losses.set import WassersteinLoss as WassersteinLoss
from pyg_topn.losses.set import set_loss_resolver as set_loss_resolver
from pyg_topn.losses.set_vae import SetVAELoss
from pyg_topn.losses.target_pairs import target_pairs

__all__ = [
    "GraphGANLoss",
    "GraphVAELoss",
    "PriorRegularizer",
    "SetVAELoss",
    "aligned_pair_type",
    "gradient_penalty",
    "target_pairs",
]
