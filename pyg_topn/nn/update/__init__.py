"""Updates: from initial points to refined points."""

from pyg_topn.nn.update.set_transformer import SetTransformer

__all__ = ["SetTransformer"]
