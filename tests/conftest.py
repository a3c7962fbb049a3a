"""Fixtures and settings that every test shares."""

from __future__ import annotations

import importlib.util

import pytest
import torch
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
