"""What graphs of up to thousands of nodes take: all pairs of nodes, or nearest neighbours only.

Usage: python benchmarks/large_graphs.py [--quick] [--nodes 10 30 ...] [--out runs/large_graphs]

Measures one training step and one sampling pass of the default model on one graph, a grid or a
Delaunay triangulation, with a decoder that decides all pairs and with one that decides those of
the k nearest neighbours of every node. All pairs are measured on grids alone: their cost does not
depend on the edges. Each point runs in a process of its own, whose largest resident memory is what
is given. Seconds are of the processor, on one thread unless OMP_NUM_THREADS says otherwise, the
median of some calls after a first one that does not count.

Prints a table and the exponents with which seconds and memory grow, and writes large_graphs.json
and a picture to the output folder. The memory of all pairs grows with their number: a point for
which the one before it predicts more than --gib is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from _clock import median
from _exponents import slope
from _machine import print_machine
from _results import number
from matplotlib.figure import Figure

HERE = Path(__file__).parent
NODES = (10, 30, 100, 300, 1000, 2000)
LEAST_NODES = 100  # of what exponents are fitted to: below, a constant part hides how it grows
TASKS = {"train": "training step", "sample": "sampling pass"}
Row = dict[str, Any]


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options = parse(words)
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print_machine("torch-geometric", "networkx")
    rows = list(measured(options))
    print("\n".join(["", *table(rows), "", *exponents(rows)]))
    text = json.dumps({"k": options.neighbors, "rows": rows}, indent=1)
    (options.out / "large_graphs.json").write_text(text + "\n", encoding="utf-8")
    plot(rows, options.out / "large_graphs.png")
    print(f"\nwritten: large_graphs.json, large_graphs.png in {options.out}")


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The options, with defaults that --quick makes small."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    parser.add_argument("--nodes", type=int, nargs="+", help="sizes of graphs")
    parser.add_argument("--graphs", nargs="+", choices=("grid", "planar"))
    parser.add_argument("--neighbors", type=int, default=8, help="k")
    parser.add_argument("--readout", choices=("canonical", "pna"), default="canonical")
    parser.add_argument("--repeats", type=int, help="timed calls of a point; by default 4")
    parser.add_argument("--gib", type=float, default=8.0, help="the most memory of a point")
    parser.add_argument("--out", type=Path, default=Path("runs/large_graphs"))
    options = parser.parse_args(words)
    for name, quick, full in (
        ("nodes", (10, 30), NODES),
        ("graphs", ("grid",), ("grid", "planar")),
        ("repeats", 1, 4),
    ):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else full)
    options.nodes = sorted(set(options.nodes))
    for name, value in (("nodes", options.nodes[0]), ("repeats", options.repeats)):
        least = 4 if name == "nodes" else 1
        if value < least:
            parser.error(f"Expected --{name} to be at least {least} (got {value})")
    return options


def measured(options: argparse.Namespace) -> Iterator[Row]:
    """A row a point, in the order of sizes."""
    for graphs in options.graphs:
        for neighbors in (None, options.neighbors) if graphs == "grid" else (options.neighbors,):
            for task in TASKS:
                yield from _series(options, graphs, neighbors, task)


def _series(
    options: argparse.Namespace, graphs: str, neighbors: int | None, task: str
) -> Iterator[Row]:
    last: Row | None = None
    for nodes in options.nodes:
        point = {"graphs": graphs, "nodes": nodes, "neighbors": neighbors, "task": task}
        gib = math.nan if last is None else predicted(last, nodes, neighbors is None)
        if gib > options.gib:
            print(f"left out: {described(point)}: about {gib:.1f} GiB", flush=True)
            return
        last = {**point, **run({**point, "repeats": options.repeats, "readout": options.readout})}
        print(f"{described(point)}: {1000 * median(last['seconds']):.0f} ms", flush=True)
        yield last


def predicted(last: Row, nodes: int, all_pairs: bool) -> float:
    """GiB that a point takes, from the one before it."""
    growth = (nodes / last["nodes"]) ** (2 if all_pairs else 1)
    return float(last["before"] + growth * (last["peak"] - last["before"])) / 2**30


def described(point: Row) -> str:
    """A point in words."""
    pairs = "all pairs" if point["neighbors"] is None else f"k = {point['neighbors']}"
    return f"{TASKS[point['task']]}, {point['graphs']}, {pairs}, n = {point['nodes']}"


def run(point: Row) -> Row:
    """Measure a point in a process of its own."""
    command = [sys.executable, str(HERE / "_large_graph.py"), json.dumps(point)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise RuntimeError(f"{described(point)} failed:\n{found.stderr[-2000:]}")
    return dict(json.loads(found.stdout))


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of text: a size of graphs a line, all pairs and nearest ones side by side."""
    kinds = list(dict.fromkeys((row["graphs"], row["neighbors"]) for row in rows))
    lines = [
        f"{'graphs':>7s} {'pairs':>9s} {'n':>5s} {'decided':>9s} | {'step, ms':>9s} "
        f"{'MiB':>6s} | {'sample, ms':>10s} {'MiB':>6s}"
    ]
    for graphs, neighbors in kinds:
        lines.append("")
        pairs = "all" if neighbors is None else f"k = {neighbors}"
        own = [row for row in rows if (row["graphs"], row["neighbors"]) == (graphs, neighbors)]
        for nodes in sorted({row["nodes"] for row in own}):
            by_task = {row["task"]: row for row in own if row["nodes"] == nodes}
            decided = by_task["train"]["pairs"] if "train" in by_task else math.nan
            cells = [_cells(by_task.get(task)) for task in TASKS]
            lines.append(
                f"{graphs:>7s} {pairs:>9s} {nodes:5d} {number(decided, ',.0f'):>9s} "
                f"| {cells[0][0]:>9s} {cells[0][1]:>6s} | {cells[1][0]:>10s} {cells[1][1]:>6s}"
            )
    return lines


