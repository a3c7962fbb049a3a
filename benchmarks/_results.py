"""From times to rows of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from _clock import Case, Times, median
from _floor import Count, Rates

# What a row of ours is compared with: the family of ours, and the name of theirs.
PEERS = {"training": "training step", "sampling": "sampling, one by one"}


@dataclass
class Row:
    """What was measured of a case with a number of threads."""

    family: str
    name: str
    device: str
    threads: int
    nodes: int
    batch: int
    points: int  # of the reference set, where that is what varies
    graphs: int  # in a call
    repeats: int
    seconds: float  # a call, the median
    fastest: float
    slowest: float
    graphs_per_second: float
    peak_bytes: float
    flops: int = 0
    least_bytes: int = 0
    op_bytes: int = 0
    floor_seconds: float = math.nan
    share_of_floor: float = math.nan  # 1: as fast as the machine allows
    share_unfused: float = math.nan  # the same, if no operation is fused with the next
    times_theirs: float = math.nan  # graphs a second, ours over the authors'

    @property
    def title(self) -> str:
        return f"{self.family}: {self.name}"


def rows(
    times: Times, counts: Mapping[Case, Count], found: Mapping[tuple[str, int], Rates]
) -> list[Row]:
    """A row a case and number of threads."""
    made = []
    for (case, threads), seconds in times.items():
        row = _row(case, threads, seconds)
        if case in counts:
            _compare(row, counts[case], found[row.device, threads])
        made.append(row)
    return with_peer(made)


def _row(case: Case, threads: int, seconds: Sequence[float]) -> Row:
    middle = median(seconds)
    return Row(
        family=case.family,
        name=case.name,
        device=case.device.type,
        threads=threads,
        nodes=case.nodes,
        batch=case.batch,
        points=case.points,
        graphs=case.number,
        repeats=len(seconds),
        seconds=middle,
        fastest=min(seconds),
        slowest=max(seconds),
        graphs_per_second=case.number / middle,
        peak_bytes=case.memory,
    )


def _compare(row: Row, count: Count, rate: Rates) -> None:
    """Say how near a row is to what the machine can do."""
    row.flops, row.least_bytes, row.op_bytes = count.flops, count.least_bytes, count.op_bytes
    row.floor_seconds = count.floor(rate)
    row.share_of_floor = row.floor_seconds / row.seconds
    row.share_unfused = max(row.floor_seconds, count.unfused(rate)) / row.seconds


def with_peer(found: list[Row]) -> list[Row]:
    """Say how many times the authors' rate ours is, for graphs of the same size.

    Their training is that of the same batch, their sampling has none: it is one by one.
    """
    theirs = {
        (row.name, row.device, row.threads, row.nodes, row.batch): row.graphs_per_second
        for row in found
        if row.family == "peer"
    }
    for row in found:
        name = PEERS.get(row.family)
        if name is None:
            continue
        batch = row.batch if row.family == "training" else 1
        rate = theirs.get((name, row.device, row.threads, row.nodes, batch), math.nan)
        row.times_theirs = row.graphs_per_second / rate
    return found


def table(found: Sequence[Row]) -> list[str]:
    """Lines of text: a case a line, numbers of threads side by side."""
    threads = sorted({row.threads for row in found})
    width = max((len(row.title) for row in found), default=0)
    head = f"{'':{width}s} {'device':>6s} {'n':>4s} {'B':>5s} {'MiB':>8s}"
    for count in threads:
        title = f"{count} thread{'s' if count > 1 else ''}: ms"
        head += f" | {title:>14s} {'graphs/s':>10s}"
        head += f" {'floor':>7s} {'theirs':>8s}"
    lines = [head]
    families = list(dict.fromkeys(row.family for row in found))
    titles = list(dict.fromkeys(row.title for row in found))
    measured = [row for row in found if row.family != "machine"]
    measured.sort(key=lambda row: (families.index(row.family), titles.index(row.title)))
    for _, group in groupby(measured, lambda row: row.family):
        by_case: dict[tuple[str, str, int, int], dict[int, Row]] = {}
        for row in group:
            key = (row.title, row.device, row.nodes, row.batch)
            by_case.setdefault(key, {})[row.threads] = row
        lines += ["", *(_line(same, threads, width) for same in by_case.values())]
    return lines


def _line(same: Mapping[int, Row], threads: Sequence[int], width: int) -> str:
    one = next(iter(same.values()))
    line = f"{one.title:{width}s} {one.device:>6s} {one.nodes:4d} {one.batch:5d}"
    line += f" {number(one.peak_bytes / 2**20, '.1f'):>8s}"
    for count in threads:
        row = same.get(count)
        cells = ["", "", "", ""] if row is None else _cells(row)
        line += f" | {cells[0]:>14s} {cells[1]:>10s} {cells[2]:>7s} {cells[3]:>8s}"
    return line.rstrip()


def _cells(row: Row) -> list[str]:
    return [
        number(1000 * row.seconds, ".3f" if row.seconds < 0.1 else ".0f"),
        number(row.graphs_per_second, ",.0f"),
        number(100 * row.share_of_floor, ".1f", " %"),
        number(row.times_theirs, ".1f", "x"),
    ]


def number(value: float, form: str, unit: str = "") -> str:
    """A number as text, a dash if there is none.

    >>> number(2.25, ".1f", "x"), number(float("nan"), ".1f")
    ('2.2x', '-')
    """
    return "-" if math.isnan(value) else f"{value:{form}}{unit}"
