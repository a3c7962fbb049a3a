"""The figures of the speed benchmark as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _results import Row
from matplotlib.figure import Figure

PANEL = (4.6, 3.6)  # inches of a panel
COLUMNS = 3

# What stands for its family where families share a panel.
CHOSEN = (
    "creation: top_n",
    "matcher: canonical",
    "matcher: hungarian",
    "loss: reconstruction",
    "decoder: default",
    "training: paper",
    "training: default, joint stage",
    "sampling: graphs, default, random weights",
)

Value = Callable[[Row], float]


def plot(rows: Sequence[Row], path: Path) -> None:
    """A panel a family with its rate against the batch, and panels of how times grow."""
    device, threads = _shown(rows)
    kept = [row for row in rows if (row.device, row.threads) == (device, threads)]
    small = min((row.nodes for row in kept if row.family != "machine"), default=0)
    panels = _panels(kept, small)
    count = -(-len(panels) // COLUMNS)
    width, height = PANEL
    figure = Figure(figsize=(COLUMNS * width, count * height), layout="constrained")
    suffix = "s" if threads > 1 else ""
    where = f"{threads} thread{suffix}" if device == "cpu" else device
    figure.suptitle(f"Speed, {where}; medians")
    for index, (title, chosen, x, y, labels) in enumerate(panels):
        axis = figure.add_subplot(count, COLUMNS, index + 1)
        _draw(axis, chosen, x, y)
        axis.set(title=title, xlabel=labels[0], ylabel=labels[1])
        axis.title.set_fontsize(10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


Panel = tuple[str, list[Row], Value, Value, tuple[str, str]]


def _shown(rows: Sequence[Row]) -> tuple[str, int]:
    """The accelerator if there is one, else the CPU with the most threads."""
    return max(((row.device, row.threads) for row in rows), key=lambda key: (key[0] != "cpu", key))


def _panels(rows: Sequence[Row], small: int) -> list[Panel]:
    found: list[Panel] = []
    labels = ("graphs of a batch", "graphs/s")
    for family in ("creation", "matcher", "loss", "decoder", "training", "sampling", "loader"):
        chosen = [row for row in rows if row.family == family and row.nodes == small]
        if family in ("training", "sampling"):
            chosen += [row for row in rows if row.family == "peer" and family in row.name]
        found.append((f"{family}, n = {small}", chosen, _batch, _rate, labels))
    chosen = [row for row in rows if row.title in CHOSEN]
    labels = ("nodes of a graph", "seconds a graph")
    found.append(("time against n, the largest batch", _largest(chosen), _nodes, _each, labels))
    sets = [row for row in rows if row.family == "reference set"]
    labels = ("points of the reference set", "seconds a call")
    found.append(("Top-n against its reference set", sets, _points, _seconds, labels))
    near = [row for row in chosen if row.nodes == small and row.share_of_floor > 0]
    labels = ("graphs of a batch", "share of the floor")
    found.append((f"share of the floor, n = {small}", near, _batch, _share, labels))
    return [panel for panel in found if panel[1]]


def _largest(rows: Sequence[Row]) -> list[Row]:
    """Rows of each case and size of graphs at the largest batch that was measured."""
    found = {(row.title, row.nodes): row for row in sorted(rows, key=_batch)}
    return [found[key] for key in sorted(found)]


def _draw(axis: Any, rows: Sequence[Row], x: Value, y: Value) -> None:
    """A line a case, in logarithms."""
    one_line = all(row.points for row in rows)
    titles = [row.family if one_line else row.title for row in rows]
    for title in dict.fromkeys(titles):
        same = [row for row, own in zip(rows, titles, strict=True) if own == title]
        style = "--" if same[0].family == "peer" else "-"
        if style == "--" and len(same) == 1:  # Their sampling knows no batches.
            axis.axhline(y(same[0]), ls=style, color="black", label=title)
            continue
        axis.plot(
            [x(row) for row in same], [y(row) for row in same], style, marker=".", label=title
        )
    axis.set(xscale="log", yscale="log")
    sizes = sorted({x(row) for row in rows})
    axis.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axis.xaxis.set_minor_formatter("")
    axis.grid(True, color="#e6e8eb")
    axis.legend(fontsize=5)


def _batch(row: Row) -> float:
    return row.batch


def _nodes(row: Row) -> float:
    return row.nodes


def _points(row: Row) -> float:
    return row.points


def _rate(row: Row) -> float:
    return row.graphs_per_second


def _seconds(row: Row) -> float:
    return row.seconds


def _each(row: Row) -> float:
    return 1 / row.graphs_per_second


def _share(row: Row) -> float:
    return row.share_of_floor
