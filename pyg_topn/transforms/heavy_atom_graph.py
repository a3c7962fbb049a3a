"""Transform from PyG's own molecule graphs to graphs of heavy atoms."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch_geometric.data import Batch, Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils.smiles import e_map, x_map

from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.transforms.canonical_order import CanonicalOrder
from pyg_topn.utils.elements import ELEMENTS
from pyg_topn.utils.optional import require

QM9_BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")


@functional_transform("heavy_atom_graph")
class HeavyAtomGraph(BaseTransform):
    r"""Turn PyG's molecule graphs into the format of :class:`~pyg_topn.datasets.HeavyAtomQM9`
    (functional name: :obj:`heavy_atom_graph`).

    It takes items of :class:`torch_geometric.datasets.QM9` and of
    :func:`torch_geometric.utils.from_smiles` (thus of
    :class:`torch_geometric.datasets.MoleculeNet`). Hydrogens are left out, aromatic bonds become
    single and double ones, charges are dropped, and :obj:`canonical_index` is added. Of the other
    attributes :obj:`y`, :obj:`smiles`, :obj:`name`, :obj:`idx` and the heavy atoms' :obj:`pos`
    are kept. Use it as :obj:`pre_transform`, so that it runs once. QM9's items do not tell formal
    charges: should their bonds be aromatic, the charge of a ring that needs one is guessed.

    Args:
        vocabulary: The atom and bond types; by default
            :meth:`~pyg_topn.molecule.MoleculeVocabulary.qm9`.

    Raises:
        TypeError: If the input is no homogeneous graph, or a batch of them.
        ValueError: If it is none of these items, or an atom is outside the vocabulary.

    Example:
        >>> from torch_geometric.utils import from_smiles
        >>> HeavyAtomGraph()(from_smiles("C=O"))
        Data(x=[2, 4], edge_index=[2, 2], edge_attr=[2, 3], smiles='C=O', canonical_index=[2])
    """

    def __init__(self, vocabulary: MoleculeVocabulary | None = None) -> None:
        self.vocabulary = MoleculeVocabulary.qm9() if vocabulary is None else vocabulary

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data) or isinstance(data, Batch):
            raise TypeError(f"Expected one homogeneous graph (got {type(data).__name__})")
        mol = _molecule(data)
        out = self.vocabulary.from_molecule(mol)
        for key in ("y", "smiles", "name"):
            if key in data:
                out[key] = data[key]
        if "idx" in data:
            out.idx = torch.as_tensor(data.idx).view(-1)
        if "pos" in data:
            with_hydrogens = "H" in self.vocabulary.atoms
            kept = [with_hydrogens or atom.GetAtomicNum() != 1 for atom in mol.GetAtoms()]
            out.pos = data.pos[torch.tensor(kept)]
        return CanonicalOrder()(out)

    def __repr__(self) -> str:
        # Caches are told apart by what this says, so all that changes a graph has to be here.
        return f"{self.__class__.__name__}({self.vocabulary.atoms}, {self.vocabulary.bonds})"


def _molecule(data: Data) -> Any:
    """Rebuild the molecule, aromatic bonds and explicit hydrogens included."""
    shapes = [None if value is None else tuple(value.shape) for value in (data.x, data.edge_attr)]
    columns = [shape[1] if shape is not None and len(shape) == 2 else 0 for shape in shapes]
    if "z" in data and columns[1] == len(QM9_BONDS):
        atoms = [(number, 0, 0) for number in data.z.tolist()]
        bonds = [QM9_BONDS[kind] for kind in data.edge_attr.argmax(1).tolist()]
    elif columns == [len(x_map), len(e_map)] and not data.x.is_floating_point():
        atoms = [_from_smiles_atom(row) for row in data.x.tolist()]
        bonds = [e_map["bond_type"][kind] for kind in data.edge_attr[:, 0].tolist()]
    else:
        raise ValueError(
            "Expected an item of torch_geometric.datasets.QM9 or torch_geometric.utils.from_smiles "
            f"(got x of shape {shapes[0]} and edge_attr of shape {shapes[1]})"
        )
    return _with_kekule_structure(_build(atoms, data.edge_index.t().tolist(), bonds))


def _from_smiles_atom(row: list[int]) -> tuple[int, int, int]:
    """Atomic number, charge and implicit hydrogens of the columns that PyG writes."""
    names = list(x_map)
    value = {name: x_map[name][row[column]] for column, name in enumerate(names)}
    return value["atomic_num"], value["formal_charge"], value["num_hs"]


def _with_kekule_structure(mol: Any) -> Any:
    """Guess a charge where an aromatic ring needs one: the items of QM9 do not tell charges."""
    chem = require("rdkit.Chem", extra="chem")
    aromatic = [atom for atom in mol.GetAtoms() if atom.GetIsAromatic()]
    nitrogen = [atom.GetIdx() for atom in aromatic if atom.GetAtomicNum() == 7]
    others = [atom.GetIdx() for atom in aromatic if atom.GetAtomicNum() != 7]
    guesses = [(i, charge) for part in (nitrogen, others) for charge in (-1, 1) for i in part]
    for charges in [(), *combinations(guesses, 1), *combinations(guesses, 2)]:
        charged = chem.Mol(mol)
        for index, charge in charges:
            charged.GetAtomWithIdx(index).SetFormalCharge(charge)
        charged.UpdatePropertyCache(strict=False)
        try:
            chem.Kekulize(charged, clearAromaticFlags=True)
        except chem.KekulizeException:
            continue
        return charged
    return mol


def _build(atoms: list[tuple[int, int, int]], edges: list[list[int]], bonds: list[str]) -> Any:
    chem = require("rdkit.Chem", extra="chem")
    mol = chem.RWMol()
    for number, charge, num_hydrogens in atoms:
        atom = chem.Atom(ELEMENTS[number])
        atom.SetFormalCharge(charge)
        atom.SetNumExplicitHs(num_hydrogens)
        # All hydrogens are known, which tells the nitrogen of pyrrole from that of pyridine.
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for (i, j), name in zip(edges, bonds, strict=True):
        if i < j:
            mol.AddBond(i, j, getattr(chem.BondType, name))
            if name == "AROMATIC":
                mol.GetBondBetweenAtoms(i, j).SetIsAromatic(True)
                mol.GetAtomWithIdx(i).SetIsAromatic(True)
                mol.GetAtomWithIdx(j).SetIsAromatic(True)
    return mol.GetMol()
