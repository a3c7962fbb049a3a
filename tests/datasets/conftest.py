"""QM9, processed once for all tests of datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_topn.datasets import HeavyAtomQM9


@pytest.fixture(scope="session")
def qm9_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the processed files of all of QM9."""
    root = tmp_path_factory.mktemp("qm9")
    HeavyAtomQM9(root, log=False)
    return root


@pytest.fixture(scope="session")
def qm9(qm9_root: Path) -> HeavyAtomQM9:
    """All of QM9, from the cache."""
    return HeavyAtomQM9(qm9_root)
