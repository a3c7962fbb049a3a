"""Losses: what a prediction is compared with, and how."""

from pyg_topn.losses.graph_vae import GraphVAELoss, aligned_pair_type
from pyg_topn.losses.prior_regularizer import PriorRegularizer

__all__ = ["GraphVAELoss", "PriorRegularizer", "aligned_pair_type"]
