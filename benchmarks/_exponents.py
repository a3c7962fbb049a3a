"""How times grow: exponents fitted to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from _results import Row, number

LARGE_BATCH, LARGE_NODES = 64, 30  # Below, a constant part of the time hides how it grows.
LEAST_MEASURED = 3

# Work on points is linear in their number N; all other work is on pairs.
ON_POINTS = ("creation", "matcher: canonical")

DEFINITION = """
Exponents: the slope of log(time) against log(size) by least squares, over the larger sizes (batches
from 64 on, graphs from 30 nodes on, where three of each were measured). N = B n points are created,
P = B n (n - 1) / 2 pairs are decoded, each edge once. Linear means: creation and the canonical
matcher in N, which is 1 in B and 1 in n; decoder, losses, the score matcher, training and sampling
in P, which is 1 in B, and in n nearly 2; Top-n in the points of its reference set at most, of which
it looks for the n best. The Hungarian matcher solves assignments and may reach 3 in n. An exponent
below these says that what does not grow, such as the calls of operations, still takes its part.
"""


@dataclass
class Exponent:
    """How the time of a case grows with one size, all else being equal."""

    title: str
    device: str
    threads: int
    against: str  # "B", "n", "N", "P" or "reference points"
    fixed: str  # what is equal
    exponent: float
    sizes: list[float]


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of a power law, by least squares of logarithms.

    >>> round(slope([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in seconds]
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    over = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return over / math.fsum((a - mean_x) ** 2 for a in x)


def exponents(rows: Sequence[Row]) -> list[Exponent]:
    """Exponents in the size of the batch, of the graphs and of the reference set."""
    series: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        if row.family == "reference set":
            series.setdefault(("reference set", row.device, row.threads), []).append(row)
        elif row.family != "machine":
            series.setdefault((row.title, row.device, row.threads), []).append(row)
    found: list[Exponent] = []
    for same in series.values():
        if same[0].points:
            found += _fit(same, "reference points", lambda row: row.points, _fixed_both(same))
        else:
            found += [*_in_batch(same), *_in_nodes(same)]
    return found


def _in_batch(rows: Sequence[Row]) -> Iterator[Exponent]:
    """For every size of graphs."""
    for nodes in sorted({row.nodes for row in rows}):
        same = [row for row in rows if row.nodes == nodes]
        large = _larger(same, lambda row: row.batch >= LARGE_BATCH)
        yield from _fit(large, "B", lambda row: row.batch, f"n = {nodes}")


def _in_nodes(rows: Sequence[Row]) -> Iterator[Exponent]:
    """For the largest batch that was measured with the most sizes of graphs."""
    batches = sorted({row.batch for row in rows}, reverse=True)
    if not batches:
        return
    best = max(batches, key=lambda batch: len({row.nodes for row in rows if row.batch == batch}))
    same = [row for row in rows if row.batch == best]
    large = _larger(same, lambda row: row.nodes >= LARGE_NODES)
    yield from _fit(large, "n", lambda row: row.nodes, f"B = {best}")
    if not rows[0].title.startswith(ON_POINTS):
        yield from _fit(large, "P", num_pairs, f"B = {best}")


def num_pairs(row: Row) -> float:
    """Unordered pairs of a batch."""
    return row.batch * row.nodes * (row.nodes - 1) / 2


def _larger(rows: Sequence[Row], is_large: Callable[[Row], bool]) -> Sequence[Row]:
    large = [row for row in rows if is_large(row)]
    return large if len(large) >= LEAST_MEASURED else rows


def _fixed_both(rows: Sequence[Row]) -> str:
    return f"n = {rows[0].nodes}, B = {rows[0].batch}"


def _fit(
    rows: Sequence[Row], against: str, size: Callable[[Row], float], fixed: str
) -> Iterator[Exponent]:
    """One exponent, if enough sizes were measured."""
    sizes = [float(size(row)) for row in rows]
    if len(set(sizes)) < 2:
        return
    title = "reference set: top_n" if rows[0].points else rows[0].title
    fitted = slope(sizes, [row.batch / row.graphs_per_second for row in rows])
    yield Exponent(title, rows[0].device, rows[0].threads, against, fixed, fitted, sizes)


def exponent_table(found: Sequence[Exponent]) -> list[str]:
    """Lines of text: a case a line, with its exponents and where they were fitted."""
    by_case: dict[tuple[str, str, int], list[Exponent]] = {}
    for each in found:
        by_case.setdefault((each.title, each.device, each.threads), []).append(each)
    width = max((len(each.title) for each in found), default=0)
    lines = []
    for (title, device, threads), same in by_case.items():
        cells = (f"{e.against} {number(e.exponent, '.2f')} ({e.fixed})" for e in same)
        lines.append(f"{title:{width}s} {device:>6s} {threads:2d}  " + "; ".join(cells))
    return lines
