from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from pyg_topn.datasets import read_smiles_file


def test_first_word_of_every_line_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.smi"
    path.write_text("smiles name\nCCO ethanol\n\n  C methane\n")
    assert read_smiles_file(path) == [(2, "CCO"), (4, "C")]


def test_column_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,SMILES\n1,CCO\n2,"C"\n')
    assert [smiles for _, smiles in read_smiles_file(path)] == ["CCO", "C"]


@pytest.mark.parametrize(("ending", "opener"), [(".gz", gzip.open), (".xz", lzma.open)])
def test_compressed(tmp_path: Path, ending: str, opener: object) -> None:
    path = tmp_path / f"a.smi{ending}"
    with opener(path, "wt") as file:  # type: ignore[operator]
        file.write("CCO\nC\n")
    assert [smiles for _, smiles in read_smiles_file(path)] == ["CCO", "C"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.smi", b"", "the file is empty"),
        ("a.pdf", b"C", "Expected a file of SMILES"),
        ("a.smi", b"\xff\xfe\x00", "readable text file"),
        ("a.smi.gz", b"CCO", "readable text file"),
        ("a.csv", b"id,name\n1,C\n", "[Ss][Mm][Ii][Ll][Ee][Ss]"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match):
        read_smiles_file(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        read_smiles_file(tmp_path / "none.smi")
