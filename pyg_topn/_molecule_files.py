"""Molecules in files."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pyg_topn.metrics import MoleculeMetrics, write_smiles
from pyg_topn.plot import plot_molecules
from pyg_topn.utils._paths import check_file
from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol

FORMATS = (".smi", ".csv", ".sdf", ".png")


def check_output(path: str | os.PathLike[str], formats: Sequence[str] = FORMATS) -> Path:
    r"""Check that a file can be written, before any work is done.

    Args:
        path: The file.
        formats: The endings that it may have.

    Raises:
        ValueError: If its ending is not among them.
        OSError: If its folder does not exist or cannot be written.
        ImportError: If it is a picture and matplotlib is not installed.

    Example:
        >>> check_output("molecules.smi").suffix
        '.smi'
    """
    path = Path(path)
    if path.suffix not in formats:
        raise ValueError(f"Expected a file ending in {', '.join(formats)} (got '{path}')")
    if path.suffix == ".png":
        require("matplotlib.figure", extra="plot")
    return check_file(path)


def write_molecules(molecules: Iterable[Mol | str], path: str | os.PathLike[str]) -> Path:
    r"""Write molecules, invalid ones too, in the format that the ending names.

    ``.smi`` has one SMILES string a line, ``.csv`` also size and validity, ``.sdf`` 2-D
    coordinates of the valid ones, ``.png`` a picture of the first 64. The file appears whole or
    not at all; molecules that are still being made are written as they come.

    Args:
        molecules: The molecules; for ``.smi`` also SMILES as :func:`generate_smiles` gives them,
            which are written as they are.
        path: Where to write them.

    Raises:
        ValueError: If the ending is unknown.
        TypeError: If there is something else among the molecules.
        OSError: If the file cannot be written.

    Example:
        >>> from pyg_topn.metrics import read_smiles
        >>> folder = getfixture("tmp_path")
        >>> molecules = [read_smiles("CCO"), read_smiles("C.C")]
        >>> write_molecules(molecules, folder / "molecules.smi").read_text().split()
        ['CCO', 'C.C']
    """
    path = check_output(path)
    if path.suffix == ".png":
        return plot_molecules(list(_only_molecules(molecules, path.suffix)), path)
    with _atomic(path) as file:
        if path.suffix == ".smi":
            file.writelines(_line(molecule) for molecule in molecules)
        elif path.suffix == ".csv":
            _write_csv(_only_molecules(molecules, path.suffix), file)
        else:
            _write_sdf(_only_molecules(molecules, path.suffix), file)
    return path


def _line(molecule: Mol | str) -> str:
    if isinstance(molecule, str):
        return molecule + "\n"
    if not hasattr(molecule, "GetAtoms"):
        got = type(molecule).__name__
        raise TypeError(f"Expected RDKit molecules or SMILES to write .smi (got {got})")
    return write_smiles(molecule) + "\n"


def _only_molecules(molecules: Iterable[Any], suffix: str) -> Iterator[Mol]:
    for molecule in molecules:
        if not hasattr(molecule, "GetAtoms"):
            got = type(molecule).__name__
            raise TypeError(f"Expected RDKit molecules to write {suffix} (got {got})")
        yield molecule


@contextmanager
def _atomic(path: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _write_csv(molecules: Iterable[Mol], file: TextIO) -> None:
    writer = csv.writer(file)
    writer.writerow(["smiles", "num_atoms", "valid", "connected"])
    for molecule in molecules:
        metrics = MoleculeMetrics(nspdk=False)
        metrics.update([molecule])
        report = metrics.compute()
        row = [molecule.GetNumAtoms(), int(report.paper.valid), int(report.connected.valid)]
        writer.writerow([write_smiles(molecule), *row])


def _write_sdf(molecules: Iterable[Mol], file: TextIO) -> None:
    chem = require("rdkit.Chem", extra="chem")
    depictor = require("rdkit.Chem.rdDepictor", extra="chem")
    with require("rdkit.rdBase", extra="chem").BlockLogs(), chem.SDWriter(file) as writer:
        for molecule in molecules:
            molecule = chem.Mol(molecule)
            if chem.SanitizeMol(molecule, catchErrors=True):
                continue
            depictor.Compute2DCoords(molecule)
            writer.write(molecule)
