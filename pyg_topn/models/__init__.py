"""Models: the parts put together."""

from pyg_topn.models.graph_vae import GraphVAE, GraphVAEOutput

__all__ = ["GraphVAE", "GraphVAEOutput"]
