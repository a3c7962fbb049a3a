"""Atom and bond types of molecules, and the way between batches of graphs and RDKit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch_geometric.data import Batch, Data

from pyg_topn.utils._graph_arrays import GraphArrays, build_molecules
from pyg_topn.utils.elements import BOND_ORDERS, ELEMENTS, check_names, max_valences
from pyg_topn.utils.optional import require


@dataclass(frozen=True)
class MoleculeVocabulary:
    r"""The atom types and bond types of molecule graphs, in the order of their one-hot columns.

    Hydrogens are implicit, unless ``"H"`` is an atom type, molecules are kekulised, so that there
    is no aromatic bond type, and formal charges are not represented.

    Args:
        atoms: Element symbols, for example :obj:`("C", "N", "O", "F")`.
        bonds: Bond types, among :obj:`"SINGLE"`, :obj:`"DOUBLE"` and :obj:`"TRIPLE"`.
        valences: The most bonds that a neutral atom of each type has, in the order of
            :obj:`atoms`. By default looked up; must be given for unusual elements.

    Raises:
        ValueError: If a symbol is unknown or appears twice, or valences do not fit.

    Example:
        >>> vocabulary = MoleculeVocabulary(("C", "O"), bonds=("SINGLE", "DOUBLE"))
        >>> vocabulary.valences, vocabulary.bond_orders
        ((4, 2), (1.0, 2.0))
    """

    atoms: tuple[str, ...]
    bonds: tuple[str, ...] = ("SINGLE", "DOUBLE", "TRIPLE")
    valences: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("atoms", "bonds", "valences"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, (tuple, list)):
                raise TypeError(f"Expected '{name}' to be a tuple (got {value!r})")
            object.__setattr__(self, name, tuple(value))
        check_names("atoms", self.atoms, ELEMENTS[1:])
        check_names("bonds", self.bonds, tuple(BOND_ORDERS))
        valences = self.valences or max_valences(self.atoms)
        if len(valences) != len(self.atoms) or any(type(v) is not int or v < 1 for v in valences):
            raise ValueError(
                f"Expected 'valences' to hold {len(self.atoms)} positive integers (got {valences})"
            )
        object.__setattr__(self, "valences", valences)

    @classmethod
    def qm9(cls) -> MoleculeVocabulary:
        """The vocabulary of QM9 without hydrogens: C, N, O, F; single, double, triple."""
        return cls(("C", "N", "O", "F"))

    @property
    def bond_orders(self) -> tuple[float, ...]:
        """The order of every bond type: 1, 2 or 3."""
        return tuple(BOND_ORDERS[bond] for bond in self.bonds)

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """The atomic number of every atom type."""
        return tuple(ELEMENTS.index(atom) for atom in self.atoms)

    def to_dict(self) -> dict[str, Any]:
        r"""Return the vocabulary as plain JSON types.

        Example:
            >>> MoleculeVocabulary(("C",), ("SINGLE",)).to_dict()
            {'atoms': ['C'], 'bonds': ['SINGLE'], 'valences': [4]}
        """
        fields = {"atoms": self.atoms, "bonds": self.bonds, "valences": self.valences}
        return {key: list(value) for key, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> MoleculeVocabulary:
        r"""Build the vocabulary that :meth:`to_dict` describes.

        Raises:
            ValueError: If keys are missing or unknown, or their values do not fit.

        Example:
            >>> vocabulary = MoleculeVocabulary.qm9()
            >>> MoleculeVocabulary.from_dict(vocabulary.to_dict()) == vocabulary
            True
        """
        keys = {"atoms", "bonds", "valences"}
        if not isinstance(fields, Mapping) or set(fields) != keys:
            got = sorted(fields) if isinstance(fields, Mapping) else fields
            raise ValueError(f"Expected a mapping with the keys {sorted(keys)} (got {got!r})")
        return cls(**fields)

    def to_molecules(self, batch: Batch | Data) -> list[Any]:
        r"""Turn graphs into RDKit molecules: neutral atoms, implicit hydrogens, not sanitised.

        Nothing is corrected: whether a molecule is valid is for RDKit's sanitisation to say.

        Args:
            batch: Graphs with :obj:`x` :math:`[N, A]`, :obj:`edge_index` :math:`[2, E]` (both
                directions) and :obj:`edge_attr` :math:`[E, T]`, of which the largest entries
                count; a single :class:`~torch_geometric.data.Data` is a batch of one.

        Returns:
            One :class:`rdkit.Chem.Mol` for each graph.

        Raises:
            ValueError: If the graphs do not have the columns of this vocabulary.

        Example:
            >>> from rdkit import Chem
            >>> vocabulary = MoleculeVocabulary.qm9()
            >>> data = vocabulary.from_molecule(Chem.MolFromSmiles("C=O"))
            >>> Chem.MolToSmiles(vocabulary.to_molecules(data)[0])
            'C=O'
        """
        graphs = GraphArrays.from_batch(batch, len(self.atoms), len(self.bonds))
        return build_molecules(graphs, self.atoms, self.bonds)

    def from_molecule(self, mol: Any) -> Data:
        r"""Turn an RDKit molecule into a graph: kekulised, without hydrogens and charges.

        Args:
            mol: A :class:`rdkit.Chem.Mol`, sanitised or not.

        Returns:
            One-hot :obj:`x` :math:`[n, A]` and :obj:`edge_attr` :math:`[e, T]`, and
            :obj:`edge_index` :math:`[2, e]`, both directions, sorted.

        Raises:
            TypeError: If :obj:`mol` is no RDKit molecule.
            ValueError: If an atom or bond is outside the vocabulary, or there is no heavy atom
                or no Kekulé structure.

        Example:
            >>> from rdkit import Chem
            >>> MoleculeVocabulary.qm9().from_molecule(Chem.MolFromSmiles("c1ccccc1"))
            Data(x=[6, 4], edge_index=[2, 12], edge_attr=[12, 3])
        """
        mol = _kekulized(mol)
        node_of: dict[int, int] = {}
        atom_types = []
        for atom in mol.GetAtoms():
            if atom.GetAtomicNum() != 1 or "H" in self.atoms:
                node_of[atom.GetIdx()] = len(node_of)
                atom_types.append(_find("atom", atom.GetSymbol(), self.atoms))
        if not atom_types:
            raise ValueError("Expected a molecule with a heavy atom (got none)")
        edges = []
        for bond in mol.GetBonds():
            i, j = node_of.get(bond.GetBeginAtomIdx()), node_of.get(bond.GetEndAtomIdx())
            if i is not None and j is not None:
                bond_type = _find("bond", str(bond.GetBondType()), self.bonds)
                edges += [(i, j, bond_type), (j, i, bond_type)]
        row_col_type = torch.tensor(sorted(edges), dtype=torch.int64).view(-1, 3).t()
        return Data(
            x=torch.eye(len(self.atoms))[atom_types],
            edge_index=row_col_type[:2].contiguous(),
            edge_attr=torch.eye(len(self.bonds))[row_col_type[2]],
        )


def _find(what: str, name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        raise ValueError(f"Expected {what}s among {' '.join(names)} (got the {what} {name!r})")
    return names.index(name)


def _kekulized(mol: Any) -> Any:
    chem = require("rdkit.Chem", extra="chem")
    if not isinstance(mol, chem.Mol):
        raise TypeError(f"Expected an RDKit molecule (got {type(mol).__name__})")
    if not any(bond.GetIsAromatic() for bond in mol.GetBonds()):
        return mol  # Also for molecules that are not sanitised, which RDKit cannot kekulise.
    mol = chem.Mol(mol)
    mol.UpdatePropertyCache(strict=False)
    try:
        chem.Kekulize(mol, clearAromaticFlags=True)
    except chem.KekulizeException as error:
        raise ValueError(f"Expected a molecule with a Kekulé structure (got: {error})") from error
    return mol
