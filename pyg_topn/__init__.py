"""One-shot generation of sets and graphs with PyTorch Geometric."""

from pyg_topn.losses import GraphVAELoss, PriorRegularizer
from pyg_topn.models import GraphVAE, build_graph_vae
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
    "SizeDistribution",
    "SizePredictor",
    "TopNCreation",
    "build_graph_vae",
    "creation_resolver",
    "load",
    "save",
]
