"""One-shot generation of sets and graphs with PyTorch Geometric."""

from pyg_topn.losses import GraphVAELoss, PriorRegularizer, SetVAELoss
from pyg_topn.models import GraphVAE, SetVAE, build_graph_vae, build_set_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation import (
    FirstNCreation,
    IIDCreation,
    MLPCreation,
    SizeDistribution,
    SizePredictor,
    TopNCreation,
)
from pyg_topn.pretrained import load, save
from pyg_topn.resolver import creation_resolver

__version__ = "0.1.0"

__all__ = [
    "FirstNCreation",
    "GraphVAE",
    "GraphVAELoss",
    "IIDCreation",
    "MLPCreation",
    "MoleculeVocabulary",
    "PriorRegularizer",
    "SetVAE",
    "SetVAELoss",
    "SizeDistribution",
    "SizePredictor",
    "TopNCreation",
    "build_graph_vae",
    "build_set_vae",
    "creation_resolver",
    "load",
    "save",
]
