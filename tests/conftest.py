"""Fixtures and settings that every test shares."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from hypothesis import settings

# The tensors of the tests are tiny: threads cost more than they bring.
torch.set_num_threads(1)

# The first example of a property pays for imports and lazy initialisation: no deadline per example.
settings.register_profile("pyg_topn", parent=settings(), deadline=None)
settings.load_profile("pyg_topn")

if importlib.util.find_spec("rdkit") is not None:
    from rdkit import RDLogger

    RDLogger.DisableLog("rdApp.*")


@pytest.fixture(autouse=True)
def _seed() -> None:
    """The weights of a fresh module are the same in every run and in any order of the tests."""
    torch.manual_seed(0)


@pytest.fixture
def generator() -> torch.Generator:
    """A generator on the CPU, seeded."""
    return torch.Generator().manual_seed(0)


def shrink_training(put: Callable[[Any, str, Any], None], root: Path) -> None:
    """Make training small: 320 molecules of QM9, 10 batches an epoch, a narrow model."""
    from pyg_topn import recipe, training
    from pyg_topn.datasets import SmilesDataset, qm9_smiles
    from pyg_topn.molecule import MoleculeVocabulary

    def few(_: Any, split: str, properties: Sequence[str] = ()) -> SmilesDataset:
        smiles = qm9_smiles("train")[1000 : 1320 if split == "train" else 1064]
        vocabulary = MoleculeVocabulary.qm9()
        folder, quiet = root / "-".join([split, *properties]), {"processes": 1, "log": False}
        return SmilesDataset(folder, smiles, vocabulary, properties=properties, **quiet)

    width = {"latent_channels": 8, "hidden_channels": 16, "pair_channels": 8}
    narrow = {**width, "creation_channels": 16, "num_layers": 1, "encoder_layers": 1, "heads": 2}
    # Before the first step of the last stage, thousands of latent vectors are drawn from the flow.
    flow = {**recipe._FLOW, "prior_channels": 16}
    recipes = {
        name: replace(
            chosen,
            model={**chosen.model, **narrow, **(flow if "prior" in chosen.model else {})},
            batch_size=32,
        )
        for name, chosen in recipe.RECIPES.items()
    }
    put(training, "HeavyAtomQM9", few)
    put(recipe, "RECIPES", recipes)
    put(recipe, "_FLOW", flow)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a folder once, by whichever process of pytest-xdist is the first to need it."""

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        base = tmp_path_factory.getbasetemp()
        if os.environ.get("PYTEST_XDIST_WORKER"):
            base = base.parent  # That of a process lies in the one of the whole run.
        folder, done = base / f"once-{name}", base / f"once-{name}.done"
        with FileLock(base / f"once-{name}.lock"):
            if not done.exists():
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the few molecules of a small training."""
    return tmp_path_factory.mktemp("few")


@pytest.fixture
def unprinted_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves are drawn, but not turned into a picture: it takes longer than a small training."""
    monkeypatch.setattr("pyg_topn.plot._curves.save", lambda figure, path: path)


@pytest.fixture
def small_training(
    monkeypatch: pytest.MonkeyPatch, small_root: Path, unprinted_curves: None
) -> None:
    """Training is small during the test."""
    shrink_training(monkeypatch.setattr, small_root)


@pytest.fixture(scope="session")
def trained(small_root: Path, made_once: Callable[..., Path]) -> Path:
    """The output folder of a finished small training of two epochs. Not to be changed."""
    from pyg_topn.training import train_qm9

    def fill(folder: Path) -> None:
        root = small_root / "root"
        with pytest.MonkeyPatch.context() as patch:
            shrink_training(patch.setattr, small_root)
            train_qm9(folder / "run", epochs=2, progress_bar=False, num_samples=32, root=root)

    return made_once("trained", fill) / "run"
