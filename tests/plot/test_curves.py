from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_topn.plot import _curves, plot_training_curves

CSV = """epoch,lr-Adam,step,train/kl,train/loss_epoch,train/loss_step,val/loss,val/unique,val/valid
0,0.001,0,1.5,,300.0,,,
0,,9,,,,250.0,0.9,0.25
0,,9,,280.0,,,,
1,0.0005,10,2.5,,2.0,,,
1,,19,,,,nan,0.95,0.5
"""


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def keep(figure: Any, path: Path) -> Path:
        figure.canvas.draw()
        seen.append(figure)
        return path

    monkeypatch.setattr(_curves, "save", keep)
    return seen


def lines(axis: Any) -> dict[str, tuple[list[float], list[float]]]:
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axis.get_lines()
        if not line.get_label().startswith("_")
    }


def test_lightnings_csv(tmp_path: Path, figures: list[Any]) -> None:
    (tmp_path / "metrics.csv").write_text(CSV, encoding="utf-8")
    plot_training_curves(tmp_path / "metrics.csv", "a.png", title="a run")
    panels = {axis.get_title(): axis for axis in figures[0].axes}
    assert list(panels) == ["loss", "samples", "kl", "lr-Adam"]
    assert lines(panels["loss"]) == {
        "train (epoch)": ([9], [280]),
        "train (step)": ([0, 10], [300, 2]),
        "val": ([9], [250]),
    }
    assert lines(panels["samples"]) == {
        "unique": ([9, 19], [90, 95]),
        "valid": ([9, 19], [25, 50]),
    }
    assert lines(panels["kl"]) == {"train": ([0, 10], [1.5, 2.5])}
    assert all(axis.get_xlabel() == "step" for axis in panels.values())
    assert panels["samples"].get_ylabel() == "percent of samples"
    assert panels["loss"].get_yscale() == "log"
    assert panels["kl"].get_yscale() == "linear"
    assert figures[0].get_suptitle() == "a run"


def test_a_dictionary_without_steps(figures: list[Any]) -> None:
    plot_training_curves({"loss": [3.0, None, math.nan, 1.0], "epoch": []}, "a.png")
    [axis] = figures[0].axes
    assert axis.get_xlabel() == "row"
    assert [list(line.get_xdata()) for line in axis.get_lines()] == [[0, 3]]
    plot_training_curves({"loss": [3.0, 2.0], "epoch": [0, 1]}, "a.png")
    assert figures[1].axes[0].get_xlabel() == "epoch"


def test_a_step_column_shorter_than_the_values(figures: list[Any]) -> None:
    plot_training_curves({"step": [5, 6], "loss": [3.0, 2.0, 1.0]}, "a.png")
    assert list(figures[0].axes[0].get_lines()[0].get_xdata()) == [5, 6]


def test_long_curves_get_a_running_mean(figures: list[Any]) -> None:
    noise = np.random.default_rng(0).normal(size=1000)
    plot_training_curves({"train/loss": (noise + 5).tolist()}, "a.png")
    raw, smooth = figures[0].axes[0].get_lines()
    assert len(raw.get_ydata()) == len(smooth.get_ydata()) == 1000
    assert np.std(smooth.get_ydata()) < 0.3 * np.std(raw.get_ydata())


def test_running_mean_by_hand() -> None:
    mean = _curves._running_mean(np.array([1.0, 2.0, 6.0, 3.0]), 1)
    np.testing.assert_allclose(mean, [1.5, 3.0, 11 / 3, 4.5])


def test_writes_a_picture(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(CSV, encoding="utf-8")
    path = plot_training_curves(tmp_path / "metrics.csv", tmp_path / "out" / "curves.svg")
    assert path.read_text(encoding="utf-8").count("<path") > 20


def test_bad_input(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ValueError, match=r"Expected a column of numbers .* \(got \[\]\)"):
        plot_training_curves(tmp_path / "empty.csv", "a.png")
    with pytest.raises(ValueError, match=r"\(got \['step', 'name'\]\)"):
        plot_training_curves({"step": [1], "name": [None]}, "a.png")
    with pytest.raises(FileNotFoundError):
        plot_training_curves(tmp_path / "absent.csv", "a.png")
    with pytest.raises(ValueError, match="Expected a path ending in"):
        plot_training_curves({"loss": [1.0]}, "a.txt")
