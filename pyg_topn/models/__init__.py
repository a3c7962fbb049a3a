"""Models: the parts put together."""

from pyg_topn.models.build import build_graph_vae
from pyg_topn.models.build_set import build_set_vae
from pyg_topn.models.dspn import DSPN
from pyg_topn.models.graph_vae import GraphVAE
from pyg_topn.models.graph_vae_output import GraphVAEOutput
from pyg_topn.models.set_vae import SetVAE
from pyg_topn.models.set_vae_output import SetVAEOutput
from pyg_topn.models.tspn import TSPN

__all__ = [
    "DSPN",
    "TSPN",
    "GraphVAE",
    "GraphVAEOutput",
    "SetVAE",
    "SetVAEOutput",
    "build_graph_vae",
    "build_set_vae",
]
