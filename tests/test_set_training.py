"""Training of set VAEs: it learns, goes on where it was killed, and says what is wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.optimize import linear_sum_assignment

pytest.importorskip("matplotlib")

import pyg_topn
from pyg_topn import _plain_loop, set_training
from pyg_topn.datasets import SyntheticMolecules
from pyg_topn.models import SetVAE
from pyg_topn.set_training import train_synthetic
from pyg_topn.utils import build_batch

NARROW = {"latent_channels": 8, "hidden_channels": 16, "creation_channels": 16, "num_layers": 1}
FEW = {"num_sets": 24, "batch_size": 8, "model": NARROW}


# That of the module is printed: it is made before what holds for a test only.
pytestmark = pytest.mark.usefixtures("unprinted_curves")


def train(out: Path, root: Path, **kwargs: Any) -> Path:
    arguments = {"epochs": 2, "num_samples": 8, "progress_bar": False, "changes": FEW, **kwargs}
    return train_synthetic(out, root=root, **arguments)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="module")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run. Not to be changed."""
    out = tmp_path_factory.mktemp("trained") / "run"
    assert train(out, root, creation="first_n", seed=3) == out / "model"
    return out


def test_what_a_run_leaves(trained: Path, root: Path) -> None:
    names = sorted(path.relative_to(trained).as_posix() for path in trained.rglob("*"))
    assert names == [
        "arguments.json",
        "checkpoints",
        "checkpoints/last.pt",
        "logs",
        "logs/metrics.csv",
        "model",
        "model/config.json",
        "model/model.safetensors",
        "training_curves.png",
    ]
    config = json.loads((trained / "model" / "config.json").read_text())
    assert config["model"] == "SetVAE"
    card = config["card"]
    assert [card[key] for key in ("creation", "seed", "step", "epoch")] == ["first_n", 3, 6, 2.0]
    histogram = SyntheticMolecules(root, num_sets=24, log=False).size_histogram().tolist()
    assert config["arguments"] == {
        "size_histogram": histogram,
        "creation": "first_n",
        "prior": "gaussian",
        **NARROW,
    }
    vae = pyg_topn.load(trained / "model")
    assert isinstance(vae, SetVAE)
    assert vae.sample(5).num_graphs == 5


