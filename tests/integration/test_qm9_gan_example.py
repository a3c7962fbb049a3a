"""The example of a GAN trains, in a short mode, goes on from its checkpoint, and draws."""

from __future__ import annotations

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
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example on 64 molecules of QM9."""

    def few(_: Any, split: str) -> SmilesDataset:
        smiles = qm9_smiles(split)[1000:1064]
        vocabulary = MoleculeVocabulary.qm9()
        return SmilesDataset(tmp_path / "few", smiles, vocabulary, processes=1, log=False)

    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = importlib.import_module("qm9_gan")
    monkeypatch.setattr(module, "HeavyAtomQM9", few)
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


def test_a_budget_is_needed(example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run(example, monkeypatch, tmp_path, "--minutes", "0")
