"""The benchmark on SetMNIST prints its table, remembers its runs, and goes on when killed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch

import pyg_topn
from pyg_topn import _plain_loop
from pyg_topn.datasets import SetMNIST
from pyg_topn.losses import ChamferLoss

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the runs."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("set_mnist_runs")


def arguments(module: ModuleType, **changes: object) -> dict[str, object]:
    plan = {"epochs": 2.0, "lr": 1e-3, "batch_size": 4, "hidden_channels": 16, **changes}
    return {"creation": "top_n", "seed": 0, "plan": module.Plan(**plan)}


def test_it_prints_a_line_a_method_and_remembers(
    runs: ModuleType,
    mnist_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table1 = importlib.import_module("table1")
    out = str(tmp_path / "out")
    words = ["--epochs", "0.4", "--seeds", "0", "1", "--batch-size", "4", "--root", str(mnist_root)]
    words += ["--creations", "iid", "mlp", "top_n", "top_n_same", "--bucket", "--out", out]
    words += ["--hidden-channels", "16"]
    monkeypatch.setattr(sys, "argv", ["table1.py", *words])
    table1.main()
    said = capsys.readouterr().out
    way, table = said.split("quoted, table 1")
    lines = [line.split() for line in table.splitlines() if line.startswith(("tspn,", "dspn,"))]
    assert len(lines) == 8
    assert lines[0][-1] == "16.42±0.53"
    assert lines[1][-1] == "-"  # The paper has no MLP here.
    assert all("±" in line[2] for line in lines)
    assert way.count("\ntspn, top_n_same ") == 2  # 2 steps, so 2 rows of a curve.
    assert "nan" not in said
    assert "0.4 epochs of training a run" in said
    files = sorted(path.name for path in (tmp_path / "out").glob("*/*"))
    assert files == ["measured.json"] * 16 + ["model"] * 16
    monkeypatch.setattr(runs, "fit", None)
    table1.main()  # Nothing is trained again.
    assert capsys.readouterr().out.split("load")[0] == said.split("load")[0]


@pytest.mark.parametrize("model", ["tspn", "dspn"])
def test_a_killed_run_goes_on_and_ends_the_same(
    runs: ModuleType,
    mnist_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
) -> None:
    chosen = {"model": model, **arguments(runs), "creation": "iid"}
    expected = runs.measure(tmp_path / "whole", mnist_root, **chosen)
    assert (expected["steps"], expected["epochs"]) == (6, 2.0)  # 9 digits, 3 being held out
    monkeypatch.setattr(_plain_loop, "INTERVAL", 0.0)
    loss_of, left = runs.loss_of, iter(range(4))

    def killed(*inputs: object) -> dict[str, torch.Tensor]:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return dict(loss_of(*inputs))

    monkeypatch.setattr(runs, "loss_of", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.measure(tmp_path / "killed", mnist_root, **chosen)
    (checkpoint,) = (tmp_path / "killed").glob("*/checkpoint.pt")
    assert torch.load(checkpoint, weights_only=True)["counts"][0] == 4
    monkeypatch.setattr(runs, "loss_of", loss_of)
    found = runs.measure(tmp_path / "killed", mnist_root, **chosen)
    assert found["steps"] == 6
    assert found["chamfer"] == pytest.approx(expected["chamfer"], rel=1e-5)
    assert not checkpoint.exists()
    (path,) = (tmp_path / "killed").glob("*/measured.json")
    assert json.loads(path.read_text())["seed"] == 0
    net = pyg_topn.load(path.parent / "model")
    assert type(net).__name__.lower() == model
    again = runs.evaluate(net, SetMNIST(mnist_root, "test", model), 0, "cpu")
    assert again["chamfer"] == pytest.approx(found["chamfer"], rel=1e-5)


@pytest.mark.parametrize("model", ["tspn", "dspn"])
def test_evaluation_is_the_mean_over_sets(runs: ModuleType, mnist_root: Path, model: str) -> None:
    dataset = SetMNIST(mnist_root, "test", model)
    net = runs.BUILDERS[model](**runs.arguments(model, "first_n", 40, runs.Plan()))
    found = runs.evaluate(net, dataset, 0, "cpu")
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    losses = []
    for data in dataset:
        alone = Batch.from_data_list([data])
        decoded = net(alone)
        losses.append(float(loss_fn(decoded[-1] if model == "dspn" else decoded, alone).detach()))
    assert found["chamfer"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_reference_sets_are_those_of_the_paper(runs: ModuleType) -> None:
    for creation, limit in (("top_n", 80), ("top_n_same", 40), ("mlp", 40), ("iid", None)):
        plan = runs.Plan(step_size=4.0, hidden_channels=8)
        net = runs.BUILDERS["dspn"](**runs.arguments("dspn", creation, 40, plan))
        assert (net.step_size, net.mlp.channel_list) == (4.0, [2, 8, 8, 64])
        assert (net.center, net.spread, net.max_move) == (0.5, 0.25, plan.max_move)
        assert net.creation.max_num_nodes == limit


def test_a_plan_says_what_it_is(runs: ModuleType) -> None:
    plan = runs.Plan(minutes=2.0, processor_time=True, lr=5e-4, bucket=True)
    assert str(plan) == (
        "2 minutes of processor time of training a run, learning rate 0.0005, cosine, "
        "batches of 32 sets of similar sizes, 256 channels, encoders see (x - 0.5) / 0.25, "
        "DSPN's steps 25, each point's at most 0.2, linear weights, on cpu"
    )


def test_weights_of_steps(runs: ModuleType) -> None:
    like = torch.empty(0)
    assert runs.step_weights(4, "linear", like).tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert runs.step_weights(4, "uniform", like).tolist() == [0.25] * 4
    assert runs.step_weights(1, "linear", like).tolist() == [1.0]


def test_other_defaults_are_another_run(runs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = runs.Plan(minutes=1.0)
    before = runs.identity("tspn", "iid", plan)
    assert before == runs.identity("tspn", "iid", runs.Plan(minutes=1.0, lr=1e-3))
    assert (before["lr"], before["arguments"]["num_layers"]) == (1e-3, 3)
    monkeypatch.setitem(runs.LEARNING_RATES, "tspn", 5e-4)
    assert runs.identity("tspn", "iid", plan) != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, r"Expected 'batch_size' to be at least 1 \(got 0\)"),
        ({"hidden_channels": -2}, r"Expected 'hidden_channels' to be at least 1 \(got -2\)"),
        ({"lr": 0.0}, r"Expected 'lr' to be positive and finite \(got 0.0\)"),
        ({"spread": float("inf")}, r"Expected 'spread' to be positive and finite \(got inf\)"),
        ({"minutes": 0.0}, r"Expected a positive budget"),
        ({"processor_time": True, "device": "cuda"}, r"Expected a run on the CPU .*\(got 'cuda'\)"),
    ],
)
def test_plans_that_are_refused(runs: ModuleType, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        runs.Plan(**changes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hidden-channels", "6"], "multiple of"),
        (["--batch-size", "0"], "Expected 'batch_size' to be at least 1"),
        (["--minutes", "-1"], "Expected a positive budget"),
        (["--root", "/dev/null"], "/dev/null"),
    ],
)
def test_it_refuses_before_it_trains(
    runs: ModuleType,
    mnist_root: Path,
    tmp_path: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table1 = importlib.import_module("table1")
    out = tmp_path / "out"
    fixed = ["table1.py", "--root", str(mnist_root), "--out", str(out), "--models", "dspn", "tspn"]
    monkeypatch.setattr(sys, "argv", [*fixed, *words])
    with pytest.raises(SystemExit):
        table1.main()
    assert message in capsys.readouterr().err
    assert not out.exists()
