"""Batches of graphs to SMILES, in other processes while the next batches are being made."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from torch_geometric.data import Batch

import pyg_topn.utils
from pyg_topn.metrics import write_smiles
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils._graph_arrays import GraphArrays, build_molecules
from pyg_topn.utils._worker_process import answer_in_order, usable_cores

FEW = 8192  # Molecules up to which starting processes does not pay.
MOST = 8  # Processes, which write molecules faster than one process decodes them, on a GPU as well.

_SCRIPT = Path(pyg_topn.utils.__file__).with_name("_smiles_writer.py")


def default_processes(num_molecules: int) -> int:
    """How many processes pay for a number of molecules, beside the one that decodes."""
    return 0 if num_molecules < FEW else min(usable_cores() - 1, MOST)


def smiles_of_batches(
    batches: Generator[Batch, None, None], vocabulary: MoleculeVocabulary, processes: int
) -> Iterator[list[str]]:
    """SMILES of every batch as ``write_smiles`` writes them, in order.

    Args:
        batches: The graphs; closed at the end, however it comes.
        vocabulary: What their types mean.
        processes: How many; 0 for none but this one.

    Raises:
        RuntimeError: If a process ends early.
    """
    waiting: deque[GraphArrays] = deque()

    def requests() -> Iterator[tuple[Any, ...]]:
        for batch in batches:
            graphs = GraphArrays.from_batch(batch, len(vocabulary.atoms), len(vocabulary.bonds))
            waiting.append(graphs)
            yield graphs.to_request(), vocabulary.atoms, vocabulary.bonds

    # The answers are closed first: nothing takes batches any more when these are closed.
    with closing(batches), closing(_answers(requests(), vocabulary, processes)) as answers:
        for texts in answers:
            yield _complete(texts, waiting.popleft(), vocabulary)


def _answers(
    requests: Iterator[tuple[Any, ...]], vocabulary: MoleculeVocabulary, processes: int
) -> Generator[list[str | None], None, None]:
    # With hydrogen all the work is done in _complete.
    if processes == 0 or not sys.executable or "H" in vocabulary.atoms:
        from pyg_topn.utils._smiles_writer import write_graphs

        yield from (write_graphs(*request) for request in requests)
    else:
        yield from answer_in_order(requests, _SCRIPT, "writes SMILES", processes)


def _complete(
    texts: list[str | None], graphs: GraphArrays, vocabulary: MoleculeVocabulary
) -> list[str]:
    """Write what the fast way is not sure about the slow way."""
    unsure = [index for index, text in enumerate(texts) if text is None]
    molecules = build_molecules(graphs, vocabulary.atoms, vocabulary.bonds, unsure)
    for index, molecule in zip(unsure, molecules, strict=True):
        texts[index] = write_smiles(molecule)
    return [text for text in texts if text is not None]
