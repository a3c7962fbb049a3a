"""The molecules, splits and computed properties of QM9, from files and without RDKit."""

from __future__ import annotations

import csv
import importlib.util
import lzma
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data")

NUM_GDB = 133_885
#: First and last place of every split among the shuffled rows of GDB-9.
SPLITS = {"train": (0, 100_000), "val": (100_000, 120_497), "test": (120_497, NUM_GDB)}

HARTREE = 27.211386246  # eV

#: Column of qm9pack and factor to PyG's unit of the properties that were computed with DFT.
DFT_PROPERTIES = {
    "mu": ("Dipole_debye", 1.0),
    "alpha": ("Polarizability_bohr3", 1.0),
    "homo": ("HOMO_au", HARTREE),
    "lumo": ("LUMO_au", HARTREE),
    "gap": ("HOMO_LUMO_gap_au", HARTREE),
    "r2": ("R2_bohr2", 1.0),
    "zpve": ("ZPVE_au", HARTREE),
    "u0": ("InternalEnergy_0K_au", HARTREE),
    "u298": ("InternalEnergy_298K_au", HARTREE),
    "h298": ("Enthalphy_298K_au", HARTREE),
    "g298": ("GibbsFreeEnergy_298K_au", HARTREE),
    "cv": ("Heatcapacity_Cv_cal_mol_K", 1.0),
}


def check_split(split: str | None) -> None:
    """Raise unless the split exists."""
    if split is not None and split not in SPLITS:
        raise ValueError(f"Expected 'split' to be None or one of {list(SPLITS)} (got {split!r})")


def qm9_smiles(split: str | None = None) -> list[str]:
    r"""Return the SMILES of QM9, from the file in this package; neither RDKit nor a cache.

    Args:
        split: :obj:`"train"`, :obj:`"val"`, :obj:`"test"`, or :obj:`None` for all 130,831.

    Raises:
        ValueError: If there is no such split.

    Example:
        >>> len(qm9_smiles()), qm9_smiles("train")[:3]
        (130831, ['C', 'N', 'C#C'])
    """
    check_split(split)
    smiles = _all_smiles()
    return [smiles[row] for row in split_rows(split)]


def split_rows(split: str | None) -> np.ndarray:
    """The rows of a split among the 130,831 molecules, ascending.

    As in DiGress, rows of the whole table of GDB-9 are shuffled, so that the sizes of the splits
    come out as 97,734, 20,042 and 13,055 once the uncharacterised molecules are left out.
    """
    gdb = gdb_rows()
    if split is None:
        return np.arange(gdb.size)
    first, last = SPLITS[split]
    # The legacy generator, whose stream numpy froze: pandas' sample(frac=1, random_state=42).
    shuffled = np.random.RandomState(42).permutation(NUM_GDB)
    return np.flatnonzero(np.isin(gdb, shuffled[first:last]))


def gdb_rows() -> np.ndarray:
    """The row of every molecule in GDB-9's table, counted from 0. [130831]"""
    characterized = np.ones(NUM_GDB, dtype=bool)
    characterized[np.array(_lines("qm9_uncharacterized.txt.xz"), dtype=np.int64) - 1] = False
    return np.flatnonzero(characterized)


@lru_cache(maxsize=1)
def _all_smiles() -> tuple[str, ...]:
    return tuple(_lines("qm9.smi.xz"))


def _lines(name: str) -> list[str]:
    return lzma.decompress((DATA / name).read_bytes()).decode("ascii").split()


def dft_properties(names: Sequence[str]) -> np.ndarray:
    """Read properties of all molecules from the installed package qm9pack. [130831, K]

    Raises:
        ImportError: If qm9pack is not installed.
    """
    # Found rather than imported: its import needs an old setuptools.
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or spec.origin is None:
        raise ImportError(
            f"Expected the package 'qm9pack' to be installed, which holds {names[0]!r} (got none). "
            "Install it with: pip install qm9pack"
        )
    values = np.full((NUM_GDB, len(names)), np.nan)
    columns = [DFT_PROPERTIES[name][0] for name in names]
    for part in (1, 2, 3):
        path = Path(spec.origin).parent / "data" / f"qm9_part{part}.csv"
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                values[int(row["Index"]) - 1] = [float(row[column]) for column in columns]
    return values[gdb_rows()] * np.array([DFT_PROPERTIES[name][1] for name in names])
