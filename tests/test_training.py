"""Training: what it writes, that it goes on after a kill, and that it refuses early."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("lightning")
pytest.importorskip("rdkit")
pytest.importorskip("matplotlib")

from pyg_topn import _trainer, training
from pyg_topn._data_latents import DataLatents
from pyg_topn._prior_latents import PriorLatents
from pyg_topn._run_checks import known_conditions
from pyg_topn._teacher_pairs import TeacherPairs
from pyg_topn.loader import ResidentLoader
from pyg_topn.models import build_graph_vae
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import RectifiedFlowPrior
from pyg_topn.pretrained import load, save
from pyg_topn.recipe import recipe
from pyg_topn.training import GraphVAEModule, train_qm9

BATCHES = 10  # In an epoch of a small training.


def run(out: Path, **kwargs: Any) -> Path:
    options = {"progress_bar": False, "num_samples": 16, "root": out.parent / "root", **kwargs}
    return train_qm9(out, **options)


def rows(out: Path) -> list[dict[str, str]]:
    """What was logged, without the blanks."""
    with (out / "logs" / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def losses(out: Path) -> list[float]:
    return [float(row["train/loss"]) for row in rows(out) if "train/loss" in row]


def checkpoint(out: Path, name: str = "last") -> dict[str, Any]:
    path = out / "checkpoints" / f"{name}.ckpt"
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


def elapsed(loaded: dict[str, Any]) -> float:
    return float(loaded["callbacks"]["Timer"]["time_elapsed"]["train"])


def position(loaded: Any) -> dict[str, int]:
    """Where the loader stood, from wherever Lightning put it."""
    if isinstance(loaded, dict) and set(loaded) == {"epoch", "position"}:
        return loaded
    children = loaded.values() if isinstance(loaded, dict) else loaded
    found = [position(child) for child in children if isinstance(child, (dict, list))]
    return next((state for state in found if state), {})


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_run_writes_model_checkpoints_logs_and_curves(trained: Path) -> None:
    model = load(trained / "model")
    assert model.sample(3).num_graphs == 3
    assert model.vocabulary is not None
    assert model.vocabulary.atoms == ("C", "N", "O", "F")
    assert tree(trained / "checkpoints") == ["best.ckpt", "last.ckpt"]
    assert (trained / "training_curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((trained / "logs" / "tensorboard").glob("events*"))
    assert checkpoint(trained)["global_step"] == 2 * BATCHES
    validations = [row for row in rows(trained) if "val/connected_vu" in row]
    assert [int(row["step"]) for row in validations] == [BATCHES - 1, 2 * BATCHES - 1]
    assert [path for path in tree(trained) if ".new" in path or ".old" in path] == []


def test_the_model_holds_the_averaged_weights_of_the_best_checkpoint(trained: Path) -> None:
    best = checkpoint(trained, "best")
    saved = load_file(trained / "model" / "model.safetensors")
    assert saved.keys() == {k[6:] for k in best["state_dict"] if k.startswith("model.")}
    assert all(torch.equal(saved[key], best["state_dict"][f"model.{key}"]) for key in saved)
    current = best["current_model_state"]
    assert any(not torch.equal(saved[key], current[f"model.{key}"]) for key in saved)
    card = json.loads((trained / "model" / "config.json").read_text())["card"]
    assert (card["step"], card["epoch"]) == (best["global_step"], best["epoch"])
    assert (card["recipe"], card["creation"], card["seed"]) == ("default", "top_n", 0)


def test_the_average_is_exact() -> None:
    average, current = [torch.tensor([1.0]), torch.tensor([[2.0, 4.0]])], [torch.zeros(1)]
    current.append(torch.tensor([[4.0, 0.0]]))
    _trainer._Average(0.998)(average, current, torch.tensor(0))
    torch.testing.assert_close(average[0], torch.tensor([0.1]))  # decay 1 / 10
    torch.testing.assert_close(average[1], torch.tensor([[3.8, 0.4]]))
    _trainer._Average(0.9)(average, current, torch.tensor(10**6))
    torch.testing.assert_close(average[0], torch.tensor([0.09]))  # decay 0.9, the highest


@pytest.mark.usefixtures("small_training")
def test_a_seed_determines_the_run(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        torch.manual_seed(len(name))
        run(tmp_path / name, epochs=2, seed=seed)
    assert losses(tmp_path / "one")
    assert losses(tmp_path / "one") == losses(tmp_path / "same")
    assert losses(tmp_path / "one") != losses(tmp_path / "other")


@pytest.mark.usefixtures("small_training")
@pytest.mark.parametrize("prior", ["gaussian", "rectified_flow", "one_step"])
def test_a_model_learns_with_conditions_and_can_be_asked(tmp_path: Path, prior: str) -> None:
    asked = ("logp", "num_rings")
    folder = run(tmp_path / "run", epochs=4, conditions=asked, prior=prior)
    model = load(folder)
    assert model.conditions == asked
    condition = model.decoder.creation.condition
    assert condition is not None
    assert float(condition.std[0]) not in (0.0, 1.0)  # The moments of the data.
    assert bool((condition.mlp.lins[-1].weight != 0).any())  # It has been trained ...
    # ... wherever it is.
    networks = {"rectified_flow": ["velocity"], "one_step": ["velocity", "student"]}
    weights = checkpoint(tmp_path / "run")["state_dict"]
    for network in networks.get(prior, []):
        assert bool((weights[f"model.prior.{network}.asked.mlp.lins.2.weight"] != 0).any())
    assert model.sample(4, cond=model.ask({"logp": 1.0})).num_graphs == 4
    with pytest.raises(ValueError, match="Expected 'conditions' to be distinct names"):
        run(tmp_path / "other", epochs=1, conditions="logp")
    with pytest.raises(ValueError, match="Expected the arguments of the run"):
        run(tmp_path / "run", epochs=5, resume=True)


@pytest.mark.usefixtures("small_training")
def test_the_recipe_of_the_paper_trains_without_averages(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", epochs=1, recipe_name="paper", creation="first_n")
    assert "current_model_state" not in checkpoint(tmp_path / "run")
    assert json.loads((folder / "config.json").read_text())["arguments"]["readout"] == "pna"


@pytest.mark.usefixtures("small_training")
def test_a_decoder_of_nearest_neighbours_trains(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", epochs=1, changes={"model": {"num_neighbors": 4}})
    assert load(folder).decoder.neighbors.num_neighbors == 4
    assert all(math.isfinite(loss) for loss in losses(tmp_path / "run"))
    other = {"matcher": "atom_score", "changes": {"model": {"num_neighbors": 4}}}
    with pytest.raises(ValueError, match="Expected a matcher that does not look at the prediction"):
        run(tmp_path / "other", epochs=1, **other)


@pytest.mark.usefixtures("small_training")
def test_a_finished_run_that_is_resumed_writes_the_model_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    folder = run(out, epochs=1)
    before, logged = (folder / "model.safetensors").read_bytes(), rows(out)
    (folder / "model.safetensors").unlink()
    assert run(out, epochs=1, resume=True) == folder
    assert (folder / "model.safetensors").read_bytes() == before
    assert checkpoint(out)["global_step"] == BATCHES
    assert rows(out) == logged
    run(out, epochs=2, resume=True)  # The budget may grow ...
    assert checkpoint(out)["global_step"] == 2 * BATCHES
    assert rows(out)[: len(logged)] == logged
    run(out, minutes=elapsed(checkpoint(out)) / 60 + 0.01, resume=True)  # ... and change its kind.
    assert checkpoint(out)["global_step"] > 2 * BATCHES


# A shell starts what it runs in the background with interrupts ignored; so may the tests be.
SCRIPT = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from pyg_topn import _trainer
from pyg_topn.training import train_qm9
runpy.run_path(sys.argv[1])["shrink_training"](setattr, Path(sys.argv[2]))
_trainer.INTERVAL = 0.5
train_qm9(sys.argv[3], minutes=10, num_samples=16, progress_bar=False, root=sys.argv[4])
"""


