"""A missing package names the extra that brings it."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from pyg_topn.utils.optional import is_installed, require


def test_present() -> None:
    assert require("math", extra="chem") is math
    assert require("os.path", extra="chem").join("a", "b")
    assert is_installed("math")


def test_absent() -> None:
    assert not is_installed("no_such_package")
    for module in ("no_such_package", "no_such_package.inner"):
        with pytest.raises(ImportError, match=r"'no_such_package'.*pip install 'pyg-topn\[chem\]'"):
            require(module, extra="chem")


def test_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)  # What an import of an absent package sees.
    with pytest.raises(ImportError, match=r"'rdkit'.*pyg-topn\[chem\]"):
        require("rdkit", extra="chem")


def test_present_with_a_missing_dependency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("needs_more", extra="chem")
