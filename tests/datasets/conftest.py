"""QM9, processed once for all tests of datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pyg_topn.datasets import HeavyAtomQM9


@pytest.fixture(scope="session")
def qm9_root(made_once: Callable[..., Path]) -> Path:
    """A folder that holds the processed files of all of QM9."""
    return made_once("qm9", lambda root: HeavyAtomQM9(root, log=False))


@pytest.fixture(scope="session")
def qm9(qm9_root: Path) -> HeavyAtomQM9:
    """All of QM9, from the cache."""
    return HeavyAtomQM9(qm9_root)
