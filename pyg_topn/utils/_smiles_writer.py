"""Graphs to SMILES, as fast as RDKit does it; also run as a process of its own, several at a time.

This file imports neither torch nor NumPy nor the rest of the package, so that such a process starts
in a fraction of a second, see :mod:`pyg_topn.utils._worker_process`.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from rdkit import Chem, rdBase

_CHARGE = re.compile(r"\[[^\]]*[+-]\d*\]")
_LOWERCASE = bytes(range(ord("a"), ord("z") + 1))
_ONE_RING = 6  # Aromatic atoms, of which two aromatic rings that share a bond have more.

# What is left out can neither fail nor change a SMILES without stereochemistry.
_SANITIZE = (
    Chem.SANITIZE_ALL
    ^ Chem.SanitizeFlags.SANITIZE_SETCONJUGATION
    ^ Chem.SanitizeFlags.SANITIZE_SETHYBRIDIZATION
    ^ Chem.SanitizeFlags.SANITIZE_CLEANUPCHIRALITY
)
_FLAT: Any = Chem.SmilesWriteParams()  # Read faster than keyword arguments are.
_FLAT.doIsomericSmiles = False


def write_graphs(
    graphs: dict[str, array[int]], atoms: Sequence[str], bonds: Sequence[str]
) -> list[str | None]:
    """Write what :func:`pyg_topn.metrics.write_smiles` writes, at a quarter of its price.

    Args:
        graphs: What :meth:`pyg_topn.utils._graph_arrays.GraphArrays.to_request` returns.
        atoms: The symbol of every atom type.
        bonds: The name of every bond type.

    Returns:
        The SMILES; None of a graph for which only that function can tell.
    """
    num_nodes = graphs["num_nodes"].tolist()
    if "H" in atoms:  # Some hydrogens are nodes of the graph, some are not.
        return [None] * len(num_nodes)
    # RDKit copies an atom that is added: one of each type does for all.
    of_type = [Chem.Atom(symbol) for symbol in atoms]
    of_kind = [getattr(Chem.BondType, name) for name in bonds]
    atom = [of_type[index] for index in graphs["atom_type"]]
    kind = [of_kind[index] for index in graphs["bond_type"]]
    begin, end = graphs["begin"].tolist(), graphs["end"].tolist()
    texts, a, b = [], 0, 0
    with rdBase.BlockLogs():
        for nodes, edges in zip(num_nodes, graphs["num_bonds"], strict=True):
            c, d = a + nodes, b + edges
            texts.append(_write(atom[a:c], begin[b:d], end[b:d], kind[b:d]))
            a, b = c, d
    return texts


def _write(atoms: list[Any], *bonds: list[Any]) -> str | None:
    mol = build(atoms, *bonds)
    if Chem.SanitizeMol(mol, _SANITIZE, True):
        return _as_it_is(build(atoms, *bonds))
    text: str = Chem.MolToSmiles(mol, _FLAT)
    if "[" in text and "[" in text.replace("[nH]", ""):
        # RDKit may have brought charges in, which the graph does not hold.
        return _as_it_is(build(atoms, *bonds)) if _CHARGE.search(text) else None
    return text if _reads_back(text) else None


def build(atoms: list[Any], begin: list[int], end: list[int], kind: list[Any]) -> Any:
    """Build an editable molecule, not sanitised, from RDKit's atoms and the bonds between them."""
    # Measured on QM9, to this and without sanitising: 8 us. RDKit's JSON: 8 us, its binary format:
    # 10 us and bound to a version, SMILES with a ring closure for every bond: 31 us.
    mol = Chem.RWMol()
    for _ in map(mol.AddAtom, atoms):
        pass
    for _ in map(mol.AddBond, begin, end, kind):
        pass
    return mol


def _as_it_is(mol: Any) -> str:
    """SMILES of a graph that is invalid, or no longer itself once it is sanitised."""
    mol.UpdatePropertyCache(strict=False)
    return str(Chem.MolToSmiles(mol, _FLAT))


def _reads_back(text: str) -> bool:
    """Whether SMILES of uncharged organic atoms surely read back as the graph they were made from.

    Without aromatic atoms they spell the graph. A single aromatic ring is perceived for either way
    to lay its double bonds; of several that share bonds, RDKit's perception may depend on it.
    """
    letters = text.encode()
    if len(letters) - len(letters.translate(None, _LOWERCASE)) <= _ONE_RING:
        return True
    mol = Chem.MolFromSmiles(text)
    return mol is not None and Chem.MolToSmiles(mol, _FLAT) == text


def main() -> None:
    """Answer pickled requests on standard input until it ends."""
    try:
        while True:
            request = pickle.load(sys.stdin.buffer)
            pickle.dump(write_graphs(*request), sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # The parent is gone, or stopped by the user: nothing to flush, nothing to say.


if __name__ == "__main__":
    main()
