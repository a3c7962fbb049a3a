"""Metrics of generated molecules."""

from pyg_topn.metrics._reference import canonical_reference
from pyg_topn.metrics._size_counts import SizeCounts
from pyg_topn.metrics.fcd import FrechetChemNetDistance, frechet_distance
from pyg_topn.metrics.molecule import MoleculeMetrics
from pyg_topn.metrics.nspdk import NSPDKDistance
from pyg_topn.metrics.properties import MoleculeProperties, total_variation
from pyg_topn.metrics.report import MoleculeReport
from pyg_topn.metrics.scores import ValidityScores
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles, write_smiles

__all__ = [
    "FrechetChemNetDistance",
    "MoleculeMetrics",
    "MoleculeProperties",
    "MoleculeReport",
    "NSPDKDistance",
    "SizeCounts",
    "ValidityScores",
    "canonical_reference",
    "frechet_distance",
    "neutral_graph",
    "read_smiles",
    "total_variation",
    "write_smiles",
]
