"""The example on synthetic sets runs, prints every metric and draws."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

pytest.importorskip("ot")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("creation", ["top_n", "iid"])
def test_it_trains_measures_and_draws(
    creation: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    words = ["--creation", creation, "--minutes", "0.01", "--num-sets", "20", "--num-samples", "8"]
    words += ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["synthetic_sets.py", *words])
    importlib.import_module("synthetic_sets").main()
    said = capsys.readouterr().out
    for text in ("train: W1", "test: W1", f"{creation}, generated: 8 sets", "10 points more"):
        assert text in said
    assert "nan" not in said
    assert (tmp_path / "out" / "sets.png").is_file()
