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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "0"], "--minutes: expected a number above 0 (got 0)"),
        (["--step-size", "inf"], "--step-size: expected a number above 0 (got inf)"),
        (["--digits", "0"], "--digits: expected at least 1 (got 0)"),
        (["--batch-size", "-1"], "--batch-size: expected at least 1 (got -1)"),
        (["--hidden-channels", "0"], "--hidden-channels: expected at least 1 (got 0)"),
        (["--hidden-channels", "6", "--model", "tspn"], "for 4 heads (got 6)"),
    ],
)
def test_what_is_refused_before_it_trains(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(sys, "argv", ["set_mnist.py", "--out", str(tmp_path / "out"), *words])
    with pytest.raises(SystemExit):
        importlib.import_module("set_mnist").main()
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
