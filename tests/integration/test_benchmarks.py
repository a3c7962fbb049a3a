"""The benchmarks on QM9 run, remember what they measured, and average it rightly."""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy import stats

pytest.importorskip("lightning")
pytest.importorskip("rdkit")
pytest.importorskip("fcd")

from pyg_topn.datasets import qm9_smiles

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


def test_intervals_are_those_of_student(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = benchmark("qm9_runs", monkeypatch)
    values = [0.91, 0.95, 0.90, 0.97]
    mean, width = runs._intervals.interval(values)
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (mean - width, mean + width) == pytest.approx((low, high))
    assert runs.cell([0.5]) == "50.0"
    assert runs.cell([0.5, 0.5]) == "50.0±0.0"
    assert math.isnan(runs._intervals.interval([math.nan, 1.0])[0])


@pytest.mark.usefixtures("small_training")
def test_table5_prints_a_line_a_method_and_remembers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table5 = benchmark("table5", monkeypatch)
    few = qm9_smiles("test")[:200]
    runs = benchmark("qm9_runs", monkeypatch)
    monkeypatch.setattr(runs, "qm9_smiles", lambda split: few)
    words = ["--epochs", "1", "--seeds", "0", "1", "--number", "40", "--no-fcd"]
    words += ["--creations", "first_n", "--recipes", "paper", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["table5.py", *words, "--root", str(tmp_path / "root")])
    table5.main()
    said = capsys.readouterr().out
    assert said.count("first_n, paper (N(0, I))") == 3  # One line in each of three tables.
    assert "Top-n, the paper (1)" in said
    files = sorted((tmp_path / "out").glob("*/measured.json"))
    assert len(files) == 2
    found = [json.loads(path.read_text()) for path in files]
    for seed, run in enumerate(found):
        assert run["steps"] == 10  # An epoch of a small training.
        assert 0 < run["seconds"] < 600
        assert run["arguments"]["seed"] == seed
        assert run["arguments"]["epochs"] == 1
    lines = said.splitlines()
    header = next(line for line in lines if line.split()[:2] == ["valid", "unique"])
    row = next(line for line in lines if line.startswith("first_n, paper"))
    begins = range(len(row) - 13 * len(runs.COLUMNS), len(row), 13)
    printed = {header[k : k + 13].strip(): row[k : k + 13].strip() for k in begins}
    for column, name in {"valid": "valid", "unique": "unique", "conn": "connected"}.items():
        mean = 100 * sum(run["main"][name] for run in found) / 2
        assert float(printed[column].split("±")[0]) == pytest.approx(mean, abs=0.051)
    monkeypatch.setattr(importlib.import_module("qm9_runs"), "train_qm9", None)
    table5.main()  # Nothing is trained again.
    assert capsys.readouterr().out == said
    known = tmp_path / "known"
    known.mkdir()
    for path in files:
        path.rename(known / f"{path.parent.name}.json")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--known", str(known)])
    table5.main()
    assert capsys.readouterr().out == said
    assert "(training molecules)" in said


def test_runs_are_known_by_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    name_of = benchmark("qm9_runs", monkeypatch).name_of
    different = [
        {},
        {"conditions": ["logp"]},
        {"teacher": Path("runs/teacher")},
        {"precision": "float32"},
        {"num_train": 1000},
        {"recipe_name": "paper"},
        {"changes": {"model": {"num_rounds": 1}}},
    ]
    assert len({name_of(0, epochs=5, **each) for each in different}) == len(different)
    assert name_of(0, epochs=5) != name_of(0, epochs=6)
    assert name_of(0, epochs=5, root="here") == name_of(0, epochs=5, root="there")


@pytest.mark.usefixtures("small_training")
def test_conditional_prints_errors_and_remembers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyg_topn import training

    conditional = benchmark("conditional", monkeypatch)
    monkeypatch.setattr(conditional, "HeavyAtomQM9", training.HeavyAtomQM9)
    words = ["--conditions", "logp", "num_rings", "--epochs", "1", "--seeds", "0", "--number", "64"]
    words += ["--root", str(tmp_path / "root"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["conditional.py", *words])
    conditional.main()
    said = capsys.readouterr().out
    rows = {line[:26].strip(): line[26:].split() for line in said.splitlines()[-6:]}
    assert list(rows)[1:] == [
        *("nothing", "logp", "num_rings", "all of them", "(others of the test split)")
    ]
    assert rows["asked"] == ["valid", "connected", "unique", "logp", "num_rings"]
    # Molecules of one split differ from each other by about one in logP.
    assert 0.3 < float(rows["(others of the test split)"][-2]) < 2
    monkeypatch.setattr(conditional, "train_qm9", None)
    conditional.main()  # Nothing is trained again.
    assert capsys.readouterr().out.splitlines()[-6:] == said.splitlines()[-6:]


def test_sampling_prints_rates_and_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--number", "4", "--batch-size", "4", "--repeats", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["sampling.py", *words])
    benchmark("sampling", monkeypatch).main()
    said = capsys.readouterr().out
    for name in ("decoded, SMILES in this process", "2 other process(es)", "arrays to SMILES"):
        assert name in said
    assert "nan" not in said


def test_decoding_prints_every_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--number", "60", "--seeds", "0", "1", "--no-fcd", "--temperatures", "1e-6", "3"]
    monkeypatch.setattr(sys, "argv", ["decoding.py", *words])
    benchmark("decoding", monkeypatch).main()
    rows = {line[:40].strip(): line[40:].split() for line in capsys.readouterr().out.splitlines()}
    assert rows["drawn at temperature 1e-06"] == rows["most likely"]
    valid = [
        float(rows[name][0].split("±")[0]) for name in ("most likely", "(corrected: valencies)")
    ]
    assert valid[1] == 100 >= valid[0]
    assert float(rows["drawn at temperature 3"][0].split("±")[0]) < valid[0]
    monkeypatch.setattr(sys, "argv", ["decoding.py", "nothing"])
    with pytest.raises(SystemExit):
        benchmark("decoding", monkeypatch).main()
    assert "Expected a folder with a saved model" in capsys.readouterr().err


def test_precision_prints_shares_and_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("precision", monkeypatch)
    monkeypatch.setattr("sys.argv", ["precision.py", "--number", "40", "--repeats", "1"])
    monkeypatch.setattr(module, "keep_freed_memory", lambda: True)  # This process is not its own.
    module.main()
    printed = capsys.readouterr().out
    assert "40 latent vectors of qm9-top-n: " in printed
    assert printed.count("% valid and connected") == 2
    assert printed.count(" ms\n") == 8


def test_studies_change_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyg_topn.models import build_graph_vae
    from pyg_topn.recipe import recipe

    # What counts as unchanged is what the model has by itself.
    own = benchmark("qm9_studies", monkeypatch).OWN
    vae = build_graph_vae(4, (1, 2, 3), [0] * 9 + [1], **recipe().model)
    assert vae.decoder.creation.num_reference_points == own["num_reference_points"]
    assert vae.decoder.creation.order == own["order"]
    assert len(vae.decoder.rounds) == own["num_rounds"]

    studies = benchmark("qm9_studies", monkeypatch).STUDIES
    for study in studies.values():
        names = ("creation", "matcher", "prior")
        chosen = [
            recipe(**{k: v for k, v in each.items() if k in names}, **each.get("changes", {}))
            for each in study.values()
        ]
        parts = {
            (str(c), each.get("num_train"), each.get("precision"))
            for c, each in zip(chosen, study.values(), strict=True)
        }
        assert len(parts) == len(study)
