"""Figures without global state, and files that are written whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyg_topn.utils.optional import require

GENERATED, DATA = "#2a6fbb", "#b9bec5"
TEXT, RED, AMBER, GRID = "#22262b", "#cc3d3d", "#e09f1f", "#e6e8eb"
CYCLE = ("#2a6fbb", "#d9772b", "#3f9b57", "#8a5bb0", "#cc3d3d", "#6f7a85", "#b59a1d", "#2aa0a8")
_FORMATS = (".png", ".pdf", ".svg")


def new_figure(width: float, height: float) -> Any:
    r"""A figure in inches that matplotlib's global state knows nothing of."""
    return require("matplotlib.figure", extra="plot").Figure(
        figsize=(width, height), layout="constrained", facecolor="white"
    )


def panels(
    count: int, columns: int, title: str, size: tuple[float, float]
) -> tuple[Any, list[Any]]:
    r"""A figure with a title and so many axes of the given size in inches, in rows."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(size[0] * columns, size[1] * rows + 0.5)
    if title:
        figure.suptitle(title, fontsize=12, color=TEXT)
    axes = [figure.add_subplot(rows, columns, index + 1) for index in range(count)]
    for axis in axes:
        tidy(axis)
    return figure, axes


def tidy(axis: Any) -> None:
    r"""Light grid behind the data, no box."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=8, colors=TEXT)
    axis.grid(True, color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)


def label(axis: Any, title: str, x: str, y: str) -> None:
    r"""Title and axis labels in one size for all panels."""
    axis.set_title(title, fontsize=10, color=TEXT)
    axis.set_xlabel(x, fontsize=9, color=TEXT)
    axis.set_ylabel(y, fontsize=9, color=TEXT)


def check_path(path: str | os.PathLike[str]) -> Path:
    r"""The path, if a figure can be written in the format of its suffix.

    Raises:
        ValueError: If the suffix is not that of a format.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"Expected a path ending in {' or '.join(_FORMATS)} (got '{path}')")
    return path


def save(figure: Any, path: Path, dpi: int = 150) -> Path:
    r"""Write the figure, creating folders; a failure leaves nothing behind and the old file alone.

    Raises:
        OSError: If the folder cannot be written to.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower()[1:], dpi=dpi)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except OSError as error:
        raise OSError(
            f"Expected a folder that can be written to (got '{path.parent}': {error.strerror})"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getvalue())
        os.chmod(draft, 0o644)  # mkstemp makes it readable by its owner alone.
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path


def shared_range(groups: Sequence[Any]) -> tuple[float, float]:
    r"""Smallest and largest value of all groups, with room if they are equal."""
    low = min(float(min(group)) for group in groups)
    high = max(float(max(group)) for group in groups)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
