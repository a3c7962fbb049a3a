from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyg_topn.plot._figure import check_path, panels, save, shared_range


def test_a_figure_is_written_whole(tmp_path: Path) -> None:
    figure, axes = panels(5, 3, "title", (2.0, 1.5))
    assert len(axes) == 5
    for name in ("a.png", "b.pdf", "sub/folder/c.svg"):
        path = save(figure, check_path(tmp_path / name), dpi=50)
        assert path.stat().st_size > 500
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.pdf", "sub"]


def test_a_failure_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save(panels(1, 1, "", (2.0, 1.5))[0], path, dpi=50)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Expected a folder that can be written to"):
        save(panels(1, 1, "", (2.0, 1.5))[0], tmp_path / "file" / "a.png", dpi=50)


def test_an_unknown_format() -> None:
    with pytest.raises(ValueError, match=r"Expected a path ending in .png or .pdf or .svg"):
        check_path("a.gif")


def test_shared_range() -> None:
    assert shared_range(([1.0, 2.0], [0.5])) == (0.5, 2.0)
    assert shared_range(([1.0], [1.0])) == (0.5, 1.5)
