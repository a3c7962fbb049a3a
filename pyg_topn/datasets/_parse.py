"""Many SMILES to the arrays of their graphs, in several processes, with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from pyg_topn.utils._worker_process import answer_in_order, usable_cores
from pyg_topn.utils.optional import require

_SCRIPT = Path(__file__).with_name("_smiles_worker.py")
CHUNK = 2048  # Also the size up to which starting processes does not pay.

#: Names of the properties that RDKit computes.
RDKIT_PROPERTIES = (
    *("weight", "logp", "qed", "tpsa", "num_rings"),
    *("num_h_donors", "num_h_acceptors", "num_rotatable_bonds"),
)


@dataclass(frozen=True)
class ParsedSmiles:
    """The graphs of SMILES, concatenated: B graphs with N nodes and E directed edges.

    Args:
        smiles: SMILES of the graphs, [B]; the largest fragment's where one was taken.
        kept: Positions of the graphs in the input, [B].
        atomic_number: [N].
        num_nodes: [B].
        edge_index: Local node ids, both directions, row-major in every graph, [2, E].
        bond_order: [E].
        num_edges: [B].
        y: Properties, [B, K].
        charged: Whether atoms have formal charges, which graphs do not hold, [B].
        dropped: Position in the input and reason of what is left out.
    """

    smiles: list[str]
    kept: np.ndarray
    atomic_number: np.ndarray
    num_nodes: np.ndarray
    edge_index: np.ndarray
    bond_order: np.ndarray
    num_edges: np.ndarray
    y: np.ndarray
    charged: np.ndarray
    dropped: list[tuple[int, str]]


def parse_smiles(
    smiles: Sequence[str],
    *,
    atomic_numbers: Sequence[int] | None = None,
    bond_orders: Sequence[float] = (1.0, 2.0, 3.0),
    largest_fragment: bool = False,
    properties: Sequence[str] = (),
    processes: int | None = None,
    progress: bool = True,
) -> ParsedSmiles:
    """Parse SMILES into kekulised graphs without hydrogens, in the order of their atoms.

    Args:
        smiles: The SMILES.
        atomic_numbers: Elements allowed; all by default. With hydrogen among them, every
            hydrogen becomes a node.
        bond_orders: Bond orders allowed.
        largest_fragment: Take the largest of several fragments rather than drop the molecule.
        properties: Names of properties that RDKit computes.
        processes: Number of processes; the number of usable CPU cores by default.
        progress: Show a progress bar on standard error.

    Raises:
        ImportError: If RDKit is not installed.
        RuntimeError: If a process is killed.
    """
    require("rdkit", extra="chem")
    options = {
        "atomic_numbers": None if atomic_numbers is None else set(atomic_numbers),
        "keep_hydrogens": atomic_numbers is not None and 1 in atomic_numbers,
        "bond_orders": set(bond_orders),
        "largest_fragment": largest_fragment,
        "properties": tuple(properties),
    }
    chunks = [list(smiles[i : i + CHUNK]) for i in range(0, len(smiles), CHUNK)] or [[]]
    processes = min(processes or usable_cores(), len(chunks))
    results = []
    with tqdm(total=len(smiles), unit="mol", desc="SMILES to graphs", disable=not progress) as bar:
        for chunk, result in zip(chunks, _results(chunks, options, processes), strict=True):
            results.append(result)
            bar.update(len(chunk))
    return _concatenate(results)


def _results(
    chunks: list[list[str]], options: dict[str, Any], processes: int
) -> Iterator[dict[str, Any]]:
    if processes == 1 or not sys.executable:
        from pyg_topn.datasets._smiles_worker import parse_chunk

        yield from (parse_chunk(chunk, options) for chunk in chunks)
        return
    requests = ((chunk, options) for chunk in chunks)
    yield from answer_in_order(requests, _SCRIPT, "parses SMILES", processes)


def _concatenate(results: list[dict[str, Any]]) -> ParsedSmiles:
    fields: dict[str, Any] = {}
    for key in ("atomic_number", "num_nodes", "bond_order", "num_edges", "y", "charged"):
        # Chunks of which nothing is left do not know the number of properties.
        parts = [result[key] for result in results if len(result["kept"])]
        fields[key] = np.concatenate(parts) if parts else results[0][key]
    fields["edge_index"] = np.concatenate([result["edge_index"] for result in results], axis=1)
    fields["smiles"] = [text for result in results for text in result["smiles"]]
    kept = [CHUNK * i + k for i, result in enumerate(results) for k in result["kept"]]
    fields["kept"] = np.array(kept, dtype=np.int64)
    fields["dropped"] = [
        (CHUNK * i + k, why) for i, result in enumerate(results) for k, why in result["dropped"]
    ]
    return ParsedSmiles(**fields)
