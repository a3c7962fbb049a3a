"""The example of a GAN trains, in a short mode, goes on from its checkpoint, and draws."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pyg_topn.datasets import SmilesDataset, qm9_smiles
from pyg_topn.molecule import MoleculeVocabulary

pytest.importorskip("rdkit")
pytest.importorskip("matplotlib")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def few_molecules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """In place of QM9, one batch of molecules of it."""

    def few(_: Any, split: str) -> SmilesDataset:
        smiles = qm9_smiles(split)[1000:1256]
        vocabulary = MoleculeVocabulary.qm9()
        return SmilesDataset(tmp_path / "few", smiles, vocabulary, processes=1, log=False)

    monkeypatch.syspath_prepend(str(EXAMPLES))
    return few


@pytest.fixture
def example(few_molecules: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = importlib.import_module("qm9_gan")
    monkeypatch.setattr(module, "HeavyAtomQM9", few_molecules)
    monkeypatch.setattr(module, "qm9_smiles", lambda split: qm9_smiles(split)[1000:1064])
    return module


def run(example: Any, monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> None:
    small = ["--batch-size", "16", "--num-samples", "40", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["qm9_gan.py", *small, *words])
    example.main()


@pytest.mark.parametrize("creation", ["top_n", "mlp"])
def test_it_trains_and_draws(
    example: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    creation: str,
) -> None:
    out = tmp_path / "out"
    run(example, monkeypatch, out, "--creation", creation, "--minutes", "0.01", "--seed", "3")
    assert (out / "molecules.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "molecules.smi").read_text().splitlines()) == 40
    printed = capsys.readouterr().out
    assert f"GAN, {creation} creation: 40 molecules, none rejected, none corrected" in printed
    assert "V    V.U.  V.U.N." in printed
    assert "MolGAN, as quoted    98.1  2.3 to 10.2" in printed


def test_it_goes_on_from_a_checkpoint(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a checkpoint after every step, instead of every half minute."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 20.0
        return now

    monkeypatch.setattr(example.time, "monotonic", clock)
    out = tmp_path / "out"
    run(example, monkeypatch, out, "--minutes", "3")
    first = torch.load(out / "checkpoint.pt", weights_only=True)
    assert first["step"] > 1
    assert not list(out.glob("*.tmp"))
    run(example, monkeypatch, out, "--minutes", "6")
    second = torch.load(out / "checkpoint.pt", weights_only=True)
    assert second["step"] > first["step"]
    assert second["spent"] > first["spent"]
    changed = [
        not torch.equal(second["model"][name], value) for name, value in first["model"].items()
    ]
    assert any(changed)


def test_it_is_over_when_it_is_over(
    example: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same command again trains no further and prints the same."""
    printed = []
    for _ in range(2):
        run(example, monkeypatch, tmp_path / "out", "--minutes", "0.01")
        state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
        printed.append((state["step"], capsys.readouterr().out))
    assert printed[0][0] > 0
    assert printed[0] == printed[1]


def test_so_is_that_of_a_vae(
    few_molecules: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = importlib.import_module("qm9_vae")
    monkeypatch.setattr(module, "HeavyAtomQM9", few_molecules)
    reference = tmp_path / "some.smi"
    reference.write_text("\n".join(qm9_smiles("train")[:50]))
    evaluate = functools.partial(module.evaluate_molecules, reference=reference)
    monkeypatch.setattr(module, "evaluate_molecules", evaluate)
    words = ["--minutes", "0.02", "--num-samples", "40", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["qm9_vae.py", *words])
    printed = []
    for _ in range(2):
        module.main()
        state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
        printed.append((state["step"], capsys.readouterr().out))
    assert printed[0][0] > 0
    assert printed[0] == printed[1]


def test_a_budget_is_needed(example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run(example, monkeypatch, tmp_path, "--minutes", "0")
