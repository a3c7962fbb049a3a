"""Creation layers: from latent vectors to batches of initial points."""

from pyg_topn.nn.creation.base import Creation
from pyg_topn.nn.creation.first_n import FirstNCreation
from pyg_topn.nn.creation.iid import IIDCreation
from pyg_topn.nn.creation.mlp import MLPCreation
from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.creation.size_predictor import SizePredictor
from pyg_topn.nn.creation.top_n import TopNCreation

__all__ = [
    "Creation",
    "FirstNCreation",
    "IIDCreation",
    "MLPCreation",
    "SizeDistribution",
    "SizePredictor",
    "TopNCreation",
]
