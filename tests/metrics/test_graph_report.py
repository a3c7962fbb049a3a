"""The report of graphs as a table, as scalars and as JSON."""

from __future__ import annotations

import json

import pytest

from pyg_topn.metrics import GraphReport, ValidityScores

STATISTICS = ("degree", "clustering", "orbit", "spectrum")


def distances(*values: float) -> dict[str, dict[str, float]]:
    return {name: dict(zip(STATISTICS, values, strict=True)) for name in ("gdss", "gran")}


@pytest.fixture
def report() -> GraphReport:
    return GraphReport(
        num_graphs=40,
        num_nodes=64.0,
        num_edges=178.25,
        every=ValidityScores(40, 40, 39, 30),
        valid=ValidityScores(40, 20, 16, 12),
        mmd=distances(0.4, 0.0, 0.3, 0.1),
        train_mmd=distances(0.2, 0.0, -0.1, 0.1),
        label="planar, epoch 7",
    )


def test_ratios(report: GraphReport) -> None:
    """Where the unit is not positive there is no ratio."""
    expected = {"degree": 2.0, "clustering": None, "orbit": None, "spectrum": 1.0, "mean": 1.5}
    assert report.ratios == {"gdss": expected, "gran": expected}
    none = GraphReport(1, 1, 0, report.every, None, distances(*[0.1] * 4), distances(*[0.0] * 4))
    assert none.ratios["gran"]["mean"] is None
    assert GraphReport(1, 1, 0, report.every, mmd=report.mmd).ratios == {}


def test_table(report: GraphReport) -> None:
    lines = report.table().splitlines()
    assert lines[0] == "planar, epoch 7: 40 graphs of 64.0 nodes and 178.2 edges on average"
    assert lines[4].split()[-5:] == ["100.00", "97.50", "97.50", "76.92", "75.00"]
    assert lines[5].split() == ["valid", "50.00", "80.00", "40.00", "75.00", "30.00"]
    assert lines[8].split()[-4:] == ["0.40000", "0.00000", "0.30000", "0.10000"]
    assert lines[10].split() == ["ratio", "2.00", "-", "-", "1.00", "1.50"]
    assert max(len(line) for line in lines) == 95
    assert str(report) == report.table()


def test_what_is_unknown_is_a_dash() -> None:
    report = GraphReport(2, 3.0, 2.0, ValidityScores(2, 2, 2), mmd=distances(*[0.1] * 4))
    lines = report.table().splitlines()
    assert lines[4].split()[-2:] == ["-", "-"]
    assert lines[5].split() == ["valid", *"-----"]
    assert "ratio" not in report.table()
    assert report.scalars() == {
        "unique": 1.0,
        **{f"{name}_{key}": 0.1 for name in ("gdss", "gran") for key in STATISTICS},
    }
    nothing_valid = GraphReport(2, 3.0, 2.0, ValidityScores(2, 2, 2, 2), ValidityScores(2, 0, 0, 0))
    cells = nothing_valid.table().splitlines()[5].split()
    assert cells == ["valid", "0.00", "-", "0.00", "0.00", "0.00"]


def test_long_labels_are_wrapped() -> None:
    report = GraphReport(1, 1.0, 0.0, ValidityScores(1, 1, 1), label="many words " * 20)
    assert max(len(line) for line in report.table().splitlines()) <= 100


def test_scalars_and_dictionary(report: GraphReport) -> None:
    scalars = report.scalars()
    assert scalars["valid"] == 0.5
    assert scalars["vun"] == 0.3
    assert scalars["gdss_orbit"] == 0.3
    assert scalars["gran_ratio"] == 1.5
    figures = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert figures["valid"]["num_novel"] == 12
    assert figures["mmd"]["gdss"]["degree"] == 0.4
    assert figures["ratios"]["gran"]["orbit"] is None
    assert figures["label"] == "planar, epoch 7"
