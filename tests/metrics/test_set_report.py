"""The report of sets as a table, as scalars and as JSON."""

from __future__ import annotations

import json

import pytest

from pyg_topn.metrics import SetReport


@pytest.fixture
def report() -> SetReport:
    return SetReport(
        num_sets=1000,
        num_points=9250,
        valencies={0: 925, 1: 7400, 5: 925},
        isolated=0.1,
        crowded=0.1,
        valency_distance=0.374,
        diversity=4.8,
        diversity_w1=4.7,
        label="prior, 10 points more",
    )


def test_table(report: SetReport) -> None:
    lines = report.table().splitlines()
    assert lines[0] == "prior, 10 points more: 1,000 sets of 9.2 points on average"
    assert [line.split()[-1] for line in lines[2:-1]] == [
        *("0.37", "20.00", "10.00", "10.00", "4.80", "4.70")
    ]
    assert len({len(line) for line in lines[1:]}) == 1
    assert str(report) == report.table()


def test_what_is_unknown_is_a_dash() -> None:
    report = SetReport(1, 2, {1: 2})
    assert [line.split()[-1] for line in report.table().splitlines()[2:-1]] == [
        *("-", "0.00", "0.00", "0.00", "-", "-")
    ]
    assert set(report.scalars()) == {"incorrect", "isolated", "crowded"}


def test_long_labels_are_wrapped() -> None:
    report = SetReport(1, 2, label="a model with many words " * 9)
    assert max(len(line) for line in report.table().splitlines()) <= 100


def test_scalars_and_dictionary(report: SetReport) -> None:
    assert report.scalars()["incorrect"] == pytest.approx(0.2)
    assert report.scalars()["diversity"] == 4.8
    figures = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert figures["valencies"] == {"0": 925, "1": 7400, "5": 925}
    assert figures["num_sets"] == 1000
    assert figures["valency_distance"] == 0.374
