from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from pyg_topn.metrics import read_smiles
from pyg_topn.plot import _histograms, plot_histograms

GENERATED = ["CCO", "C1CC1", "C#N", "CC(C)(C)(C)C", None, "junk"]
DATA = ["CCN", "c1ccccc1", "CC=O", "CCCC"]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def keep(figure: Any, path: Path) -> Path:
        figure.canvas.draw()
        seen.append(figure)
        return path

    monkeypatch.setattr(_histograms, "save", keep)
    return seen


def heights(axis: Any, side: int) -> dict[str, float]:
    ticks = [label.get_text() for label in axis.get_xticklabels()]
    return dict(zip(ticks, [bar.get_height() for bar in axis.containers[side]], strict=True))


def test_sizes_of_all_and_structure_of_the_valid(figures: list[Any]) -> None:
    plot_histograms(GENERATED, DATA, "a.png", title="a title", names=("ours", "theirs"))
    axes = figures[0].axes
    assert [axis.get_title().split("\n")[0] for axis in axes] == [
        *("size", "molecular weight", "logP (Crippen)", "drug-likeness (QED)"),
        *("synthetic accessibility (SA)", "atom types", "bond types (kekulised)"),
        *("rings", "ring sizes"),
    ]
    theirs, ours = heights(axes[0], 0), heights(axes[0], 1)
    assert ours == {"2": 25, "3": 50, "4": 0, "5": 0, "6": 25}
    assert theirs == {"2": 0, "3": 50, "4": 25, "5": 0, "6": 25}
    assert axes[0].get_title() == "size\nTV = 0.250"
    assert heights(axes[5], 0)["C"] == pytest.approx(100 * 14 / 16)
    assert list(heights(axes[6], 0)) == ["single", "double", "triple"]
    assert heights(axes[7], 1)["0"] == pytest.approx(200 / 3)
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["theirs", "ours"]
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in axes)


def test_some_properties_only(figures: list[Any]) -> None:
    plot_histograms([read_smiles("CCO")], DATA, "a.png", properties=("weight",))
    assert len(figures[0].axes) == 6
    area = sum(bar.get_height() * bar.get_width() for bar in figures[0].axes[1].containers[0])
    assert area == pytest.approx(1)


def test_writes_a_picture(tmp_path: Path) -> None:
    path = plot_histograms(GENERATED, DATA, tmp_path / "new" / "histograms.png")
    assert imread(path).shape[1] > 1000


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expected a valid molecule"):
        plot_histograms(["CFC"], DATA, tmp_path / "a.png")
    with pytest.raises(ValueError, match="Expected properties among"):
        plot_histograms(DATA, DATA, tmp_path / "a.png", properties=("taste",))
    with pytest.raises(ValueError, match="Expected a path ending in"):
        plot_histograms(DATA, DATA, tmp_path / "a")
