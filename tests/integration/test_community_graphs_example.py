"""The example on graphs that are not molecules runs, goes on where it was, prints and draws."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from types import ModuleType

import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = importlib.import_module("community_graphs")
    own = module.GenericGraphs

    def few(root: str, name: str, split: str = "train", **arguments: object) -> object:
        return own(root, name, split, num_graphs=20, sizes=(6, 9), log=False, **arguments)

    monkeypatch.setattr(module, "GenericGraphs", few)
    return module


def words(folder: Path, *more: str) -> list[str]:
    return ["--data", str(folder / "data"), "--out", str(folder / "out"), *more]


@pytest.mark.parametrize(
    ("family", "creation"), [("community_small", "top_n"), ("planar", "iid"), ("tree", "mlp")]
)
def test_it_trains_measures_and_draws(
    family: str,
    creation: str,
    example: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib")
    chosen = ["--family", family, "--creation", creation, "--minutes", "0.02"]
    found = example.main(words(tmp_path, *chosen))
    said = capsys.readouterr().out
    assert found["num_graphs"] == 4  # As many as the test split has.
    assert f"{family}, {creation}, " in said
    assert "Gaussian of EMD" in said
    assert "Gaussian of TV" in said
    assert ("SPECTRE 2.5 / 2.5 / 2.4; 25 %" in said) == (family == "planar")
    assert "nan" not in said
    assert (found["valid"] is None) == (family == "community_small")
    assert f"{found['nats'][0]:.1f} train, {found['nats'][1]:.1f} test" in said
    assert (tmp_path / "out" / "graphs.png").stat().st_size > 10_000


def test_it_goes_on_where_it_was(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example.importlib.util, "find_spec", lambda name: None)  # Draws nothing.
    looks, killed_at = itertools.count(), 160

    def clock() -> float:
        """A second passes whenever somebody looks."""
        look = next(looks)
        if look == killed_at:
            raise KeyboardInterrupt
        return float(look)

    monkeypatch.setattr(example.time, "thread_time", clock)
    monkeypatch.setattr(example.time, "monotonic", clock)
    monkeypatch.setattr(example, "tqdm", Bar)  # That of tqdm looks, too.
    chosen = words(tmp_path, "--minutes", "3", "--processor-time", "--split", "val")
    with pytest.raises(KeyboardInterrupt):
        example.main(chosen)
    state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert 100 < state["spent"] < killed_at  # The last of several checkpoints.

    found = example.main(chosen)
    again = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    left = 180 - state["spent"]
    assert left / 4 < again["step"] - state["step"] <= left
    assert again["spent"] == pytest.approx(180, abs=2)
    mean = again["model"]["prior.mean"]
    assert mean.abs().sum() > 0  # The flow was told where the latent vectors are ...
    assert torch.equal(again["average"]["prior.mean"], mean)  # ... in both copies.
    assert f" {again['step']} steps" in found["label"]

    assert example.main(chosen) == found  # Nothing is trained again.
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["checkpoint.pt"]


class Bar:
    """A progress bar that shows nothing."""

    def __init__(self, **arguments: object) -> None:
        self.n = 0

    def set_postfix(self, **figures: object) -> None:
        pass

    def close(self) -> None:
        pass


def test_it_needs_a_budget(example: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        example.main(words(tmp_path, "--minutes", "0"))
