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


@pytest.mark.usefixtures("unprinted_curves")
@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["--creations", "top_n", "iid", "--schedule", "plateau"], ("top_n", "iid")),
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
    words = [*words, "--epochs", "2", "--seeds", "0", "1", "--number", "8", "--num-sets", "12"]
    words += ["--root", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["table4.py", *words])
    table4.main()
    said = capsys.readouterr().out
    way, table = said.split("\nreconstruction")
    for name in rows:
        assert way.count(f"\n{name} ") == 2  # Rows of the curve: a batch an epoch.
        assert table.count(f"\n{name} ") == 4  # Three tables, and the clipping.
    assert "nan" not in said
    assert len(list((tmp_path / "out").glob("*/measured.json"))) == 4
    monkeypatch.setattr(benchmark("set_runs", monkeypatch), "train_synthetic", None)
    table4.main()  # Nothing is trained again.
    assert capsys.readouterr().out == said


def test_it_needs_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["table4.py", "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark("table4", monkeypatch).main()


def test_what_is_asked_for_is_what_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    table4 = benchmark("table4", monkeypatch)
    words = ["--minutes", "1", "--out", "out", "--kl", "0.1", "--neighbor", "7", "--film"]
    words += ["--early-points", "5", "--creations", "mlp"]
    recipe = table4.recipes(table4.arguments().parse_args(words))["mlp"]
    assert recipe.creation == "mlp"
    assert recipe.weights == {"kl": 0.1, "neighbor": 7.0}
    assert (recipe.model, recipe.data) == ({"film": True}, {"early_points": 5})
    words = ["--study", "reference_points", "--epochs", "1", "--out", "out"]
    recipes = table4.recipes(table4.arguments().parse_args(words))
    assert [recipe.model["num_reference_points"] for recipe in recipes.values()] == [
        *table4.REFERENCE_POINTS
    ]
    assert {recipe.data["max_points"] for recipe in recipes.values()} == {11}