def is_newer(one: Path, other: Path) -> bool:
    return one.stat().st_mtime > other.stat().st_mtime


def kill_after_a_checkpoint(out: Path, small_root: Path, how: signal.Signals) -> tuple[int, str]:
    """Start a run in a process of its own and kill it once it has written a checkpoint."""
    conftest = Path(__file__).with_name("conftest.py")
    words = [conftest, small_root, out, out.parent / "root"]
    command = [sys.executable, "-c", SCRIPT, *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes)
    try:
        deadline = time.monotonic() + 60
        last, logged = out / "checkpoints" / "last.ckpt", out / "logs" / "metrics.csv"
        while not (last.is_file() and logged.is_file() and is_newer(last, logged)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(how)
        process.wait(timeout=30)
    finally:
        process.kill()
        _, errors = process.communicate()
    return process.returncode, errors


@pytest.mark.usefixtures("small_training")
def test_a_killed_run_goes_on_where_its_checkpoint_left_it(
    tmp_path: Path, small_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    code, _ = kill_after_a_checkpoint(out, small_root, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (out / "model").exists()
    killed = checkpoint(out)
    assert killed["global_step"] > 0
    stood = position(killed["loops"])
    assert stood["epoch"] * BATCHES + stood["position"] == killed["global_step"]
    logged = [row for row in rows(out) if int(row["step"]) < killed["global_step"]]
    assert logged

    monkeypatch.setattr(_trainer, "INTERVAL", 0.5)
    restored: list[dict[str, int]] = []
    original = ResidentLoader.load_state_dict
    monkeypatch.setattr(
        ResidentLoader,
        "load_state_dict",
        lambda self, state: (restored.append(state), original(self, state))[1],
    )
    minutes = (elapsed(killed) + 2) / 60
    started = time.process_time()  # Which other tests at the same time take nothing of.
    model = run(out, minutes=minutes, resume=True)
    assert time.process_time() - started < elapsed(killed) + 20
    finished = checkpoint(out)
    assert stood in restored
    assert finished["global_step"] > killed["global_step"]
    assert 60 * minutes <= elapsed(finished) < 60 * minutes + 10
    place = position(finished["loops"])
    assert place["epoch"] * BATCHES + place["position"] == finished["global_step"]
    assert rows(out)[: len(logged)] == logged
    assert load(model).sample(2).num_graphs == 2


@pytest.mark.usefixtures("small_training")
def test_a_run_killed_before_a_validation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint is that of the last batch of an epoch, which ends without a figure."""
    monkeypatch.setattr(_trainer, "INTERVAL", 0.0)
    out = tmp_path / "run"

    def kill(self: GraphVAEModule) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GraphVAEModule, "on_validation_epoch_start", kill)
        with pytest.raises(KeyboardInterrupt):
            run(out, epochs=3)
    assert checkpoint(out)["global_step"] == BATCHES
    run(out, epochs=3, resume=True)
    assert checkpoint(out)["global_step"] == 3 * BATCHES
    assert any("val/connected_vu" in row for row in rows(out))


@pytest.mark.usefixtures("small_training")
def test_only_the_last_stage_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say_the_same(self: GraphVAEModule) -> None:
        self.log(training.MONITOR, 0.5)

    monkeypatch.setattr(GraphVAEModule, "on_validation_epoch_end", say_the_same)
    run(tmp_path / "run", epochs=8, patience=1)
    # It begins in the sixth epoch. The validation at its end is the first to count.
    assert checkpoint(tmp_path / "run")["global_step"] == 7 * BATCHES


def test_an_interrupt_is_one_and_leaves_the_checkpoints(tmp_path: Path, small_root: Path) -> None:
    out = tmp_path / "run"
    code, errors = kill_after_a_checkpoint(out, small_root, signal.SIGINT)
    assert code != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert checkpoint(out)["global_step"] > 0
    assert not (out / "model").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0.0}, "positive budget .* \\(got 0.0\\)"),
        ({"minutes": float("nan")}, "positive budget .* \\(got nan\\)"),
        ({"epochs": -1}, "positive budget .* \\(got -1\\)"),
        ({"minutes": 1.0, "epochs": 1}, "not both \\(got 1.0 and 1\\)"),
        ({"seed": -1}, "'seed' to be between 0 and 2\\^32 - 1 \\(got -1\\)"),
        ({"patience": 0}, "'patience' to be at least 1 \\(got 0\\)"),
        ({"num_samples": 0}, "'num_samples' to be at least 1 \\(got 0\\)"),
        ({"precision": "half"}, "'precision' among auto, float32, bfloat16 \\(got 'half'\\)"),
        ({"recipe_name": "soup"}, "a recipe among default, paper \\(got 'soup'\\)"),
        ({"creation": "big_bang"}, "a creation layer among .* \\(got 'big_bang'\\)"),
        ({"matcher": "tinder"}, "a matcher among .* \\(got 'tinder'\\)"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "run", **options)
    assert tree(tmp_path) == []


@pytest.mark.usefixtures("small_training")
def test_every_stage_in_either_precision(tmp_path: Path) -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision
        folder = run(out, epochs=4, prior="one_step", precision=precision)
        found[precision] = losses(out)
        weights = load_file(folder / "model.safetensors")
        assert torch.bfloat16 not in {weight.dtype for weight in weights.values()}
        assert json.loads((out / "arguments.json").read_text())["precision"] == precision
    single, half = (torch.tensor(values) for values in found.values())
    assert single.shape == half.shape
    assert not torch.equal(single, half)
    torch.testing.assert_close(single[:3], half[:3], rtol=0.02, atol=0)  # Before they drift apart.
    assert half.isfinite().all()


@pytest.mark.parametrize("option", ["out", "root"])
def test_a_place_below_a_file_is_refused_before_anything_is_written(
    option: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    places = {"out": tmp_path / "run", "root": tmp_path / "data", option: tmp_path / "file" / "a"}
    with pytest.raises(OSError, match=r"Expected a folder to write to \(got '.*' is a file\)"):
        run(epochs=1, **places)
    assert tree(tmp_path) == ["file"]


@pytest.mark.usefixtures("small_training")
def test_another_run_in_the_same_folder_is_refused(trained: Path) -> None:
    before = tree(trained.parent)
    with pytest.raises(ValueError, match="without a run .* Resume it, or choose another folder"):
        run(trained, epochs=2)
    with pytest.raises(ValueError, match="Expected the arguments of the run in .*'seed': 0"):
        run(trained, epochs=2, seed=1, resume=True)
    assert tree(trained.parent) == before


def fake_run(out: Path, content: bytes) -> None:
    (out / "checkpoints").mkdir(parents=True)
    names = {"recipe": "default", "creation": "top_n", "matcher": None, "prior": None}
    arguments = {**names, "seed": 0, "num_train": None, "changes": {}}
    (out / "arguments.json").write_text(json.dumps(arguments))
    (out / "checkpoints" / "last.ckpt").write_bytes(content)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "pickle", "entries"])
def test_a_damaged_checkpoint_is_refused(kind: str, tmp_path: Path, trained: Path) -> None:
    whole = (trained / "checkpoints" / "last.ckpt").read_bytes()
    contents = {"empty": b"", "text": b"no checkpoint", "truncated": whole[: len(whole) // 2]}
    if kind in ("pickle", "entries"):
        torch.save({"a": Path("a")} if kind == "pickle" else {"a": 1}, tmp_path / "other")
        contents[kind] = (tmp_path / "other").read_bytes()
    fake_run(tmp_path / "run", contents[kind])
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"damaged file: .*\)\. Delete it to start again"):
        run(tmp_path / "run", epochs=1, resume=True)
    assert tree(tmp_path) == before


@pytest.mark.usefixtures("small_training")
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "global_step": 1, "epoch": 0}, tmp_path / "other")
    fake_run(tmp_path / "run", (tmp_path / "other").read_bytes())
    with pytest.raises(ValueError, match="Expected a checkpoint of this model .* of another"):
        run(tmp_path / "run", epochs=1, resume=True)


def test_damaged_arguments_are_refused(tmp_path: Path) -> None:
    fake_run(tmp_path / "run", b"")
    (tmp_path / "run" / "arguments.json").write_text("{")
    with pytest.raises(ValueError, match="Expected the arguments of a run .* damaged file"):
        run(tmp_path / "run", epochs=1, resume=True)


@pytest.mark.usefixtures("small_training")
def test_resume_starts_a_run_where_there_is_none(tmp_path: Path) -> None:
    run(tmp_path / "run", epochs=1, resume=True)
    assert checkpoint(tmp_path / "run")["global_step"] == BATCHES


@pytest.mark.parametrize(("module", "extra"), [("rdkit.Chem", "chem"), ("matplotlib", "plot")])
def test_a_missing_extra_is_named_before_anything_is_written(
    module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    with pytest.raises(ImportError, match=rf"pyg-topn\[{extra}\]"):
        run(tmp_path / "run", epochs=1)
    assert tree(tmp_path) == []


def test_a_module_needs_a_vocabulary() -> None:
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2])
    with pytest.raises(ValueError, match="Expected a model with a vocabulary"):
        GraphVAEModule(vae, recipe(), lambda trainer: 0.0)


@pytest.mark.usefixtures("small_training")
@pytest.mark.parametrize("rich", [True, False])
def test_the_progress_bar_shows_little_and_lightning_is_quiet(
    rich: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        _trainer, "is_installed", lambda name: rich if name == "rich" else name != "tensorboard"
    )
    monkeypatch.setenv("COLUMNS", "80")
    run(tmp_path / "run", minutes=0.01, progress_bar=True)
    output = "".join(capfd.readouterr())
    for noise in ("litlogger", "GPU", "TPU", "LeafSpec", "v_num", "-2", "val/", "Trainer"):
        assert noise not in output
    for shown in ("Epoch", "budget", "loss", "connected", "vu"):
        assert shown in output
    if rich:
        # One line, not several: the last figure stands on the line of the first.
        assert any("budget" in line and "vu" in line for line in output.splitlines())


def test_the_module_of_training_is_public() -> None:
    assert set(training.__all__) == {"MONITOR", "GraphVAEModule", "train_qm9"}


def moved_parts(out: Path, **kwargs: Any) -> tuple[Path, list[tuple[str, set[str]]]]:
    """Train, and say of every step of which stage it was and what it moved, to two levels deep."""
    before: dict[str, torch.Tensor] = {}
    moved: list[tuple[str, set[str]]] = []

    class Spy(GraphVAEModule):
        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            nonlocal before
            now = {k: v.detach().clone() for k, v in self.model.named_parameters()}
            if before:
                names = (k for k in now if not torch.equal(now[k], before[k]))
                parts = {".".join(k.split(".")[: 1 + k.startswith("prior")]) for k in names}
                moved.append((self.kind, parts))
            before = now
            self.kind = self.chosen.stage_at(self.progress(self.trainer))[0].kind
            return super().training_step(batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "GraphVAEModule", Spy)
        return run(out, **kwargs), moved


@pytest.mark.usefixtures("small_training")
def test_the_stages_train_what_they_say(tmp_path: Path) -> None:
    """Encoder and decoder first, then the flow, then the decoder: nothing else moves."""
    folder, moved = moved_parts(tmp_path / "run", epochs=2)
    expected = {
        "joint": {"encoder", "decoder"},
        "flow": {"prior.velocity", "prior.guide"},
        "decoder": {"decoder"},
    }
    assert {kind for kind, _ in moved} == set(expected)
    for kind, parts in moved:
        assert parts == expected[kind]
    names = {key for row in rows(folder.parent) for key in row}
    assert {"train/prior_valency", "train/prior_connectivity"} <= names


@pytest.mark.usefixtures("small_training")
def test_a_flow_is_distilled_before_the_stage_of_the_decoder(tmp_path: Path) -> None:
    folder, steps = moved_parts(tmp_path / "run", epochs=5, prior="one_step")
    moved: dict[str, set[str]] = {}
    for kind, parts in steps:
        moved.setdefault(kind, set()).update(parts)
    # The student starts as the teacher, so it has moved when its stage begins.
    flow = {"prior.velocity", "prior.guide"}
    assert moved["joint"] == {"encoder", "decoder"}
    assert moved["flow"] == flow
    assert moved["distillation"] == {"prior.student"}
    assert moved["decoder"] == {"decoder"}
    prior = load(folder).prior
    assert bool(prior.has_begun)
    card = json.loads((folder / "config.json").read_text())["card"]
    assert card["prior"] == prior.label
    assert prior.label.endswith("distilled to one step")


@pytest.mark.usefixtures("small_training")
def test_a_trained_model_is_distilled(tmp_path: Path) -> None:
    teacher = run(tmp_path / "teacher", epochs=4)
    options: dict[str, Any] = {"prior": "one_step", "teacher": teacher}
    folder = run(tmp_path / "run", epochs=2, **options)
    card = json.loads((folder / "config.json").read_text())["card"]
    assert card["teacher"] == str(teacher)
    before, after = load(teacher).state_dict(), load(folder).state_dict()
    for key, weight in before.items():
        # The decoder is trained on, for the samples of the student; the rest is the teacher's.
        assert key.startswith("decoder.") or torch.equal(weight, after[key]), key
    assert bool(after["prior.has_begun"])
    start = {k.replace("velocity", "student"): v for k, v in before.items() if "velocity" in k}
    assert any(not torch.equal(weight, after[key]) for key, weight in start.items())
    run(tmp_path / "run", epochs=3, resume=True, **options)
    assert checkpoint(tmp_path / "run")["global_step"] == 3 * BATCHES
    with pytest.raises(ValueError, match=r"prior 'one_step' with a teacher.*got 'rectified_flow'"):
        run(tmp_path / "other", epochs=1, teacher=teacher)
    forgetful = load(folder)
    forgetful.prior.forget_teacher()
    config = json.loads((folder / "config.json").read_text())
    arguments = {**config["arguments"], "prior_teacher": False}
    save(forgetful, tmp_path / "forgetful", arguments, forgetful.vocabulary)
    with pytest.raises(ValueError, match="of which only the distilled step is left"):
        run(tmp_path / "other", epochs=1, prior="one_step", teacher=tmp_path / "forgetful")
    options["creation"] = "first_n"
    with pytest.raises(ValueError, match="Expected a teacher of the shape of the model"):
        run(tmp_path / "other", epochs=1, **options)
    plain = run(tmp_path / "plain", epochs=1, prior="gaussian")
    options["teacher"] = plain
    with pytest.raises(
        ValueError, match=r"graph VAE with a rectified flow \(got GraphVAE in .*N\(0"
    ):
        run(tmp_path / "other", epochs=1, **options)
    assert not list((tmp_path / "other").glob("*"))


@pytest.mark.usefixtures("small_training")
def test_a_teacher_with_conditions_keeps_its_moments(tmp_path: Path) -> None:
    """The data that a student sees are others than those that the flow was fitted to."""
    asked: dict[str, Any] = {"conditions": ("logp",)}
    teacher = run(tmp_path / "teacher", epochs=4, **asked)
    few = recipe().batch_size
    options = {**asked, "prior": "one_step", "teacher": teacher, "num_train": few}
    folder = run(tmp_path / "run", epochs=2, **options)
    before, after = load(teacher).prior, load(folder).prior
    assert isinstance(before, RectifiedFlowPrior)
    assert isinstance(after, RectifiedFlowPrior)
    assert bool((before.std != 1).any())
    assert torch.equal(after.mean, before.mean)
    assert torch.equal(after.std, before.std)


def test_conditions_are_known_in_any_case(tmp_path: Path) -> None:
    assert known_conditions(("logP", "Gap")) == ("logp", "gap")
    with pytest.raises(ValueError, match=r"Expected conditions among weight, .* .got 'logS'"):
        run(tmp_path / "run", epochs=1, conditions=("logS",))
    assert tree(tmp_path) == []


def test_a_teacher_is_asked_a_part_at_a_time() -> None:
    model = build_graph_vae(4, (1, 2, 3), [0, 0, 0, 1, 9], prior="one_step", latent_channels=8)
    prior = model.prior
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    pairs = TeacherPairs(model, prior, part=64, uses=2, capacity=192)
    for draw in range(12):
        noise, z, sizes, cond = pairs.draw(32)
        assert cond is None
        assert len(pairs.parts) == min(3, 1 + draw // 4)  # 64 pairs twice are 4 times 32.
        torch.testing.assert_close(z, prior.teach(noise, sizes))
        assert set(sizes.tolist()) <= {1, 2, 3, 4}
    oldest = pairs.parts[0][0]
    for _ in range(4):
        pairs.draw(32)
    assert len(pairs.parts) == 3
    assert not any(torch.equal(part[0], oldest) for part in pairs.parts)


@pytest.mark.usefixtures("small_training")
@pytest.mark.parametrize("prior", ["gaussian", "coupling_flow"])
def test_priors_with_a_density_are_trained_along(prior: str, tmp_path: Path) -> None:
    folder = run(tmp_path / "run", epochs=1, prior=prior)
    card = json.loads((folder / "config.json").read_text())["card"]
    assert card["prior"] == load(folder).prior.label
    untrained = build_graph_vae(4, (1, 2, 3), [0, 1, 2], prior=prior).prior
    assert all(torch.isfinite(p).all() for p in load(folder).prior.parameters())
    if prior == "coupling_flow":
        weights = [
            flow.mlps[0].lins[-1].weight.detach() for flow in (load(folder).prior, untrained)
        ]
        assert [bool(weight.any()) for weight in weights] == [True, False]


@pytest.mark.usefixtures("small_training")
def test_a_flow_knows_the_moments_of_its_latent_vectors(tmp_path: Path) -> None:
    prior = load(run(tmp_path / "run", epochs=2)).prior
    assert isinstance(prior, RectifiedFlowPrior)
    assert float(prior.mean.abs().sum()) > 0
    assert bool((prior.std > 0).all())
    assert bool((prior.std != 1).any())


@pytest.mark.usefixtures("small_training")
def test_parts_of_the_data_and_other_models(tmp_path: Path) -> None:
    batch = recipe("paper").batch_size
    with pytest.raises(ValueError, match=rf"at least a batch of {batch}.* \(got 3\)"):
        run(tmp_path / "few", epochs=1, recipe_name="paper", num_train=3)
    options = {"num_reference_points": 20, "order": "cosine", "latent_channels": 8}
    folder = run(tmp_path / "run", epochs=1, recipe_name="paper", changes={"model": options})
    model = load(folder)
    assert model.latent_channels == 8
    assert "num_reference_points=20" in repr(model.decoder.creation)
    assert "order='cosine'" in repr(model.decoder.creation)
    with pytest.raises(ValueError, match="Expected the arguments of the run"):
        run(tmp_path / "run", epochs=1, recipe_name="paper", resume=True)
    with pytest.raises(ValueError, match="Expected the arguments of the run"):
        run(
            tmp_path / "run",
            minutes=1.0,
            changes={"model": options},
            processor_time=True,
            recipe_name="paper",
            resume=True,
        )


@pytest.mark.usefixtures("small_training")
def test_an_epoch_of_few_molecules_is_as_long_as_one_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ResidentLoader] = []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *given: (seen.append(given[2][0]), fit(*given))[1])
    few = recipe("paper").batch_size + 1  # Of which all molecules are no multiple.
    run(tmp_path / "few", epochs=1, recipe_name="paper", num_train=few)
    (loader,) = seen
    assert loader.indices.unique().numel() == few
    assert len(loader) == BATCHES
    assert checkpoint(tmp_path / "few")["global_step"] == BATCHES


def test_samples_of_the_prior_are_used_several_times_and_then_drawn_anew() -> None:
    model = build_graph_vae(4, (1, 2, 3), [0, 0, 0, 1, 9], prior="rectified_flow")
    latents = PriorLatents(model, size=64, uses=2, uniform=0.5)
    draws = [latents.draw(32) for _ in range(8)]
    for z, sizes, _ in draws:
        assert z.shape == (32, model.latent_channels)
        assert sizes.shape == (32,)
    rounds = [torch.cat([draws[k][0], draws[k + 1][0]]).sort(dim=0).values for k in (0, 2, 4, 6)]
    assert torch.equal(rounds[0], rounds[1])
    assert torch.equal(rounds[2], rounds[3])
    assert not torch.equal(rounds[0], rounds[2])
    assert not torch.equal(draws[0][0], draws[2][0])  # In another order.
    seen = torch.cat([sizes for _, sizes, _ in draws])
    assert set(seen.tolist()) == {1, 2, 3, 4}
    assert latents.draw(100)[1].numel() == 100


def test_flawed_samples_outlast_the_others_and_are_the_newest() -> None:
    model = build_graph_vae(4, (1, 2, 3), [0, 0, 0, 1, 9])
    latents = PriorLatents(
        model,
        lambda distribution: distribution.layout.num_nodes == 3,
        size=64,
        uses=1,
        uniform=0.0,
        hard_share=0.5,
        num_kept=9,
    )
    seen: list[torch.Tensor] = []
    for _ in range(6):
        latents.draw(64)
        assert latents.samples is not None
        assert latents.flawed is not None
        seen.insert(0, latents.samples.z[latents.samples.num_nodes == 3])
        assert torch.equal(latents.flawed.z, torch.cat(seen)[:9])
        assert bool((latents.flawed.num_nodes == 3).all())
    assert len(torch.cat(seen)) > 9


@pytest.mark.parametrize(("flawed", "passes"), [(64, 4), (32, 4), (3, 3), (2, 2), (1, 1), (0, 1)])
def test_the_rarer_flaws_are_the_sooner_new_samples_are_drawn(flawed: int, passes: int) -> None:
    model = build_graph_vae(4, (1, 2, 3), [0, 0, 0, 1, 9])

    def is_flawed(distribution: GraphDistribution) -> torch.Tensor:
        return torch.arange(distribution.num_graphs) < flawed

    latents = PriorLatents(model, is_flawed, size=64, uses=4, hard_share=0.5, hard_uses=32)
    begun = []
    for _ in range(2 * passes + 1):
        latents.draw(64)
        begun.append(latents.samples)
    assert [each is begun[0] for each in begun] == [k < passes for k in range(2 * passes + 1)]
    assert begun[2 * passes] is not begun[passes]


def test_latent_vectors_of_the_data_are_as_noisy_as_asked() -> None:
    mean, log_variance = torch.arange(6.0).view(2, 3), torch.full((2, 3), 2.0)
    latents = DataLatents(DiagonalGaussian(mean, log_variance), torch.tensor([5, 7]))
    for noise in (0.0, 0.5, 1.0):
        z, sizes, _ = latents.draw(20_000, noise)
        for row, size in enumerate((5, 7)):
            chosen = z[sizes == size]
            torch.testing.assert_close(chosen.mean(dim=0), mean[row], rtol=0, atol=0.15)
            spread = torch.full((3,), noise * math.e)
            torch.testing.assert_close(chosen.std(dim=0), spread, rtol=0.05, atol=0)


def test_half_of_the_samples_are_those_that_were_flawed() -> None:
    model = build_graph_vae(4, (1, 2, 3), [0, 0, 0, 1, 9])
    asked: list[int] = []

    def is_flawed(distribution: GraphDistribution) -> torch.Tensor:
        asked.append(distribution.num_graphs)
        return distribution.layout.num_nodes == 3

    latents = PriorLatents(model, is_flawed, size=2100, uniform=0.0, hard_share=0.5)
    z, sizes, _ = latents.draw(100)
    assert asked == [2048, 52]
    assert bool((sizes[50:] == 3).all())
    assert bool((sizes[:50] == 4).any())
    assert latents.samples is not None
    known = {tuple(row) for row in latents.samples.z.tolist()}
    assert {tuple(row) for row in z.tolist()} <= known
    none = PriorLatents(model, lambda d: d.layout.num_nodes < 0, size=64, hard_share=0.5)
    assert none.draw(32)[1].numel() == 32
    without = PriorLatents(model, is_flawed, size=64)
    without.draw(32)
    assert asked == [2048, 52]
