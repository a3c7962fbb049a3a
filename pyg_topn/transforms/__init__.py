"""Transforms of graphs, for the arguments :obj:`transform` and :obj:`pre_transform` of datasets."""

from pyg_topn.transforms.canonical_order import CanonicalOrder
from pyg_topn.transforms.heavy_atom_graph import HeavyAtomGraph
from pyg_topn.transforms.one_hot_labels import OneHotLabels
from pyg_topn.transforms.permute_nodes import PermuteNodes
from pyg_topn.transforms.spectral_order import SpectralOrder
from pyg_topn.transforms.to_point_set import ToPointSet

__all__ = [
    "CanonicalOrder",
    "HeavyAtomGraph",
    "OneHotLabels",
    "PermuteNodes",
    "SpectralOrder",
    "ToPointSet",
]
