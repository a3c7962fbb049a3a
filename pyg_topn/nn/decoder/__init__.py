"""Decoders: from points to distributions over graphs, and to sets."""

from pyg_topn.nn.decoder.graph_decoder import GraphDecoder
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution, expected_valency
from pyg_topn.nn.decoder.neighbor_embedding import NeighborEmbedding
from pyg_topn.nn.decoder.pair_refinement import PairRefinement
from pyg_topn.nn.decoder.relax import perturb, relax
from pyg_topn.nn.decoder.set2graph import Set2Graph
from pyg_topn.nn.decoder.set_decoder import SetDecoder
from pyg_topn.nn.decoder.valency_capped import valency_capped_mode

__all__ = [
    "GraphDecoder",
    "GraphDistribution",
    "NeighborEmbedding",
    "PairRefinement",
    "Set2Graph",
    "SetDecoder",
    "expected_valency",
    "perturb",
    "relax",
    "valency_capped_mode",
]
