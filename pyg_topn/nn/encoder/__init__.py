"""Encoders: from batches of graphs or sets to posteriors over latent vectors."""

from pyg_topn.nn.encoder.canonical_embedding import CanonicalEmbedding
from pyg_topn.nn.encoder.canonical_readout import CanonicalReadout
from pyg_topn.nn.encoder.condition_encoder import ConditionEncoder
from pyg_topn.nn.encoder.fspool import FSPool
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.encoder.graph_critic import GraphCritic, dense_weights
from pyg_topn.nn.encoder.graph_encoder import GraphEncoder
from pyg_topn.nn.encoder.pna_readout import PNAReadout
from pyg_topn.nn.encoder.set_encoder import SetEncoder

__all__ = [
    "CanonicalEmbedding",
    "CanonicalReadout",
    "ConditionEncoder",
    "DiagonalGaussian",
    "FSPool",
    "GraphCritic",
    "GraphEncoder",
    "PNAReadout",
    "SetEncoder",
    "dense_weights",
]
