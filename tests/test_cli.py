"""The command line: what it does, and that what a user gets wrong is one line."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("rdkit")
pytest.importorskip("lightning")
pytest.importorskip("matplotlib")

import pyg_topn
from pyg_topn import set_training, training
from pyg_topn.__main__ import main
from pyg_topn.generate import generate_molecules
from pyg_topn.losses.matching import MATCHERS
from pyg_topn.metrics import write_smiles
from pyg_topn.models import SetVAE, build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.prior import RectifiedFlowPrior
from pyg_topn.pretrained import load, save
from pyg_topn.recipe import RECIPES
from pyg_topn.resolver import CREATIONS, PRIORS
from pyg_topn.set_recipe import SetRecipe

Output = pytest.CaptureFixture[str]


def run(*words: object) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as info:
        main([str(word) for word in words])
    code = info.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def fails(capsys: Output, pattern: str, *words: object) -> None:
    """Run the command line and check that it fails with one line that the pattern matches."""
    capsys.readouterr()
    assert run(*words) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(rf"pyg-topn: .*{pattern}.*\n", errors), errors


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def model(trained: Path) -> Path:
    """The folder of a trained model. Not to be changed."""
    return trained / "model"


@pytest.fixture
def smiles(tmp_path: Path) -> Path:
    """A file of five molecules, one of them unparsable."""
    path = tmp_path / "molecules.smi"
    path.write_text("CCO\nC.C\nC1CC\nCCN\nCCN\n")
    return path


@pytest.mark.usefixtures("small_training")
def test_train_and_resume(tmp_path: Path, capsys: Output) -> None:
    words = ["train", "qm9", "--out", tmp_path / "run", "--data", tmp_path / "data", "--seed", 1]
    words += ["--creation", "mlp", "--matcher", "none", "--prior", "coupling_flow"]
    words += ["--recipe", "paper"]
    assert run(*words, "--epochs", 1) == 0
    assert f"The model is in {tmp_path / 'run' / 'model'}" in capsys.readouterr().out
    card = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["card"]
    described = [card[key] for key in ("recipe", "creation", "matcher", "seed", "step", "prior")]
    assert described == ["paper", "mlp", "none", 1, 10, "coupling flow, 8 layers"]

    before = tree(tmp_path)
    fails(capsys, "without a run .*Resume it, or choose another folder", *words, "--epochs", 2)
    fails(capsys, "arguments of the run", *words[:-1], "default", "--epochs", 2, "--resume")
    assert tree(tmp_path) == before
    assert run(*words, "--epochs", 2, "--resume") == 0
    (tmp_path / "run" / "checkpoints" / "last.ckpt").write_bytes(b"damaged")
    fails(capsys, "Delete it to start again", *words, "--epochs", 2, "--resume")


def test_train_on_sets_and_resume(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    width = {"latent_channels": 8, "hidden_channels": 16, "creation_channels": 16}
    few = {"num_sets": 24, "batch_size": 8, "model": {**width, "num_layers": 1}}
    monkeypatch.setattr(set_training, "SetRecipe", partial(SetRecipe, **few))
    monkeypatch.chdir(tmp_path)
    words = ["train", "synthetic", "--creation", "iid", "--seed", 1]
    assert run(*words, "--epochs", 1) == 0
    model = Path("runs") / "synthetic" / "model"
    assert f"The model is in {model}" in capsys.readouterr().out
    card = json.loads((model / "config.json").read_text())["card"]
    assert [card[key] for key in ("creation", "seed", "step")] == ["iid", 1, 3]
    assert isinstance(load(model), SetVAE)
    assert (tmp_path / "data" / "synthetic" / "processed").is_dir()

    fails(capsys, "without a run .*Resume it, or choose another folder", *words, "--epochs", 2)
    fails(capsys, "arguments of the run", *words[:-1], 2, "--epochs", 2, "--resume")
    assert run(*words, "--epochs", 2, "--resume") == 0
    assert json.loads((model / "config.json").read_text())["card"]["step"] == 6
    for option, value in (("matcher", "none"), ("teacher", "qm9-top-n"), ("recipe", "paper")):
        fails(capsys, f"no '--{option}' with 'synthetic'", *words, f"--{option}", value)
    fails(capsys, "a prior among gaussian", *words, "--prior", "one_step")
    flow = ["--prior", "rectified_flow", "--out", tmp_path / "flow"]
    assert run(*words, "--epochs", 1, *flow) == 0
    fitted = load(tmp_path / "flow" / "model")
    assert isinstance(fitted, SetVAE)
    assert isinstance(fitted.prior, RectifiedFlowPrior)
    fails(capsys, "of molecules .*got a SetVAE in", "sample", model, "-o", "a.smi")


def test_sample_says_how(model: Path, tmp_path: Path, capsys: Output) -> None:
    for words, how in (([], "none corrected"), (["--correct"], "valencies corrected")):
        assert run("sample", model, "-n", 5, "-o", tmp_path / "a.smi", *words) == 0
        said = capsys.readouterr().out
        assert how in said
        assert load(model).prior.label in said


@pytest.mark.parametrize("suffix", [".smi", ".csv", ".sdf", ".png"])
def test_sample_writes_the_same_bytes_for_the_same_seed(
    suffix: str, model: Path, tmp_path: Path, capsys: Output
) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in ("one", "same", "other")]
    for path, seed in zip(files, (0, 0, 1), strict=True):
        assert run("sample", model, "-n", 20, "--seed", seed, "--temperature", 1, "-o", path) == 0
        assert f"20 molecules are in {path}" in capsys.readouterr().out
    one, same, other = (path.read_bytes() for path in files)
    assert one == same
    # An .sdf holds the valid ones, of which so short a training has none to offer.
    assert suffix == ".sdf" or one != other
    assert tree(tmp_path) == sorted(path.name for path in files)


def test_conditions_are_named_in_any_case(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("pyg_topn.training.train_qm9", lambda out, **words: seen.update(words))
    words = ["train", "qm9", "--out", tmp_path / "run", "--condition"]
    assert run(*words, "logP", "--condition", "Gap") == 0
    assert seen["conditions"] == ("logP", "Gap")


def test_sample_asks_for_conditions(tmp_path: Path, capsys: Output) -> None:
    arguments: dict[str, Any] = {"num_node_types": 4, "edge_orders": [1, 2, 3]}
    arguments.update(size_histogram=[0, 1, 2, 3], conditions=["logp", "num_rings"])
    vae, vocabulary = build_graph_vae(**arguments), MoleculeVocabulary.qm9()
    folder, out = save(vae, tmp_path / "model", arguments, vocabulary), tmp_path / "some.smi"
    words = ["sample", folder, "-n", 5, "-o", out]
    assert run(*words, "--condition", "logP=2.5", "--condition", "num_rings=1") == 0
    assert len(out.read_text().split()) == 5
    wrong = r"Expected a condition like logP=2\.5 \(got '{}'\)"
    fails(capsys, wrong.format("logp"), *words, "--condition", "logp")
    fails(capsys, wrong.format("logp=high"), *words, "--condition", "logp=high")
    unknown = r"Expected conditions among logp, num_rings \(got 'qed'\)"
    fails(capsys, unknown, *words, "--condition", "qed=0.5")


def test_sample_is_what_the_library_generates(model: Path, tmp_path: Path) -> None:
    assert run("sample", model, "-n", 7, "--batch-size", 4, "--out", tmp_path / "a.smi") == 0
    expected = [
        write_smiles(molecule)
        for part in generate_molecules(load(model), 7, batch_size=4)
        for molecule in part
    ]
    assert (tmp_path / "a.smi").read_text().splitlines() == expected


def test_sample_writes_the_same_bytes_with_any_number_of_processes(
    model: Path, tmp_path: Path, capsys: Output
) -> None:
    words = ["sample", model, "-n", 50, "--batch-size", 8]
    for processes in (0, 2):
        assert run(*words, "--processes", processes, "-o", tmp_path / f"{processes}.smi") == 0
        assert "50/50" in capsys.readouterr().err
    assert (tmp_path / "0.smi").read_bytes() == (tmp_path / "2.smi").read_bytes()
    assert tree(tmp_path) == ["0.smi", "2.smi"]


def test_evaluate_takes_smiles_from_anywhere(smiles: Path, tmp_path: Path, capsys: Output) -> None:
    words = ["evaluate", smiles, "--reference", "none", "--label", "theirs"]
    assert run(*words, "--json", tmp_path / "report.json") == 0
    output = capsys.readouterr().out
    assert "theirs" in output
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["num_molecules"], report["num_unreadable"]) == (5, 1)
    assert report["paper"]["num_valid"] == 4
    assert report["connected"]["num_unique"] == 2
    (tmp_path / "theirs.csv").write_text("id,SMILES\n1,CCO\n2,CCN\n")
    assert run("evaluate", tmp_path / "theirs.csv", "--reference", "none") == 0


def test_evaluate_against_a_file_draws_histograms(smiles: Path, tmp_path: Path) -> None:
    (tmp_path / "known.smi").write_text("CCO\nCCC\nCO\n")
    plot, report = tmp_path / "a.png", tmp_path / "a.json"
    words = ["evaluate", smiles, "--reference", tmp_path / "known.smi", "--json", report]
    assert run(*words, "--plot", plot) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert json.loads(report.read_text())["paper"]["num_novel"] == 2


def test_the_choices_are_those_of_the_library(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)  # So that no name is broken.
    assert run("train", "--help") == 0
    text = capsys.readouterr().out
    for name in (*CREATIONS, *MATCHERS, *PRIORS, *RECIPES):
        assert name in text


@pytest.mark.parametrize(
    "words",
    [
        ["train", "mnist"],
        ["train", "qm9", "--creation", "big_bang"],
        ["train", "qm9", "--matcher", "tinder"],
        ["train", "qm9", "--recipe", "soup"],
        ["train", "qm9", "--epochs", "many"],
        ["sample", "model"],
        ["evaluate"],
        ["dream"],
    ],
)
def test_what_cannot_be_parsed_ends_with_2(
    words: list[str], tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert "Usage: pyg-topn" in errors
    assert "Traceback" not in errors
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--minutes", 0], r"positive budget .*\(got 0.0\)"),
        (["--epochs", 0], r"positive budget .*\(got 0\)"),
        (["--minutes", 1, "--epochs", 1], "not both"),
        (["--seed", -1], "'seed' to be between"),
        (["--out", "file/run"], "Expected a folder to write to .*is a file"),
        (["--out", "file"], "Expected a folder to write to .*is a file"),
        (["--data", "file/data"], "Expected a folder to write to .*is a file"),
        (["--teacher", "qm9-top-n"], r"prior 'one_step' with a teacher.*\(got 'rectified_flow'\)"),
        (["--prior", "one_step", "--teacher", "gone"], r"folder with a saved model.*\(got 'gone'"),
    ],
)
def test_train_fails_early(
    words: list[object],
    pattern: str,
    tmp_path: Path,
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    fails(capsys, pattern, "train", "qm9", *words)
    assert tree(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("out", "words", "pattern"),
    [
        ("a.txt", [], r"ending in \.smi, \.csv, \.sdf, \.png"),
        ("file/a.smi", [], "Expected an existing folder to write to"),
        ("no/a.smi", [], "Expected an existing folder to write to"),
        ("folder.smi", [], "Expected a file that can be written"),
        ("a.smi", ["-n", 0], r"'num_molecules' to be at least 1 \(got 0\)"),
        ("a.smi", ["-n", -3], r"'num_molecules' to be at least 1 \(got -3\)"),
        ("a.smi", ["--batch-size", 0], "'batch_size' to be at least 1"),
        ("a.smi", ["--seed", -1], "'seed' to be between"),
        ("a.smi", ["--temperature", 0], "'temperature' to be positive"),
        ("a.smi", ["--temperature", 1, "--correct"], "no 'temperature' with 'correct'"),
        ("a.smi", ["--processes", -1], r"'processes' to be at least 0 \(got -1\)"),
        ("a.csv", ["--processes", 2], r"ending in \.smi with '--processes' \(got "),
    ],
)
def test_sample_fails_before_it_decodes(
    out: str,
    words: list[object],
    pattern: str,
    model: Path,
    tmp_path: Path,
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.smi").mkdir()
    monkeypatch.setattr("pyg_topn.models.GraphVAE.sample", None)
    fails(capsys, pattern, "sample", model, "-o", tmp_path / out, *words)
    assert tree(tmp_path) == ["file", "folder.smi"]


@pytest.mark.parametrize("kind", ["truncated", "broken json", "missing key", "nothing"])
def test_sample_refuses_a_damaged_model(
    kind: str, model: Path, tmp_path: Path, capsys: Output
) -> None:
    copy = tmp_path / "model"
    if kind != "nothing":
        shutil.copytree(model, copy)
    if kind == "truncated":
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "broken json":
        (copy / "config.json").write_text("{")
    elif kind == "missing key":
        (copy / "config.json").write_text("{}")
    before = tree(tmp_path)
    fails(capsys, "Expected a .*saved model", "sample", copy, "-o", tmp_path / "a.smi")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--json", "no/a.json"], "Expected an existing folder to write to"),
        (["--json", "file/a.json"], "Expected an existing folder to write to"),
        (["--json", "a.txt"], r"ending in \.json"),
        (["--plot", "no/a.png"], "Expected an existing folder to write to"),
        (["--plot", "a.smi"], r"ending in \.png"),
        (["--plot", "a.png", "--reference", "none"], "Expected a reference"),
        (["--reference", "none.smi"], "which does not exist"),
        (["--reference", "zinc"], "Expected a file of SMILES"),
        (["--reference", "file"], "Expected a file of SMILES"),
    ],
)
def test_evaluate_fails_before_it_measures(
    words: list[object],
    pattern: str,
    smiles: Path,
    tmp_path: Path,
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr("pyg_topn.metrics.MoleculeMetrics.update")
    (tmp_path / "file").write_text("")
    fails(capsys, pattern, "evaluate", smiles, *words)
    assert tree(tmp_path) == ["file", "molecules.smi"]


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("a.smi", "", "the file is empty"),
        ("a.pdf", "CCO", "Expected a file of SMILES"),
        ("a.csv", "name\nCCO\n", "Expected a column 'smiles'"),
    ],
)
def test_evaluate_refuses_bad_files(
    name: str, content: str, pattern: str, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / name).write_text(content)
    fails(capsys, pattern, "evaluate", tmp_path / name)
    fails(capsys, "which does not exist", "evaluate", tmp_path / "no.smi")


def test_a_missing_extra_is_named(
    model: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("training", "_trainer", "_graph_vae_module", "cli"):
        module = importlib.import_module(f"pyg_topn.{name}")
        monkeypatch.setattr(pyg_topn, name, module)  # Put back in the end, as is the other.
        monkeypatch.delitem(sys.modules, f"pyg_topn.{name}")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "lightning.pytorch", None)
        fails(capsys, r"pyg-topn\[train\]", "train", "qm9", "--out", tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "rdkit.Chem", None)
        fails(capsys, r"pyg-topn\[chem\]", "train", "qm9", "--out", tmp_path / "run")
        fails(capsys, r"pyg-topn\[chem\]", "sample", model, "-o", tmp_path / "a.smi")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "typer", None)
        patch.delitem(sys.modules, "pyg_topn.cli", raising=False)
        fails(capsys, r"pyg-topn\[cli\]", "sample", model, "-o", tmp_path / "a.smi")
    assert tree(tmp_path) == []


def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "train_qm9", interrupt)
    assert run("train", "qm9") == 130
    assert capsys.readouterr().err == "pyg-topn: interrupted; train --resume goes on from here\n"


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pyg_topn", "evaluate", str(tmp_path / "no.smi")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(
        r"pyg-topn: Expected a file of SMILES .*which does not exist\)\n", done.stderr
    )
