"""Metrics of generated molecules, other graphs and sets."""

from pyg_topn.metrics._reference import canonical_reference
from pyg_topn.metrics._size_counts import SizeCounts
from pyg_topn.metrics.fcd import FrechetChemNetDistance, frechet_distance
from pyg_topn.metrics.graph import GraphMetrics
from pyg_topn.metrics.graph_report import GraphReport
from pyg_topn.metrics.mmd import (
    gaussian_emd_kernel,
    gaussian_kernel,
    gaussian_tv_kernel,
    squared_mmd,
)
from pyg_topn.metrics.molecule import MoleculeMetrics
from pyg_topn.metrics.nspdk import NSPDKDistance
from pyg_topn.metrics.orbits import orbit_counts
from pyg_topn.metrics.properties import MoleculeProperties, total_variation
from pyg_topn.metrics.report import MoleculeReport
from pyg_topn.metrics.scores import ValidityScores
from pyg_topn.metrics.set import SetMetrics
from pyg_topn.metrics.set_report import SetReport
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles, write_smiles
from pyg_topn.metrics.valency import point_valencies

__all__ = [
    "FrechetChemNetDistance",
    "GraphMetrics",
    "GraphReport",
    "MoleculeMetrics",
    "MoleculeProperties",
    "MoleculeReport",
    "NSPDKDistance",
    "SetMetrics",
    "SetReport",
    "SizeCounts",
    "ValidityScores",
    "canonical_reference",
    "frechet_distance",
    "gaussian_emd_kernel",
    "gaussian_kernel",
    "gaussian_tv_kernel",
    "neutral_graph",
    "orbit_counts",
    "point_valencies",
    "read_smiles",
    "squared_mmd",
    "total_variation",
    "write_smiles",
]
