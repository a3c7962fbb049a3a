"""Datasets: graphs on disk to :class:`torch_geometric.data.Data`."""

from pyg_topn.datasets.generic_graphs import GenericGraphs, generate_graphs
from pyg_topn.datasets.qm9 import HeavyAtomQM9, qm9_smiles
from pyg_topn.datasets.set_mnist import SetMNIST
from pyg_topn.datasets.smiles import SmilesDataset
from pyg_topn.datasets.smiles_file import read_smiles_file
from pyg_topn.datasets.synthetic import SyntheticMolecules, synthetic_molecules

__all__ = [
    "GenericGraphs",
    "HeavyAtomQM9",
    "SetMNIST",
    "SmilesDataset",
    "SyntheticMolecules",
    "generate_graphs",
    "qm9_smiles",
    "read_smiles_file",
    "synthetic_molecules",
]
