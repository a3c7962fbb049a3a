"""Priors: where the latent vectors of new graphs come from."""

from pyg_topn.nn.prior.base import Prior
from pyg_topn.nn.prior.coupling_flow import CouplingFlowPrior
from pyg_topn.nn.prior.gaussian import GaussianPrior
from pyg_topn.nn.prior.one_step import OneStepPrior
from pyg_topn.nn.prior.rectified_flow import RectifiedFlowPrior

__all__ = ["CouplingFlowPrior", "GaussianPrior", "OneStepPrior", "Prior", "RectifiedFlowPrior"]
