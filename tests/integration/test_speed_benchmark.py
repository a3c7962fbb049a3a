"""The speed benchmark runs in small, and its parts count and fit rightly."""

from __future__ import annotations

import doctest
import importlib
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

pytest.importorskip("lightning")
pytest.importorskip("rdkit")
pytest.importorskip("matplotlib")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODULES = ("_clock", "_floor", "_graphs", "_results", "_exponents", "_pipeline", "_peer", "speed")
MODULES += ("_steps",)

# A stand-in for a checkout of the authors' repository: the names that are called, and no more.
MODEL = """
import torch
from layers.attention import CHANNELS


class GraphTransformerVae(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.set_gen_name == "TopKGenerator"
        self.lin = torch.nn.Linear(CHANNELS, config.latent_dim)

    def forward(self, data):
        assert len(data.idx) == data.num_graphs
        return [self.lin(data.x), 0.0, 0.0, None]

    def generate(self, device, print_generated):
        return self.lin(torch.zeros(1, CHANNELS, device=device))
"""
METRICS = """
import torch
from easydict import EasyDict


class GraphMatching:
    def __init__(self, disable_matching):
        print("said by them")


class GraphVAELoss(torch.nn.Module):
    def __init__(self, lmbdas, matching, predict_n):
        super().__init__()
        self.weight = lmbdas[0]

    def forward(self, output, mean, variance, n, real):
        return [0.0, self.weight * output.square().sum()], []
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout" / "molecule_generation"
    files = {
        "graph_train_test.py": "",
        "model.py": MODEL,
        "layers/attention.py": "CHANNELS = 4\n",
        "utils/metrics.py": METRICS,
        "config/config_graph.yaml": "lambdas: [2]\npredict_n: False\nlatent_dim: 3\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder.parent


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("speed")


def test_quick_run_prints_and_writes(
    benchmark: ModuleType, checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--quick", "--nodes", "9", "12", "--batches", "1", "--molecules", "32"]
    words += ["--peer", str(checkout), "--devices", "cpu", "--out", str(out), "--only"]
    words += ["creation: ", "decoder: paper", "matcher: ", "loss: ", "reference set: 400"]
    words += ["training: paper", "resident", "0 workers", "graphs, paper", "SMILES", "peer"]
    before = set(sys.modules)
    benchmark.main(words)
    assert not {"model", "layers", "utils", "easydict"} & (set(sys.modules) - before)
    said = capsys.readouterr().out
    assert "said by them" not in said
    lines = [line for line in said.splitlines() if line.startswith("training: paper ")]
    assert len(lines) == 3  # Two sizes in the table, one line of exponents.
    assert "x" in lines[0].split()[-1]
    assert "n " in lines[-1]
    report = json.loads((out / "speed.json").read_text())
    assert report["left_out"] == []
    assert report["rates"][0]["flops"] > 0
    rows = {(row["family"], row["name"], row["nodes"]): row for row in report["rows"]}
    assert {family for family, _, _ in rows} == {
        *("machine", "creation", "decoder", "matcher", "loss", "reference set"),
        *("training", "loader", "sampling", "peer"),
    }
    assert all(row["graphs_per_second"] > 0 for row in rows.values())
    step = rows["training", "paper", 9]
    assert step["peak_bytes"] > 0
    assert 0 < step["share_of_floor"] < 1
    theirs = rows["peer", "training step", 9]["graphs_per_second"]
    assert step["times_theirs"] == pytest.approx(step["graphs_per_second"] / theirs)
    assert rows["sampling", "SMILES, qm9-top-n", 9]["share_of_floor"] is None
    assert (out / "speed-cpu.png").stat().st_size > 10_000


def test_stages_are_steps_of_training(benchmark: ModuleType) -> None:
    graphs, steps = (importlib.import_module(name) for name in ("_graphs", "_steps"))
    from pyg_topn.recipe import recipe

    chosen = recipe("default", prior="gaussian")
    held = graphs.drawn_graphs(5)
    setting = graphs.Setting(torch.device("cpu"), [5], [2], held)
    run = steps.Run(setting, chosen, chosen.stages[0], 5, "float32")
    case = steps.step(setting, "name", lambda: run, 5, 2)
    before = [parameter.detach().clone() for parameter in case.parameters]
    case.run()
    changed = [not torch.equal(*pair) for pair in zip(before, case.parameters, strict=True)]
    assert sum(changed) > 0.9 * len(changed)
    titles = [series.name for series in steps.steps(setting)]
    assert [title for title in titles if "bfloat16" not in title][:2] == [
        "paper",
        "default, joint stage",
    ]
    assert "default with N(0, I)" in titles


def test_a_floor_counts_products_and_bytes(benchmark: ModuleType) -> None:
    clock, floor = (importlib.import_module(name) for name in ("_clock", "_floor"))
    x, lin = torch.ones(5, 3), torch.nn.Linear(3, 2)
    case = clock.Case("f", "n", 5, 1, lambda: lin(x), x.device, inputs=(x,))
    case.parameters = tuple(lin.parameters())
    counted = floor.count(case)
    assert counted.flops == 2 * 5 * 3 * 2
    # Input, weight, bias and output, once each.
    assert counted.least_bytes == 4 * (15 + 6 + 2 + 10)


def test_series_stop_where_time_ends(
    benchmark: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = importlib.import_module("_clock")

    def build(batch: int) -> object:
        return clock.Case("f", "n", batch, 1, lambda: torch.ones(100 * batch), torch.device("cpu"))

    series = clock.Series("f", "n", 1, build)
    limits = clock.Limits(1.0, {"cpu": 40_000.0})
    assert [case.batch for case in limits.admit(series, (8, 64, 512))] == [8, 64]
    assert limits.skipped[0]["batch"] == 512
    assert "left out: f: n" in capsys.readouterr().out


def test_exponents_of_rows(benchmark: ModuleType) -> None:
    results, exponents = (importlib.import_module(name) for name in ("_results", "_exponents"))

    def row(nodes: int, batch: int) -> object:
        seconds = 1e-6 * batch * nodes * (nodes - 1)
        return results.Row(
            *("decoder", "d", "cpu", 1, nodes, batch, 0, batch, 1, seconds, seconds, seconds),
            *(batch / seconds, math.nan),
        )

    rows = [row(nodes, batch) for nodes in (9, 30, 100, 300) for batch in (1, 64, 512, 2048)]
    found = {(each.against, each.fixed): each for each in exponents.exponents(rows)}
    assert found["B", "n = 9"].exponent == pytest.approx(1)
    assert found["B", "n = 9"].sizes == [64, 512, 2048]
    assert found["P", "B = 2048"].exponent == pytest.approx(1)
    assert found["n", "B = 2048"].exponent == pytest.approx(2, abs=0.03)
    assert found["n", "B = 2048"].sizes == [30, 100, 300]


def test_options_are_checked(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        benchmark.parse(["--batches", "0"])
    assert "Expected --batches to be at least 1 (got 0)" in capsys.readouterr().err
    assert benchmark.parse([]).nodes == [9, 30, 100, 300]
    with pytest.raises(ValueError, match="Expected a checkout of the authors' repository"):
        importlib.import_module("_peer").Peer(tmp_path)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_parts(benchmark: ModuleType, name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 0
