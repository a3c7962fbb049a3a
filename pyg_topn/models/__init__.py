"""Models: the parts put together."""

from pyg_topn.models.build import build_graph_vae
from pyg_topn.models.graph_vae import GraphVAE
from pyg_topn.models.graph_vae_output import GraphVAEOutput

__all__ = ["GraphVAE", "GraphVAEOutput", "build_graph_vae"]
