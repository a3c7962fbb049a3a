"""The benchmark on synthetic sets runs, remembers what it measured, and averages it rightly."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy import stats

pytest.importorskip("ot")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


def test_intervals_are_those_of_student(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.91, 0.95, 0.90, 0.97]
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    expected = f"{(low + high) / 2:.2f}±{(high - low) / 2:.2f}"
    cell = benchmark("_intervals", monkeypatch).cell
    assert cell(values) == expected
    assert cell([0.5], 100, 1) == "50.0"


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["--creations", "top_n", "iid", "--schedule", "cosine"], ("top_n", "iid")),
        (["--study", "reference_points", "--points", "11", "13"], ("11", "13")),
    ],
)
def test_it_prints_a_line_a_method_and_remembers(
    words: list[str],
    rows: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table4 = benchmark("table4", monkeypatch)
    words = [*words, "--epochs", "1", "--seeds", "0", "1", "--number", "8", "--num-sets", "12"]
    words += ["--root", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["table4.py", *words])
    table4.main()
    said = capsys.readouterr().out
    for name in rows:
        assert said.count(f"\n{name} ") == 4  # A line in each of three tables, and the clipping.
    assert "nan" not in said
    assert len(list((tmp_path / "out").glob("*.json"))) == 4
    monkeypatch.setattr(benchmark("set_runs", monkeypatch), "fit", None)
    table4.main()  # Nothing is trained again.
    assert capsys.readouterr().out == said


def test_it_needs_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["table4.py", "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark("table4", monkeypatch).main()
