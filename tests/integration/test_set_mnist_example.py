"""The example on SetMNIST trains, in a short mode, and draws."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = {"tspn": ["tspn.png"], "dspn": ["dspn.png", "dspn_steps.png"]}


@pytest.mark.parametrize("model", ["tspn", "dspn"])
def test_it_trains_and_draws(
    mnist_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = importlib.import_module("set_mnist")
    words = ["--model", model, "--minutes", "0.001", "--batch-size", "2", "--digits", "2"]
    words += ["--creations", "iid", "top_n", "--root", str(mnist_root)]
    monkeypatch.setattr(sys, "argv", ["set_mnist.py", *words, "--out", str(tmp_path / "out")])
    example.main()
    pictures = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in pictures] == PICTURES[model]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert capsys.readouterr().out.count("Wrote") == len(pictures)


def test_a_budget_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(sys, "argv", ["set_mnist.py", "--minutes", "0"])
    with pytest.raises(SystemExit):
        importlib.import_module("set_mnist").main()
