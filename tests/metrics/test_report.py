from __future__ import annotations

import json

import pytest

from pyg_topn.metrics import MoleculeMetrics, MoleculeReport


@pytest.fixture
def report() -> MoleculeReport:
    metrics = MoleculeMetrics(["CCO"], ["CCO", "CCN"], label="prior N(0, I)", properties=True)
    metrics.update(["CCO"] * 6 + ["CC", "C.C", "CN(C)(C)C", "junk"])
    return metrics.compute()


def test_table_shows_all_definitions(report: MoleculeReport) -> None:
    lines = report.table().splitlines()
    assert lines[0] == "prior N(0, I): 10 molecules, none rejected, none corrected"
    rows = {line[:43].strip(): line[43:].split() for line in lines if "[" in line[43:]}
    assert rows["valid (paper: neutral, sanitised)"][0] == "80.00"
    assert rows["valid (paper: neutral, sanitised)"][3:] == ["37.50", "30.00", "66.67", "20.00"]
    assert rows["valid, connected (strict)"][0] == "70.00"
    assert rows["valid, connected (strict)"][4:] == ["20.00", "50.00", "10.00"]
    assert rows["valid (relaxed: +1 charges, largest piece)"][0] == "90.00"
    assert rows["valid w/o correction (valences only)"][0] == "90.00"
    assert str(report) == report.table()


def test_tables_fit_in_100_columns_and_align(report: MoleculeReport) -> None:
    for text in (report.table(), report.per_size_table()):
        assert max(len(line) for line in text.splitlines()) <= 100
        assert not any(line != line.rstrip() for line in text.splitlines())
    rows = [line for line in report.table().splitlines() if "V.U." in line or "[" in line[43:]]
    assert len({len(row) for row in rows}) == 1


def test_long_labels_are_wrapped(report: MoleculeReport) -> None:
    metrics = MoleculeMetrics(label="a recipe with many words " * 9)
    metrics.update(["C"])
    for text in (metrics.compute().table(), metrics.compute().per_size_table()):
        assert max(len(line) for line in text.splitlines()) <= 100


def test_what_is_unknown_is_a_dash() -> None:
    metrics = MoleculeMetrics()
    metrics.update(["junk"])
    text = metrics.compute().table()
    assert "FCD -" in text
    assert "NSPDK -" in text
    assert "novelty against nothing" in text
    assert text.splitlines()[4].split()[-4:] == ["-", "0.00", "-", "-"]


def test_per_size_table(report: MoleculeReport) -> None:
    lines = report.per_size_table().splitlines()
    assert lines[4].split() == ["2", "2", "20.00", "100.00", "50.00", "100.00"]
    assert lines[5].split() == ["3", "6", "60.00", "100.00", "100.00", "16.67"]
    assert lines[6].split() == ["5", "1", "10.00", "0.00", "0.00", "-"]


def test_dictionary_is_json(report: MoleculeReport) -> None:
    figures = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert figures["paper"]["valid"] == 0.8
    assert figures["connected"]["num_novel"] == 1
    assert figures["sizes"][0] == {"size": 2, "count": 2, "valid": 2, "connected": 1, "unique": 2}
    assert figures["label"] == "prior N(0, I)"
    assert figures["fcd"] is None


def test_scalars_leave_out_the_unknown(report: MoleculeReport) -> None:
    scalars = report.scalars()
    assert scalars["valid"] == 0.8
    assert scalars["connected_vu"] == 0.2
    assert "fcd" not in scalars
    assert all(isinstance(value, float) for value in scalars.values())
