"""The example of a search for molecules, in a short mode."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rdkit")
pytest.importorskip("matplotlib")

EXAMPLE = Path(__file__).parents[2] / "examples" / "optimize_molecules.py"


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_it_searches_walks_and_draws(tmp_path: Path) -> None:
    result = run("--rounds", "3", "--population", "32", cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    best = [float(value) for value in re.findall(r"best QED (\d\.\d+)", result.stdout)]
    assert len(best) == 3
    assert best == sorted(best)
    assert 0.4 < best[-1] <= 0.95
    for name in ("qed", "walk", "neighbours"):
        picture = tmp_path / "runs" / "optimized" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_it_needs_a_model_of_molecules(tmp_path: Path) -> None:
    result = run("--model", str(tmp_path), cwd=tmp_path)
    assert result.returncode != 0
    assert "Expected a folder with a saved model" in result.stderr
