"""SMILES in and out for molecules that need not be valid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pyg_topn.metrics._verdict import judge, sanitized
from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_CHARGE = re.compile(r"\[[^\]]*[+-]\d*\]")


def read_smiles(text: str) -> Mol | None:
    r"""Read a SMILES string, valid or not, as a neutral graph of heavy atoms.

    Nothing is sanitised, so over-valent atoms and several fragments are read as they are written.
    What a graph of atoms and bonds does not hold is dropped, see :func:`neutral_graph`.

    Args:
        text: One SMILES string. Text after the first blank is ignored.

    Returns:
        The molecule, neither sanitised nor aromatic, or :obj:`None` if the string cannot be parsed,
        if its aromatic rings cannot be kekulised, if it has no atom, or if an atom is over-valent
        only because of the hydrogens that the string puts on it, as in :obj:`"[CH5]"`.

    Raises:
        TypeError: If :obj:`text` is not a string.

    Example:
        >>> read_smiles("CC(C)(C)(C)C").GetNumAtoms()
        6
        >>> read_smiles("C1CC") is None
        True
    """
    if not isinstance(text, str):
        raise TypeError(f"Expected a SMILES string (got {type(text).__name__})")
    chem = require("rdkit.Chem", extra="chem")
    with require("rdkit.rdBase", extra="chem").BlockLogs():
        params = chem.SmilesParserParams()
        params.sanitize, params.removeHs = False, False
        words = text.split(maxsplit=1)
        mol = chem.MolFromSmiles(words[0], params) if words else None
        return None if mol is None else neutral_graph(mol)


def write_smiles(mol: Mol) -> str:
    r"""Write any molecule, valid or not, so that reading it back gives the same verdicts.

    A valid molecule is written as its canonical SMILES. An invalid one is written kekulised and
    without charges, the way its graph is. So is a valid one whose canonical form would not read
    back as the same graph: RDKit rewrites :obj:`CN(=O)=O` with charges, for example.

    Args:
        mol: An RDKit molecule. It is not changed.

    Returns:
        A SMILES string that :func:`read_smiles` reads, empty for a molecule without atoms.

    Raises:
        ValueError: If the aromatic rings of :obj:`mol` cannot be kekulised.

    Example:
        >>> write_smiles(read_smiles("C1=CC=CC=C1"))
        'c1ccccc1'
        >>> write_smiles(read_smiles("CC(C)(C)(C)C"))
        'CC(C)(C)(C)C'
    """
    chem = require("rdkit.Chem", extra="chem")
    with require("rdkit.rdBase", extra="chem").BlockLogs():
        if mol.GetNumAtoms() == 0:
            return ""
        graph = neutral_graph(mol)
        if graph is None:
            raise ValueError("Expected a molecule that can be kekulised (got an impossible ring)")
        clean = sanitized(graph)
        if clean is not None:
            text: str = chem.MolToSmiles(clean, isomericSmiles=False)
            if not _CHARGE.search(text) and judge(read_smiles(text)) == judge(graph):
                return text
        raw = chem.Mol(graph)
        raw.UpdatePropertyCache(strict=False)
        return str(chem.MolToSmiles(raw, isomericSmiles=False))


def neutral_graph(mol: Mol) -> Mol | None:
    r"""Reduce a molecule to what a graph of atom types and bond types holds.

    Aromatic bonds are kekulised. Charges, radicals, isotopes, map numbers and hydrogens are
    dropped, and hydrogens become implicit again. A zwitterion such as :obj:`[NH3+]CC(=O)[O-]`
    becomes the neutral glycine, while :obj:`C[N+](C)(C)[O-]` has no neutral form and is left with
    an over-valent nitrogen.

    Args:
        mol: An RDKit molecule. It is returned as it is if there is nothing to drop.

    Returns:
        The reduced molecule, not sanitised, or :obj:`None` as for :func:`read_smiles`.

    Example:
        >>> from rdkit import Chem
        >>> Chem.MolToSmiles(neutral_graph(Chem.MolFromSmiles("C[NH3+]")))
        'CN'
    """
    if mol.GetNumAtoms() == 0:
        return None
    if all(_is_plain(atom) for atom in mol.GetAtoms()):
        return mol
    chem = require("rdkit.Chem", extra="chem")
    editable = chem.RWMol(mol)
    editable.UpdatePropertyCache(strict=False)
    if any(_has_too_many_hydrogens(atom) for atom in editable.GetAtoms()):
        return None
    try:
        chem.Kekulize(editable, clearAromaticFlags=True)
    except chem.MolSanitizeException:
        return None
    for index in sorted((a.GetIdx() for a in editable.GetAtoms() if _is_leaf(a)), reverse=True):
        editable.RemoveAtom(index)
    for atom in editable.GetAtoms():
        _make_plain(atom)
    return editable.GetMol()


def _is_plain(atom: Any) -> bool:
    return not (
        atom.GetFormalCharge()
        or atom.GetNoImplicit()
        or atom.GetIsAromatic()
        or atom.GetAtomicNum() == 1
        or atom.GetNumExplicitHs()
        or atom.GetNumRadicalElectrons()
        or atom.GetAtomMapNum()
        or atom.GetIsotope()
    )


def _make_plain(atom: Any) -> None:
    atom.SetFormalCharge(0)
    atom.SetNoImplicit(False)
    atom.SetNumExplicitHs(0)
    atom.SetNumRadicalElectrons(0)
    atom.SetAtomMapNum(0)
    atom.SetIsotope(0)


def _is_leaf(atom: Any) -> bool:
    """Whether the atom is a hydrogen on a heavy atom, rather than hydrogen by itself."""
    if atom.GetAtomicNum() != 1 or atom.GetDegree() != 1:
        return False
    return bool(atom.GetNeighbors()[0].GetAtomicNum() != 1)


def _has_too_many_hydrogens(atom: Any) -> bool:
    written = atom.GetNumExplicitHs() + sum(_is_leaf(other) for other in atom.GetNeighbors())
    return bool(written and atom.HasValenceViolation())
