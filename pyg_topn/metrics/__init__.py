"""Metrics of generated molecules and sets."""

from pyg_topn.metrics._reference import canonical_reference
from pyg_topn.metrics._size_counts import SizeCounts
from pyg_topn.metrics.fcd import FrechetChemNetDistance, frechet_distance
from pyg_topn.metrics.molecule import MoleculeMetrics
from pyg_topn.metrics.nspdk import NSPDKDistance
from pyg_topn.metrics.properties import MoleculeProperties, total_variation
from pyg_topn.metrics.report import MoleculeReport
from pyg_topn.metrics.scores import ValidityScores
from pyg_topn.metrics.set import SetMetrics
from pyg_topn.metrics.set_report import SetReport
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles, write_smiles
from pyg_topn.metrics.valency import point_valencies

__all__ = [
    "FrechetChemNetDistance",
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
    "neutral_graph",
    "point_valencies",
    "read_smiles",
    "total_variation",
    "write_smiles",
]