def test_the_curve_is_of_sets_held_out(trained: Path, root: Path) -> None:
    with (trained / "logs" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    vae = pyg_topn.load(trained / "model")
    assert isinstance(vae, SetVAE)
    val = SyntheticMolecules(root, "val", 6, log=False)
    train_set = SyntheticMolecules(root, num_sets=24, log=False)
    expected = set_training._measure(vae, train_set.valency, val, 8)
    for name, value in expected.items():
        assert float(rows[-1][name]) == pytest.approx(value, rel=1e-5), name
    distances = []
    for data in val:
        size = torch.tensor([len(data.pos)])
        if size <= vae.decoder.max_num_nodes:
            z = vae.encode(build_batch(size, {"pos": data.pos})).mean
            cost = torch.cdist(vae.decode(z, size).pos, data.pos).detach().double().numpy()
            distances.append(cost[linear_sum_assignment(cost)].mean())
    assert expected["val/w1"] == pytest.approx(sum(distances) / len(distances), rel=1e-4)


def test_it_learns(root: Path, tmp_path: Path) -> None:
    changes = {**FEW, "learning_rate": 1e-2}
    train(tmp_path / "run", root, epochs=40, changes=changes)
    with (tmp_path / "run" / "logs" / "metrics.csv").open(newline="") as file:
        terms = [float(row["train/reconstruction"]) for row in csv.DictReader(file)]
    assert terms[-1] < 0.5 * terms[0]


@contextmanager
def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training is interrupted, after so many steps."""
    terms, left = set_training._terms, iter(range(steps))

    def killed(*inputs: Any) -> dict[str, torch.Tensor]:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return terms(*inputs)

    with monkeypatch.context() as patch:
        patch.setattr(set_training, "_terms", killed)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_a_killed_run_goes_on_and_ends_the_same(
    trained: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plain_loop, "INTERVAL", 0.0)
    with killed_after(4, monkeypatch):
        train(tmp_path, root, creation="first_n", seed=3, resume=True)
    train(tmp_path, root, creation="first_n", seed=3, resume=True)
    one, other = (pyg_topn.load(folder / "model").state_dict() for folder in (tmp_path, trained))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_less_time_than_was_used_up(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed before anything was measured ends where it is."""
    monkeypatch.setattr(_plain_loop, "INTERVAL", 0.0)
    with killed_after(4, monkeypatch):
        train(tmp_path, root, epochs=20)
    folder = train(tmp_path, root, epochs=1, resume=True)
    card = json.loads((folder / "config.json").read_text())["card"]
    assert (card["step"], "val/w1" in card) == (4, True)


FLOW = {**FEW, "model": {**NARROW, "prior_channels": 16, "prior_layers": 1}, "flow_share": 0.5}


def test_a_flow_is_fitted_while_the_rest_stays_as_it_is(root: Path, tmp_path: Path) -> None:
    kept: list[dict[str, torch.Tensor]] = []
    measure = set_training._measure

    def remembered(vae: SetVAE, *rest: Any) -> dict[str, float]:
        kept.append({name: value.clone() for name, value in vae.state_dict().items()})
        return measure(vae, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(set_training, "_measure", remembered)
        train(
            tmp_path, root, epochs=4, creation="iid", prior="rectified_flow", changes=FLOW
        )  # 6 steps each.
    vae = pyg_topn.load(tmp_path / "model")
    assert isinstance(vae, SetVAE)
    assert vae.prior.label == "rectified flow, 8 Heun steps"
    last = vae.state_dict()
    assert len(kept) == 10
    for name, value in last.items():
        at_half, moved = kept[4][name], name.startswith("prior.")
        if value.is_floating_point() and value.numel() and "encoder.norms" not in name:
            assert torch.equal(value, at_half) != moved, name
    with (tmp_path / "logs" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["train/velocity"]) for row in rows] == [False] * 5 + [True] * 5
    assert [bool(row["train/kl"]) for row in rows] == [True] * 5 + [False] * 5
    # The rate begins anew.
    rates = [float(row["lr"]) for row in rows]
    assert rates[4] < rates[5] > rates[9]
    larger = vae.sample(2, torch.tensor([35, 20]), torch.Generator().manual_seed(0))
    assert larger.ptr.tolist() == [0, 35, 55]


@pytest.mark.parametrize("kill", [3, 9])
def test_a_killed_run_with_a_flow_goes_on_and_ends_the_same(
    kill: int, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plain_loop, "INTERVAL", 0.0)
    arguments = {"epochs": 4, "prior": "rectified_flow", "changes": FLOW}
    train(tmp_path / "whole", root, **arguments)
    step = _plain_loop.PlainLoop._step

    def killed(loop: _plain_loop.PlainLoop, batch: Any) -> None:
        if loop.step == kill:
            raise KeyboardInterrupt
        step(loop, batch)

    with monkeypatch.context() as patch:
        patch.setattr(_plain_loop.PlainLoop, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "killed", root, **arguments)
    train(tmp_path / "killed", root, resume=True, **arguments)
    folders = (tmp_path / name / "model" for name in ("killed", "whole"))
    one, other = (pyg_topn.load(folder).state_dict() for folder in folders)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_another_seed_trains_another_model(trained: Path, root: Path, tmp_path: Path) -> None:
    train(tmp_path, root, creation="first_n", seed=4)
    one, other = (pyg_topn.load(folder / "model").state_dict() for folder in (tmp_path, trained))
    assert not torch.equal(one["decoder.in_lin.weight"], other["decoder.in_lin.weight"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"minutes": 1.0}, "Expected 'minutes' or 'epochs', not both"),
        ({"epochs": 0}, "Expected a positive budget"),
        ({"seed": -1}, "Expected 'seed'"),
        ({"num_samples": 0}, "Expected 'num_samples' to be at least 1"),
        ({"creation": "big_bang"}, "Expected a creation layer among"),
        ({"prior": "one_step"}, "Expected a prior among gaussian, rectified_flow .got 'one_step'"),
        ({"changes": {"flow_share": 1.0}}, "Expected 'flow_share' between 0 and 1 .got 1.0"),
        ({"changes": {"weights": {"love": 1.0}}}, "love"),
        ({"changes": {"p": 3}}, "Expected 'p'"),
        ({"changes": {"model": {"creation": "iid"}}}, "Expected 'creation' not among"),
    ],
)
def test_what_is_out_of_range(
    arguments: dict[str, Any], message: str, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", root, **arguments)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this one it is not known before it is tried; then no data are made for nothing."""
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a file system that takes no folders")
    monkeypatch.setattr(set_training, "_splits", None)
    with pytest.raises(OSError, match="Expected a folder that can be written to .got '/proc/"):
        train(Path("/proc/run"), root)


def test_a_field_that_is_none(root: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'wieghts'"):
        train(tmp_path / "run", root, changes={"wieghts": {}})


def test_a_folder_with_another_run(trained: Path, root: Path) -> None:
    before = (trained / "arguments.json").read_text()
    with pytest.raises(ValueError, match="without a run .*Resume it, or choose another folder"):
        train(trained, root, creation="first_n", seed=3)
    with pytest.raises(ValueError, match="Expected the arguments of the run"):
        train(trained, root, creation="mlp", seed=3, resume=True)
    assert (trained / "arguments.json").read_text() == before


def test_a_damaged_checkpoint(root: Path, tmp_path: Path) -> None:
    train(tmp_path, root, epochs=1)
    path = tmp_path / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    torch.save({"state_dict": state["state_dict"]}, path)
    with pytest.raises(ValueError, match="entries are missing.*Delete it to start again"):
        train(tmp_path, root, resume=True)
    torch.save({**state, "state_dict": {}}, path)
    with pytest.raises(ValueError, match="got one of another"):
        train(tmp_path, root, resume=True)
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="got a damaged file"):
        train(tmp_path, root, resume=True)
