"""The benchmark on graphs that are not molecules averages rightly and remembers its runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("graphs")


def test_it_prints_a_table_and_remembers(
    graphs: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--families", "community_small", "--minutes", "0.005", "--processor-time"]
    words += ["--seeds", "0", "1", "--split", "val"]
    words += ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    graphs.main(words)
    said = capsys.readouterr().out
    assert "0.005 minutes of processor time a run, seeds [0, 1], measured on 'val'" in said
    assert said.count("16 graphs of ") == 2  # What the example prints, run by run.
    assert len(list((tmp_path / "out").glob("*/val.json"))) == 2
    run_path, ran = graphs.runpy.run_path, []

    def refuse(path: str) -> dict[str, object]:
        return {**run_path(path), "main": ran.append}

    monkeypatch.setattr(graphs.runpy, "run_path", refuse)
    graphs.main(words)
    assert not ran  # Nothing is trained again.
    table = said[said.index("\ncommunity_small, top_n: ") :]
    assert capsys.readouterr().out.endswith(table)


def run(**changes: object) -> dict[str, object]:
    """What a run leaves, with round numbers."""
    names = ("degree", "clustering", "orbit", "spectrum")
    mmd = {kernel: dict.fromkeys(names, 0.5) for kernel in ("gdss", "gran")}
    ratios = {kernel: dict.fromkeys((*names, "mean"), 2.0) for kernel in ("gdss", "gran")}
    scores = {"unique": 1.0, "novel": 0.5, "vun": 0.25}
    whole = {
        "num_nodes": 9.0,
        "num_edges": 12.0,
        "every": scores,
        "valid": None,
        "nats": [7.0, 9.0],
    }
    return {**whole, "mmd": mmd, "train_mmd": mmd, "ratios": ratios, **changes}


def test_it_takes_means_over_seeds(graphs: ModuleType) -> None:
    options = graphs.arguments().parse_args(["--minutes", "4", "--out", "out"])
    runs = [run(num_edges=edges) for edges in (10.0, 12.0, 14.0)]
    lines = graphs.table("community_small", runs, options)
    assert lines[0] == (
        "community_small, top_n: 4 minutes a run, seeds [0, 1, 2], measured on 'test'"
    )
    # Student's t with two degrees of freedom: 4.303 * 2 / sqrt(3).
    assert lines[2].split()[2:] == ["9.0±0.0", "12.0±5.0", "-", "100.0±0.0", "50.0±0.0", "-"]
    assert lines[3] == "reconstruction, nats a graph: 7.0±0.0 train, 9.0±0.0 test"
    assert not any("quoted" in line for line in lines)


def test_what_has_no_ratio_is_a_dash_and_planar_graphs_are_compared(graphs: ModuleType) -> None:
    options = graphs.arguments().parse_args(["--minutes", "4", "--out", "out"])
    ratios = {kernel: {**row} for kernel, row in run()["ratios"].items()}
    ratios["gran"]["orbit"] = None
    valid = {"valid": 0.25, "vun": 0.125}
    lines = graphs.table("planar", [run(ratios=ratios, valid=valid)], options)
    assert lines[2].split()[4:] == ["25.0", "100.0", "50.0", "12.5"]
    rows = [line.split() for line in lines if line.startswith("ratio ")]
    assert rows[0][1:] == ["2.0"] * 5
    assert rows[1][1:] == ["2.0", "2.0", "-", "2.0", "2.0"]
    assert " ".join(rows[2]) == "ratio of SPECTRE, quoted 2.5 2.5 2.4 - - valid 25 %"
    assert " ".join(rows[3]) == "ratio of DiGress, quoted 1.4 1.2 1.7 - - valid 85 %"
