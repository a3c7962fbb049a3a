"""What every definition of validity says about one molecule."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol

# Bond orders at which a neutral atom is over-valent by exactly one and a charge of +1 mends it.
# Sulphur is absent on purpose: RDKit allows it 2, 4 or 6, so that it never fails by one.
_ORDER_TO_CHARGE = {7: 4, 8: 3}


class Verdict(NamedTuple):
    """The canonical SMILES of a molecule under each definition, None where it is invalid.

    Attributes:
        size: Number of heavy atoms, 0 if the molecule could not be read.
        connected: Whether it is in one piece.
        paper: Neutral atoms, and RDKit sanitises it.
        relaxed: Sanitised after +1 charges on nitrogen and oxygen; its largest fragment.
        valence: No atom is over-valent once the same charges are allowed.
    """

    size: int
    connected: bool
    paper: str | None
    relaxed: str | None
    valence: str | None


def judge(graph: Mol | None) -> Verdict:
    r"""Judge a neutral graph; :obj:`None` and the empty molecule are invalid in every way."""
    if graph is None or graph.GetNumAtoms() == 0:
        return Verdict(0, False, None, None, None)
    chem = require("rdkit.Chem", extra="chem")
    size, connected = graph.GetNumAtoms(), len(chem.GetMolFrags(graph)) == 1
    clean = sanitized(graph)
    paper = None if clean is None else str(chem.MolToSmiles(clean, isomericSmiles=False))
    if clean is not None and paper is not None and "+" not in paper:
        return Verdict(size, connected, paper, paper if connected else largest(clean), paper)
    # Over-valent, or mended by RDKit's own clean-up as CN(=O)=O is, which the valence check lacks.
    charged = with_charges(graph)
    mended = sanitized(charged)
    relaxed = None if mended is None else largest(mended)
    valence = None
    if sanitized(charged, only_valence=True) is not None:
        valence = chem.MolToSmiles(mended or charged, isomericSmiles=False)
    return Verdict(size, connected, paper, relaxed, valence)


def sanitized(mol: Mol, only_valence: bool = False) -> Mol | None:
    r"""A sanitised copy of the molecule, or :obj:`None` if RDKit refuses it."""
    chem = require("rdkit.Chem", extra="chem")
    flags = chem.SanitizeFlags.SANITIZE_PROPERTIES if only_valence else chem.SANITIZE_ALL
    copy = chem.Mol(mol)
    failed = chem.SanitizeMol(copy, flags, catchErrors=True)
    return None if failed else copy


def with_charges(graph: Mol) -> Mol:
    r"""A copy with +1 on every nitrogen and oxygen whose bonds exceed its valence by one.

    The rule of DiGress and GDSS. They apply it while they add one bond after the other, so that
    theirs depends on the order of the bonds in rare cases; this one does not.
    """
    chem = require("rdkit.Chem", extra="chem")
    copy = chem.Mol(graph)
    for atom in copy.GetAtoms():
        limit = _ORDER_TO_CHARGE.get(atom.GetAtomicNum())
        if limit and sum(b.GetBondTypeAsDouble() for b in atom.GetBonds()) == limit:
            atom.SetFormalCharge(1)
    return copy


def largest(mol: Mol) -> str:
    r"""Canonical SMILES of the fragment with most atoms; among equals the first by SMILES."""
    chem = require("rdkit.Chem", extra="chem")
    pieces = chem.GetMolFrags(mol, asMols=True, sanitizeFrags=False)
    size = max(piece.GetNumAtoms() for piece in pieces)
    biggest = [piece for piece in pieces if piece.GetNumAtoms() == size]
    return str(min(chem.MolToSmiles(piece, isomericSmiles=False) for piece in biggest))
