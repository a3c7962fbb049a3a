"""Molecules a second: decoded, and written as SMILES in this process and in others.

Usage: python benchmarks/sampling.py [qm9-top-n] [--number 16384] [--threads 2]

Prints the median over repeats that take turns, and the best of them, of a warm pipeline: its
processes have started, and the clock runs from the decoding of one batch to the SMILES of the last.
Then the microseconds a molecule of every step by itself, and the seconds in which a process starts.
On a machine that others use as well, rates are too low: look at the load.
"""

from __future__ import annotations

import argparse
import time
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial

import numpy as np
import torch
from _machine import load, print_machine
from torch_geometric.data import Batch

import pyg_topn
from pyg_topn._smiles_pipeline import smiles_of_batches
from pyg_topn.metrics import write_smiles
from pyg_topn.models import GraphVAE
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils import _smiles_writer
from pyg_topn.utils._graph_arrays import GraphArrays
from pyg_topn.utils._worker_process import QUEUED, WorkerProcess
from pyg_topn.utils.allocator import keep_freed_memory
from pyg_topn.utils.precision import PRECISIONS, autocast

PROCESSES = (1, 2)

Batches = Generator[Batch, None, None]
Write = Callable[[Batches], Iterator[object]]


def main() -> None:
    """Print the machine and both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="qm9-top-n", help="a folder or a name")
    parser.add_argument("--number", type=int, default=16384, help="of molecules, a measurement")
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of products")
    parser.add_argument("--repeats", type=int, default=5, help="of every measurement")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    print_machine("rdkit")
    model = pyg_topn.load(options.model)
    assert model.vocabulary is not None
    measure = partial(rate, model, options.number, options.batch_size, options.precision)
    print(f"\n{'molecules a second':52s} {'median':>9s} {'best':>9s}")
    writers = cases(model.vocabulary)
    for name, rates in in_turns(writers, measure, options.repeats).items():
        print(f"{name:52s} {np.median(rates):9,.0f} {max(rates):9,.0f}")
    print(f"\n{'microseconds a molecule':52s} {'median':>9s} {'best':>9s}")
    for name, values in in_turns(steps(model, options.batch_size), clock, options.repeats).items():
        micro = 1e6 / options.batch_size
        print(f"{name:52s} {micro * np.median(values):9.2f} {micro * min(values):9.2f}")
    print(f"\na process starts in {min(start() for _ in range(3)):.2f} s; load {load()} at the end")


def cases(vocabulary: MoleculeVocabulary) -> dict[str, tuple[int, Write]]:
    """What is done with the batches, and how many processes it takes, by name."""

    def one_by_one(batches: Batches) -> Iterator[object]:
        return ([write_smiles(mol) for mol in vocabulary.to_molecules(each)] for each in batches)

    found: dict[str, tuple[int, Write]] = {
        "decoded": (0, iter),
        "decoded, to_molecules and write_smiles": (0, one_by_one),
    }
    for processes in (0, *PROCESSES):
        where = f"{processes} other process(es)" if processes else "this process"
        write = partial(smiles_of_batches, vocabulary=vocabulary, processes=processes)
        found[f"decoded, SMILES in {where}"] = (processes, write)
    return found


def in_turns(
    functions: dict[str, tuple[int, Write]] | dict[str, Callable[[], object]],
    measure: Callable[..., float],
    repeats: int,
) -> dict[str, list[float]]:
    """Measure each several times; they take turns, so that a busy moment meets all."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            value = measure(function)
            if repeat:  # The first time warms up.
                found[name].append(value)
    return found


def rate(
    model: GraphVAE, number: int, batch_size: int, precision: str, case: tuple[int, Write]
) -> float:
    """Molecules a second of a warm pipeline."""
    processes, write = case
    # When this many batches are taken, the first answer is there: the processes have started.
    warm, cold = -(-number // batch_size), QUEUED * processes + 1
    began = 0.0

    def batches() -> Batches:
        nonlocal began
        generator = torch.Generator().manual_seed(0)
        for index in range(cold + warm):
            if index == cold:
                began = time.perf_counter()
            with autocast("cpu", precision):
                batch = model.sample(batch_size, generator=generator)
            yield batch

    with closing(batches()) as given:
        for _ in write(given):
            pass
    return warm * batch_size / (time.perf_counter() - began)


def clock(function: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def steps(model: GraphVAE, batch_size: int) -> dict[str, Callable[[], object]]:
    """The steps from a batch to SMILES, by name."""
    vocabulary = model.vocabulary
    assert vocabulary is not None
    batch = model.sample(batch_size, generator=torch.Generator().manual_seed(0))
    types = len(vocabulary.atoms), len(vocabulary.bonds)
    request = GraphArrays.from_batch(batch, *types).to_request()
    molecules = vocabulary.to_molecules(batch)
    names = vocabulary.atoms, vocabulary.bonds
    return {
        "batch to arrays": lambda: GraphArrays.from_batch(batch, *types).to_request(),
        "arrays to SMILES": partial(_smiles_writer.write_graphs, request, *names),
        "batch to molecules": partial(vocabulary.to_molecules, batch),
        "molecules to SMILES, write_smiles": lambda: [write_smiles(mol) for mol in molecules],
    }


def start() -> float:
    """Seconds until a process answers."""
    names = ("num_nodes", "num_bonds", "atom_type", "begin", "end", "bond_type")
    nothing = {name: array("B") for name in names}
    began = time.perf_counter()
    with WorkerProcess(_smiles_writer.__file__, "writes SMILES") as worker:
        worker.ask((nothing, ("C",), ("SINGLE",)))
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
