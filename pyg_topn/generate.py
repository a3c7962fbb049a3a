"""From a model to molecules, and from molecules to files and figures."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch_geometric.data import Batch

from pyg_topn._molecule_files import FORMATS, check_output, write_molecules
from pyg_topn._smiles_pipeline import default_processes, smiles_of_batches
from pyg_topn.datasets import qm9_smiles, read_smiles_file
from pyg_topn.metrics import MoleculeMetrics, MoleculeReport
from pyg_topn.models import GraphGAN, GraphVAE
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.plot import plot_histograms
from pyg_topn.utils.optional import is_installed, require
from pyg_topn.utils.precision import autocast, check_precision

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = [
    "FORMATS",
    "check_output",
    "evaluate_molecules",
    "generate_molecules",
    "generate_smiles",
    "plot_against",
    "write_molecules",
]


def generate_molecules(
    model: GraphVAE | GraphGAN,
    num_molecules: int,
    seed: int = 0,
    batch_size: int = 2048,
    temperature: float | None = None,
    correct: bool = False,
    condition: Mapping[str, float] | None = None,
    precision: str = "float32",
) -> Iterator[list[Mol]]:
    r"""Generate molecules in one pass each, none rejected, and none corrected unless asked for.

    Args:
        model: A model with a vocabulary.
        num_molecules: How many.
        seed: Of latent vectors, sizes and graphs.
        batch_size: How many are decoded at once; part of what the seed determines.
        temperature: See :meth:`GraphVAE.sample`.
        correct: See :meth:`GraphVAE.sample`; figures of corrected molecules are to be labelled so.
        condition: What is asked of the molecules, by name, of a model that was trained with
            conditions: ``{"logp": 2.5}``.
        precision: Of products: ``"float32"``, in which a seed gives the same molecules on most
            machines; ``"bfloat16"``, faster where there is a unit for it; ``"auto"`` for the
            second where it is the faster one.

    Yields:
        Lists of RDKit molecules: neutral, not sanitised, valid or not.

    Raises:
        ValueError: If the model has no vocabulary, a number is not positive, the seed is out of
            range, both a temperature and a correction are asked for, or a condition or the
            precision is unknown.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> from pyg_topn.molecule import MoleculeVocabulary
        >>> model = build_graph_vae(4, (1, 2, 3), [0, 1, 5, 9])
        >>> model.vocabulary = MoleculeVocabulary.qm9()
        >>> [len(molecules) for molecules in generate_molecules(model, 5, batch_size=3)]
        [3, 2]
    """
    vocabulary = _vocabulary(model)
    how = temperature, correct, condition, precision
    batches = _batches(model, num_molecules, seed, batch_size, *how)
    return _molecules(batches, vocabulary)


def generate_smiles(
    model: GraphVAE | GraphGAN,
    num_molecules: int,
    seed: int = 0,
    batch_size: int = 2048,
    temperature: float | None = None,
    correct: bool = False,
    processes: int | None = None,
    condition: Mapping[str, float] | None = None,
    precision: str = "float32",
) -> Iterator[list[str]]:
    r"""Generate molecules as SMILES, written in other processes while the next are decoded.

    These are the molecules of :func:`generate_molecules`, as
    :func:`~pyg_topn.metrics.write_smiles` writes them: valid ones canonical, invalid ones as the
    graphs they are, in the same order whatever the number of processes. It takes a fraction of the
    time, and memory for a few batches. No process is left when the iteration ends or is closed.

    Args:
        model: See :func:`generate_molecules`.
        num_molecules: How many.
        seed: Of latent vectors, sizes and graphs.
        batch_size: How many are decoded at once; part of what the seed determines.
        temperature: See :meth:`GraphVAE.sample`.
        correct: See :meth:`GraphVAE.sample`.
        processes: Number of processes that write SMILES, not more than there are batches; 0 to
            write them in this process. By default as many as there are other CPU cores, at most 8,
            and 0 for fewer molecules than 8,192, for which starting processes does not pay. A
            vocabulary with hydrogen, whose SMILES take another way, never has any.
        condition: See :func:`generate_molecules`.
        precision: See :func:`generate_molecules`.

    Yields:
        Lists of SMILES, one a batch.

    Raises:
        ValueError: See :func:`generate_molecules`; or if there are less than 0 processes.
        RuntimeError: If a process is killed.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> from pyg_topn.molecule import MoleculeVocabulary
        >>> model = build_graph_vae(4, (1, 2, 3), [0, 1, 5, 9])
        >>> model.vocabulary = MoleculeVocabulary.qm9()
        >>> [len(smiles) for smiles in generate_smiles(model, 5, batch_size=3)]
        [3, 2]
    """
    vocabulary = _vocabulary(model)
    if processes is not None and processes < 0:
        raise ValueError(f"Expected 'processes' to be at least 0 (got {processes})")
    how = temperature, correct, condition, precision
    batches = _batches(model, num_molecules, seed, batch_size, *how)
    if processes is None:
        processes = default_processes(num_molecules)
    return smiles_of_batches(batches, vocabulary, min(processes, -(-num_molecules // batch_size)))


def _vocabulary(model: GraphVAE | GraphGAN) -> MoleculeVocabulary:
    require("rdkit.Chem", extra="chem")
    if model.vocabulary is None:
        raise ValueError("Expected a model with a vocabulary of atoms and bonds (got none)")
    return model.vocabulary


def _batches(
    model: GraphVAE | GraphGAN,
    num_molecules: int,
    seed: int,
    batch_size: int,
    temperature: float | None,
    correct: bool,
    condition: Mapping[str, float] | None,
    precision: str,
) -> Generator[Batch, None, None]:
    """Check the numbers, then generate batches of graphs."""
    for name, value in (("num_molecules", num_molecules), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
    if not 0 <= seed < 2**63:
        raise ValueError(f"Expected 'seed' to be between 0 and 2^63 - 1 (got {seed})")
    if temperature is not None and not temperature > 0:
        raise ValueError(f"Expected 'temperature' to be positive (got {temperature})")
    if correct and temperature is not None:
        raise ValueError(f"Expected no 'temperature' with 'correct' (got {temperature})")
    check_precision(precision)
    cond = None if condition is None else model.ask(condition)
    how = {"temperature": temperature, "correct": correct, "cond": cond}
    return _sampled(model, num_molecules, seed, batch_size, precision, how)


def _sampled(
    model: GraphVAE | GraphGAN,
    num_molecules: int,
    seed: int,
    batch_size: int,
    precision: str,
    how: dict[str, Any],
) -> Generator[Batch, None, None]:
    generator = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    try:
        for start in range(0, num_molecules, batch_size):
            count = min(batch_size, num_molecules - start)
            with autocast(model.prior.device, precision):  # Not while others have the batch.
                batch = model.sample(count, generator=generator, **how)
            yield batch
    finally:  # Also if the caller stops early.
        model.train(was_training)


def _molecules(
    batches: Generator[Batch, None, None], vocabulary: MoleculeVocabulary
) -> Iterator[list[Mol]]:
    with closing(batches):
        for batch in batches:
            yield vocabulary.to_molecules(batch)


def evaluate_molecules(
    molecules: str | os.PathLike[str] | Sequence[Mol | str | None],
    reference: str | os.PathLike[str] | None = "qm9",
    label: str = "",
    fcd: bool | None = None,
) -> MoleculeReport:
    r"""Measure molecules from anywhere, every definition side by side.

    Args:
        molecules: A file of SMILES, or molecules.
        reference: ``"qm9"``: novelty against the training split, distances to the test split. A
            file of SMILES: both against it. :obj:`None`: neither.
        label: Which model this is; printed with the figures.
        fcd: Whether to compute FCD; by default if ``fcd`` is installed and there is a reference.

    Raises:
        ValueError: If a file is empty or no such file is there.

    Example:
        >>> evaluate_molecules(["CCO", "C.C"], reference=None).connected.valid
        0.5
    """
    if isinstance(molecules, (str, os.PathLike)):
        molecules = [smiles for _, smiles in read_smiles_file(molecules)]
    known, held_out = None, None
    if reference == "qm9":
        known, held_out = qm9_smiles("train"), qm9_smiles("test")
    elif reference is not None:
        known = held_out = [smiles for _, smiles in read_smiles_file(reference)]
    distances = held_out is not None
    metrics = MoleculeMetrics(
        known,
        held_out,
        label=label,
        nspdk=distances,
        fcd=distances and (is_installed("fcd") if fcd is None else fcd),
        properties=distances,
    )
    metrics.update(molecules)
    return metrics.compute()


def plot_against(
    molecules: str | os.PathLike[str] | Sequence[Mol | str | None],
    reference: str | os.PathLike[str],
    path: str | os.PathLike[str],
) -> Path:
    r"""Draw histograms of sizes and properties of molecules against a reference.

    Args:
        molecules: A file of SMILES, or molecules.
        reference: ``"qm9"`` (the test split) or a file of SMILES.
        path: The picture to write.

    Raises:
        ValueError: If there is no reference.
    """
    if reference == "none":
        raise ValueError("Expected a reference to draw histograms against (got 'none')")
    if isinstance(molecules, (str, os.PathLike)):
        molecules = [smiles for _, smiles in read_smiles_file(molecules)]
    known = (
        qm9_smiles("test")
        if reference == "qm9"
        else [smiles for _, smiles in read_smiles_file(reference)]
    )
    return plot_histograms(molecules, known, path)