def _cells(row: Row | None) -> tuple[str, str]:
    if row is None:
        return "-", "-"
    return f"{1000 * median(row['seconds']):,.0f}", f"{row['peak'] / 2**20:,.0f}"


def exponents(rows: Sequence[Row]) -> list[str]:
    """How seconds and memory beyond that of the model grow with n."""
    lines = [
        f"Exponents in n of seconds and of memory in a call, fitted from n = {LEAST_NODES} on, and "
        "between the last two sizes:"
    ]
    for title, own in lines_of(rows).items():
        large = [row for row in own if row["nodes"] >= LEAST_NODES]
        if len(large) < 2:
            continue
        sizes = [row["nodes"] for row in large]
        seconds = [median(row["seconds"]) for row in large]
        memory = [max(row["peak"] - row["before"], 1) for row in large]
        fitted = f"{slope(sizes, seconds):5.2f} {slope(sizes, memory):5.2f}"
        last = f"{slope(sizes[-2:], seconds[-2:]):5.2f} {slope(sizes[-2:], memory[-2:]):5.2f}"
        lines.append(f"{title:38s} {fitted}  ({len(large)} sizes); {last}")
    return lines


def lines_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that differ in n only, by their title."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(described(row).rpartition(",")[0], []).append(row)
    return found


def plot(rows: Sequence[Row], path: Path) -> None:
    """Seconds and memory against n, in logarithms."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    for column, label in enumerate(("seconds of a call", "MiB at the peak of the process")):
        axis = figure.add_subplot(1, 2, column + 1)
        for title, own in lines_of(rows).items():
            values = [median(row["seconds"]) if column == 0 else row["peak"] / 2**20 for row in own]
            style = "--" if own[0]["neighbors"] is None else "-"
            axis.plot([row["nodes"] for row in own], values, style, marker=".", label=title)
        axis.set(xscale="log", yscale="log", xlabel="nodes of a graph", ylabel=label)
        axis.grid(True, color="#e6e8eb")
    axis.legend(fontsize=7)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
