"""Make pyg_topn/datasets/data/qm9.smi.xz and qm9_uncharacterized.txt.xz from the package qm9pack.

Usage:
    pip install qm9pack
    python scripts/make_qm9_smiles.py [FOLDER_OF_THE_CSV_FILES] [--out FOLDER]

The same input gives the same output, byte for byte with the same version of liblzma.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import lzma
import sys
from collections.abc import Iterable
from pathlib import Path

NUM_GDB = 133_885  # Rows of gdb9.sdf.csv, from which QM9 is what could be characterised.
NUM_MOLECULES = 130_831
PACKAGE_DATA = Path(__file__).parents[1] / "pyg_topn" / "datasets" / "data"


def main() -> None:
    """Read the CSV files, write the two files, print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="folder that holds qm9_part1.csv")
    parser.add_argument("--out", type=Path, default=PACKAGE_DATA, help="folder to write into")
    options = parser.parse_args()
    smiles = read_smiles(options.source or installed_data())
    missing = sorted(set(range(1, NUM_GDB + 1)) - set(smiles))
    if len(smiles) != NUM_MOLECULES or len(smiles) + len(missing) != NUM_GDB:
        sys.exit(f"Expected {NUM_MOLECULES} molecules of the {NUM_GDB} (got {len(smiles)})")
    write_lines(options.out / "qm9.smi.xz", (smiles[number] for number in sorted(smiles)))
    write_lines(options.out / "qm9_uncharacterized.txt.xz", map(str, missing))


def installed_data() -> Path:
    """Find the data of qm9pack without importing it, which needs an old setuptools."""
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or spec.origin is None:
        sys.exit(
            "Expected qm9pack to be installed (got none). Install it with: pip install qm9pack"
        )
    return Path(spec.origin).parent / "data"


def read_smiles(folder: Path) -> dict[int, str]:
    """Read the SMILES of every molecule by its number in GDB-9, counted from 1."""
    smiles: dict[int, str] = {}
    for part in (1, 2, 3):
        with (folder / f"qm9_part{part}.csv").open(newline="") as file:
            smiles.update((int(row["Index"]), row["SMILES"]) for row in csv.DictReader(file))
    return smiles


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line each, xz-compressed as far as xz goes."""
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
