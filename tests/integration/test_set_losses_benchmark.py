"""The benchmark of the losses on sets runs, and its loop has the value of the loss."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from pyg_topn.losses import WassersteinLoss

pytest.importorskip("ot")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("set_losses")


def test_it_prints_three_tables(
    benchmark: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "CASES", ((3, 2, 5), (2, 4, 4)))
    name = "4096 x (9, 9)"
    monkeypatch.setattr(benchmark, "MEMORY", {name: benchmark.MEMORY[name]})
    monkeypatch.setattr(sys, "argv", ["set_losses.py", "--repeats", "1"])
    benchmark.main()
    said = capsys.readouterr().out
    assert said.count("loop / loss") == 2
    for loss in ("Chamfer", "Hungarian", "Wasserstein", "Sinkhorn"):
        assert f"\n{loss}Loss" in said
    assert f"\n{name}" in said


def test_it_prints_how_far_sinkhorn_is_off(
    benchmark: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "POINTS", (10, 40))
    monkeypatch.setattr(benchmark, "NOISE", (0.2,))
    monkeypatch.setattr(sys, "argv", ["set_losses.py", "--accuracy"])
    benchmark.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[4] for line in lines] == ["10", "40", "10", "40"]
    below, cosine = ([float(line[at]) for line in lines] for at in (6, 8))
    assert below[1] > below[0] > 0
    assert below[1] > below[3]  # The smaller epsilon is nearer.
    assert all(0.5 < value <= 1 for value in cosine)


def test_the_loop_has_the_gradient_of_the_loss(benchmark: ModuleType) -> None:
    x, y, _ = benchmark.draw(5, 2, 9)
    grads = []
    for step in (benchmark.loop_step, lambda x, y: benchmark.step(WassersteinLoss(), x, y)):
        x.x.grad = None
        step(x, y)
        grads.append(x.x.grad)
    torch.testing.assert_close(*grads)
