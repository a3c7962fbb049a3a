"""SMILES from files."""

from __future__ import annotations

import csv
import gzip
import lzma
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_LINES, _TABLES = (".smi", ".smiles", ".txt"), {".csv": ",", ".tsv": "\t"}


def read_smiles_file(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    r"""Read SMILES and their line numbers, counted from 1.

    Of a ``.smi``, ``.smiles`` or ``.txt`` file, the first word of every line counts; of a
    ``.csv`` or ``.tsv`` file, the column whose header is, or else holds, "smiles". Empty lines and
    a first line "smiles" are skipped. ``.gz`` or ``.xz`` may follow.

    Args:
        path: The file.

    Raises:
        ValueError: If the file does not exist, cannot be read as text, is of another kind, or
            holds no SMILES.

    Example:
        >>> path = getfixture("tmp_path") / "molecules.smi"
        >>> _ = path.write_text("CCO ethanol\n\nC methane\n")
        >>> read_smiles_file(path)
        [(1, 'CCO'), (3, 'C')]
    """
    path = Path(path)
    compression = path.suffix.lower() if path.suffix.lower() in _OPEN else ""
    kind = Path(path.stem if compression else path.name).suffix.lower()
    if kind not in (*_LINES, *_TABLES):
        known = ", ".join((*_LINES, *_TABLES))
        raise ValueError(
            f"Expected a file of SMILES: {known}, or these with .gz, .xz (got '{path}')"
        )
    if not path.is_file():
        raise ValueError(f"Expected a file of SMILES (got '{path}', which does not exist)")
    try:
        with _OPEN.get(compression, open)(path, "rt", encoding="utf-8-sig", newline="") as file:
            lines = _first_words(file) if kind in _LINES else _column(file, _TABLES[kind], path)
    except (UnicodeDecodeError, EOFError, OSError, csv.Error, lzma.LZMAError) as error:
        raise ValueError(f"Expected a readable text file (got '{path}': {error})") from error
    if not lines:
        raise ValueError(f"Expected SMILES in '{path}' (got none, the file is empty)")
    return lines


def _first_words(file: Iterable[str]) -> list[tuple[int, str]]:
    words = [(number, line.split()[0]) for number, line in enumerate(file, 1) if line.strip()]
    return words[1:] if words and words[0][1].lower() == "smiles" else words


def _column(file: Iterable[str], delimiter: str, path: Path) -> list[tuple[int, str]]:
    reader = csv.DictReader(file, delimiter=delimiter)
    headers = reader.fieldnames or []
    if not headers:
        return []
    names = [name for name in headers if "smiles" in name.lower()]
    names.sort(key=lambda name: name.strip().lower() != "smiles")  # Stable: exact ones come first.
    if not names:
        raise ValueError(f"Expected a column 'smiles' in '{path}' (got {list(headers)})")
    rows = ((reader.line_num, (row[names[0]] or "").strip()) for row in reader)
    return [(number, smiles) for number, smiles in rows if smiles]
