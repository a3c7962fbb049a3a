"""Models: the parts put together."""

from pyg_topn.models.build import build_graph_vae
from pyg_topn.models.build_gan import build_graph_gan
from pyg_topn.models.build_set import build_dspn, build_set_vae, build_tspn
from pyg_topn.models.dspn import DSPN
from pyg_topn.models.graph_gan import GraphGAN
from pyg_topn.models.graph_vae import GraphVAE
from pyg_topn.models.graph_vae_output import GraphVAEOutput
from pyg_topn.models.set_vae import SetVAE
from pyg_topn.models.set_vae_output import SetVAEOutput
from pyg_topn.models.tspn import TSPN

__all__ = [
    "DSPN",
    "TSPN",
    "GraphGAN",
    "GraphVAE",
    "GraphVAEOutput",
    "SetVAE",
    "SetVAEOutput",
    "build_dspn",
    "build_graph_gan",
    "build_graph_vae",
    "build_set_vae",
    "build_tspn",
]
