"""The benchmark of training steps on sets runs, and its steps train."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

from pyg_topn.datasets import SyntheticMolecules

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(
        module := importlib.import_module("set_steps"),
        "SyntheticMolecules",
        partial(SyntheticMolecules, num_sets=8),
    )
    monkeypatch.setattr(module, "VAE_BATCH", 4)
    return module


def test_it_prints_a_line_a_model_and_creation(
    benchmark: ModuleType,
    mnist_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--mnist", str(mnist_root), "--synthetic", str(tmp_path), "--repeats", "1"]
    threads = str(torch.get_num_threads())
    monkeypatch.setattr(sys, "argv", ["set_steps.py", *words, "--threads", threads])
    with torch.random.fork_rng():
        benchmark.main()
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith(("set VAE,", "TSPN,", "DSPN,"))]
    assert len(lines) == 12
    for line in lines:
        sets, middle, rate = line.split()[-4], line.split()[-3], line.split()[-1]
        each = float(sets) / float(middle) * 1e3
        assert float(rate.replace(",", "")) == pytest.approx(each, rel=0.2, abs=1)


def test_a_step_changes_the_weights(benchmark: ModuleType, tmp_path: Path) -> None:
    sets = SyntheticMolecules(tmp_path, num_sets=8, log=False)
    net = torch.nn.Linear(3, 1)
    before = net.weight.clone()
    number, run = benchmark.step(net, sets, 4, lambda batch: net(batch.pos).square().mean())
    run()
    assert number == 4
    assert not torch.equal(net.weight, before)
