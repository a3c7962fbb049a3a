from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread
from rdkit import Chem

from pyg_topn.plot import _grid, plot_molecules
from pyg_topn.plot._figure import AMBER, GRID, RED

MOLECULES = ["CCO", "CC(C)(C)(C)C", "C.CO", None, "C1CC", "c1ccccc1", "CN(C)(C)C"]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that would have been saved."""
    seen: list[Any] = []

    def keep(figure: Any, path: Path, **_: Any) -> Path:
        figure.canvas.draw()
        seen.append(figure)
        return path

    monkeypatch.setattr(_grid, "save", keep)
    return seen


def frames(figure: Any) -> list[str]:
    return [to_hex(axis.spines["left"].get_edgecolor()) for axis in figure.axes]


def test_frames_tell_invalid_and_disconnected(figures: list[Any]) -> None:
    plot_molecules(MOLECULES, "a.png", columns=4, title="a title")
    [figure] = figures
    assert frames(figure) == [GRID, RED, AMBER, RED, RED, GRID, RED]
    header = figure.get_suptitle()
    assert header.startswith("a title\nall 7 molecules; of all, 42.9 % valid and 28.6 % valid and")
    labels = [axis.get_xlabel() for axis in figure.axes]
    assert labels == ["CCO", "CC(C)(C)(C)C", "C.CO", "", "", "c1ccccc1", "CN(C)(C)C"]


def test_every_readable_molecule_is_drawn(figures: list[Any]) -> None:
    plot_molecules(MOLECULES, "a.png")
    for axis, molecule in zip(figures[0].axes, MOLECULES, strict=True):
        if molecule in (None, "C1CC"):
            assert [text.get_text() for text in axis.texts] == ["unreadable"]
        else:
            pixels = np.asarray(axis.images[0].get_array())
            assert (pixels[..., :3] < 100).any()  # Ink.


def test_header_counts_all_and_the_grid_shows_the_first(figures: list[Any]) -> None:
    plot_molecules(["CCO"] * 3 + ["CFC"] * 7, "a.png", max_molecules=4, legend="size")
    assert figures[0].get_suptitle().startswith("4 of 10 molecules; of all, 30.0 % valid")
    assert [axis.get_xlabel() for axis in figures[0].axes] == ["3 atoms"] * 4


def test_valid_ones_only(figures: list[Any]) -> None:
    plot_molecules(["CFC", "CCO", "C.C"], "a.png", show_invalid=False, legend="none")
    assert frames(figures[0]) == [GRID, AMBER]
    assert [axis.get_xlabel() for axis in figures[0].axes] == ["", ""]
    assert "66.7 % valid" in figures[0].get_suptitle()
    plot_molecules(["CFC"], "a.png", show_invalid=False)  # An empty grid, and the header says so.
    assert "0 of 1 molecule; of all, 0.0 % valid" in figures[1].get_suptitle()


def test_long_smiles_are_cut(figures: list[Any]) -> None:
    plot_molecules(["C" * 40], "a.png")
    assert figures[0].axes[0].get_xlabel() == "C" * 25 + "…"


def test_rdkit_molecules_are_not_changed(figures: list[Any]) -> None:
    mol = Chem.MolFromSmiles("c1ccccc1")
    plot_molecules([mol], "a.png")
    assert mol.GetNumConformers() == 0
    assert Chem.MolToSmiles(mol) == "c1ccccc1"


def test_writes_a_picture(tmp_path: Path) -> None:
    path = plot_molecules(MOLECULES, tmp_path / "new" / "grid.png", columns=4)
    pixels = imread(path)
    assert pixels.shape[0] > 400
    assert pixels.shape[1] > 1000
    assert pixels[..., :3].std() > 0.05


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected at least one molecule to draw \(got 0\)"):
        plot_molecules([], tmp_path / "a.png")
    with pytest.raises(ValueError, match="Expected a legend among"):
        plot_molecules(["C"], tmp_path / "a.png", legend="name")
    with pytest.raises(ValueError, match="Expected at least 1 molecule"):
        plot_molecules(["C"], tmp_path / "a.png", columns=0)
    with pytest.raises(ValueError, match="Expected a path ending in"):
        plot_molecules(["C"], tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'pyg-topn\[plot\]'"):
        plot_molecules(["C"], "a.png")
