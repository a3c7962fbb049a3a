"""The benchmark on synthetic sets runs, remembers what it measured, and averages it rightly."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy import stats

from pyg_topn.datasets import SyntheticMolecules

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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--number", "1"], "Expected 'number' to be at least 2"),
        (["--num-sets", "1"], "Expected 'num_sets' to be an integer of at least 2"),
        (["--batch-size", "0"], "Expected 'batch_size' to be an integer of at least 1"),
        (["--minutes", "0"], "Expected a positive budget"),
        (["--seeds", "0", "-1"], "Expected 'seed'"),
        (["--kl", "-1"], "kl"),
        (["--early-points", "0"], "Expected 'early_points'"),
        (["--study", "reference_points", "--points", "11", "3"], "at most 3 nodes"),
    ],
)
def test_it_refuses_before_it_trains(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table4, out = benchmark("table4", monkeypatch), tmp_path / "out"
    fixed = ["--minutes", "1", "--num-sets", "12", "--root", str(tmp_path), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["table4.py", *fixed, *words])
    with pytest.raises(SystemExit):
        table4.main()
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.usefixtures("unprinted_curves")
def test_few_sets_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 3 sets for training, 2 are for testing; those larger than any that can be made count."""
    table4 = benchmark("table4", monkeypatch)
    words = ["--epochs", "1", "--seeds", "0", "--number", "2", "--num-sets", "3"]
    words += ["--creations", "first_n", "iid", "top_n"]
    words += ["--root", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["table4.py", *words])
    table4.main()
    said = capsys.readouterr().out
    train, test = (
        SyntheticMolecules(tmp_path / "data", split, number, log=False)
        for split, number in (("train", 3), ("test", 2))
    )
    largest = len(train.size_histogram()) - 1
    larger = sum(data.num_nodes > largest for data in test)
    for name in ("first_n", "top_n"):
        line = next(
            line for line in said.splitlines() if line.startswith(f"{name} ") and ":" in line
        )
        assert f"at most {largest} points a set" in line
        assert line.endswith(f"(train, test) 0, {larger}")
    assert "any number of points a set: sizes clipped in extrapolation 0.0 %" in said


def test_other_defaults_are_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    set_runs = benchmark("set_runs", monkeypatch)
    before = set_runs.Run(epochs=1).name
    assert set_runs.Run(epochs=1, seed=1).name == before[:-1] + "1"
    monkeypatch.setattr(set_runs, "build_set_vae", lambda heads=8: None)
    assert set_runs.Run(epochs=1).name != before


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
