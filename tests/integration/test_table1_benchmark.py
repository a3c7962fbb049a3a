"""The benchmark on SetMNIST prints its table, remembers its runs, and goes on when killed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch_geometric.data import Batch

from pyg_topn.datasets import SetMNIST
from pyg_topn.losses import ChamferLoss

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the runs, with narrow models."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("set_mnist_runs")
    monkeypatch.setattr(module, "LATENT_CHANNELS", {"tspn": 8, "dspn": 8})
    monkeypatch.setattr(module, "POINT_CHANNELS", {"tspn": 16, "dspn": 2})
    return module


def arguments(module: ModuleType, **changes: object) -> dict[str, object]:
    budget = {"minutes": None, "epochs": 2.0, "lr": 1e-3, "batch_size": 4, **changes}
    return {"creation": "top_n", "seed": 0, "budget": module.Budget(**budget)}


def test_it_prints_a_line_a_method_and_remembers(
    runs: ModuleType,
    mnist_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table1 = importlib.import_module("table1")
    words = ["--epochs", "0.4", "--seeds", "0", "1", "--batch-size", "4", "--root", str(mnist_root)]
    words += [
        "--creations",
        "iid",
        "first_n",
        "top_n",
        "top_n_same",
        "--out",
        str(tmp_path / "out"),
    ]
    monkeypatch.setattr(sys, "argv", ["table1.py", *words])
    table1.main()
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines() if line.startswith(("tspn,", "dspn,"))]
    assert len(lines) == 8
    assert lines[0][-1] == "16.42±0.53"
    assert all("±" in line[2] for line in lines)
    assert "nan" not in said
    files = sorted((tmp_path / "out").glob("*/*"))
    assert [path.name for path in files] == ["measured.json"] * 16
    monkeypatch.setattr(runs, "train", None)
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
    assert (expected["steps"], expected["epochs"]) == (6, 2.0)
    monkeypatch.setattr(runs, "SAVE_SECONDS", 0.0)
    loss_of, left = runs.loss_of, iter(range(4))

    def killed(*inputs: object) -> torch.Tensor:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return loss_of(*inputs)

    monkeypatch.setattr(runs, "loss_of", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.measure(tmp_path / "killed", mnist_root, **chosen)
    (checkpoint,) = (tmp_path / "killed").glob("*/checkpoint.pt")
    assert torch.load(checkpoint, weights_only=True)["step"] == 4
    monkeypatch.setattr(runs, "loss_of", loss_of)
    found = runs.measure(tmp_path / "killed", mnist_root, **chosen)
    assert found["steps"] == 6
    assert found["chamfer"] == pytest.approx(expected["chamfer"], rel=1e-5)
    assert not checkpoint.exists()
    (path,) = (tmp_path / "killed").glob("*/measured.json")
    assert json.loads(path.read_text())["seed"] == 0


@pytest.mark.parametrize("model", ["tspn", "dspn"])
def test_evaluation_is_the_mean_over_sets(runs: ModuleType, mnist_root: Path, model: str) -> None:
    dataset = SetMNIST(mnist_root, "test", model)
    net = runs.build(model, "first_n", 40)
    found = runs.evaluate(net, dataset, 0, "cpu")
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    losses = []
    for data in dataset:
        alone = Batch.from_data_list([data])
        decoded = net(alone)
        losses.append(float(loss_fn(decoded[-1] if model == "dspn" else decoded, alone).detach()))
    assert found["chamfer"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_budgets(runs: ModuleType) -> None:
    both = runs.Budget(minutes=2.0, epochs=4.0, lr=None)
    assert both.progress(60, 1) == 0.5
    assert both.progress(60, 3) == 0.75
    assert str(both).startswith("2 minutes or 4 epochs of training a run")
    assert runs.Budget(None, 4.0, None).progress(10**6, 1) == 0.25
