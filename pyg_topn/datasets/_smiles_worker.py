"""SMILES to arrays of numbers; also run as a process of its own, several at a time.

This file imports neither torch nor the rest of the package, so that such a process starts in a
fraction of a second. It is started by its path rather than through :mod:`multiprocessing`, which
would fork a process that has threads, or import the user's script a second time.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import QED, Descriptors, rdMolDescriptors

BOND_TYPES = {1.0: "SINGLE", 2.0: "DOUBLE", 3.0: "TRIPLE"}

descriptors: Any = Descriptors  # Fills itself on import, which type checkers do not see.

#: Properties of a molecule that RDKit computes, by name.
PROPERTIES: dict[str, Callable[[Any], float]] = {
    "weight": descriptors.MolWt,
    "logp": descriptors.MolLogP,
    "qed": QED.qed,
    "tpsa": rdMolDescriptors.CalcTPSA,
    "num_rings": rdMolDescriptors.CalcNumRings,
    "num_h_donors": rdMolDescriptors.CalcNumHBD,
    "num_h_acceptors": rdMolDescriptors.CalcNumHBA,
    "num_rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds,
}


class DroppedError(ValueError):
    """Why a molecule is left out, as a phrase, with details in brackets at its end."""


def parse_chunk(smiles: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """Parse SMILES; see :func:`pyg_topn.datasets._parse.parse_smiles` for the options."""
    with rdBase.BlockLogs():
        results = [_graph_or_reason(text, options) for text in smiles]
    kept = [index for index, result in enumerate(results) if not isinstance(result, str)]
    dropped = [(index, why) for index, why in enumerate(results) if isinstance(why, str)]
    return {"kept": kept, "dropped": dropped, **_join([results[index] for index in kept])}


def _graph_or_reason(smiles: str, options: dict[str, Any]) -> tuple[Any, ...] | str:
    try:
        mol, smiles = _parse(smiles, options["largest_fragment"])
        return (smiles, *_graph(mol, options))
    except DroppedError as error:
        return str(error)


def _parse(smiles: str, largest_fragment: bool) -> tuple[Any, str]:
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise DroppedError(_why_unparsable(smiles))
    num_fragments = len(Chem.GetMolFrags(mol))
    if num_fragments <= 1:
        return mol, smiles
    if not largest_fragment:
        raise DroppedError(f"more than one fragment ({num_fragments})")
    mol = max(Chem.GetMolFrags(mol, asMols=True), key=lambda part: part.GetNumHeavyAtoms())
    return mol, Chem.MolToSmiles(mol)


def _why_unparsable(smiles: str) -> str:
    mol = Chem.MolFromSmiles(smiles, sanitize=False)
    problems = [] if mol is None else Chem.DetectChemistryProblems(mol)
    return f"not a valid molecule ({problems[0].Message()})" if problems else "unparsable"


def _graph(mol: Any, options: dict[str, Any]) -> tuple[Any, ...]:
    """Atomic numbers [n], edges [2, e] in both directions, bond orders [e], charged?, y [K]."""
    y = [PROPERTIES[name](mol) for name in options["properties"]]
    if options["keep_hydrogens"]:
        mol = Chem.AddHs(mol)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    # Looked up by index, as RDKit's iterator over atoms takes three times as long.
    atoms = [mol.GetAtomWithIdx(index) for index in range(mol.GetNumAtoms())]
    numbers = np.array([atom.GetAtomicNum() for atom in atoms], dtype=np.uint8)
    orders = Chem.GetAdjacencyMatrix(mol, useBO=True)  # [n, n]
    if not options["keep_hydrogens"] and 1 in numbers:  # [H][H], isotopes, hydrides
        heavy = np.flatnonzero(numbers != 1)
        numbers, orders = numbers[heavy], orders[np.ix_(heavy, heavy)]
    else:
        heavy = None
    _check_atoms(numbers.tolist(), options["atomic_numbers"])
    edge_index = np.array(orders.nonzero())  # Row-major, as PyG sorts edges.
    edge_order = orders[edge_index[0], edge_index[1]]
    _check_bonds(mol, heavy, edge_order.tolist(), options["bond_orders"])
    charged = any(atom.GetFormalCharge() for atom in atoms)
    return numbers, edge_index, edge_order, charged, y


def _check_atoms(numbers: list[int], allowed: set[int] | None) -> None:
    if not numbers:
        raise DroppedError("no heavy atom")
    for number in numbers:
        if number == 0 or (allowed is not None and number not in allowed):
            symbol = Chem.GetPeriodicTable().GetElementSymbol(number)
            raise DroppedError(f"atom outside the vocabulary ({symbol})")


def _check_bonds(mol: Any, heavy: Any, found: list[float], allowed: set[float]) -> None:
    num_bonds = mol.GetNumBonds()
    # Bonds without an order, and dative bonds, lack one or both of their entries.
    if heavy is None and len(found) == 2 * num_bonds and allowed.issuperset(found):
        return
    names = {BOND_TYPES[order] for order in allowed}
    for bond in mol.GetBonds():
        ends = {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}
        name = str(bond.GetBondType())
        if name not in names and (heavy is None or ends.issubset(heavy.tolist())):
            raise DroppedError(f"bond outside the vocabulary ({name})")


def _join(graphs: list[Any]) -> dict[str, Any]:
    columns = zip(*graphs, strict=True) if graphs else ((),) * 6
    smiles, numbers, edges, orders, charged, y = columns
    return {
        "smiles": list(smiles),
        "atomic_number": np.concatenate([np.zeros(0, dtype=np.uint8), *numbers]),
        "num_nodes": np.array([part.size for part in numbers], dtype=np.int64),
        "edge_index": np.concatenate([np.zeros((2, 0), dtype=np.int64), *edges], axis=1),
        "bond_order": np.concatenate([np.zeros(0), *orders]).astype(np.uint8),
        "num_edges": np.array([part.size for part in orders], dtype=np.int64),
        "charged": np.array(charged, dtype=bool),
        "y": np.array(y, dtype=np.float32).reshape(len(numbers), -1 if numbers else 0),
    }


def main() -> None:
    """Answer pickled requests on standard input until it ends."""
    try:
        while True:
            smiles, options = pickle.load(sys.stdin.buffer)
            pickle.dump(parse_chunk(smiles, options), sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # The parent is gone, or stopped by the user: nothing to flush, nothing to say.


if __name__ == "__main__":
    main()
