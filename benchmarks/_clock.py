"""Cases that take turns on the clock, and the memory that each needs, for the speed benchmark."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

LEAST_SECONDS = 0.02  # of one measurement: short cases run several times in it
LEAST_REPEATS = 3


@dataclass(eq=False)
class Case:
    """Something to measure on a batch, and what its floor is worked out from.

    ``kind`` says what a call does to the parameters: "forward" reads them, "backward" writes their
    gradients as well, "step" updates them with Adam after clipping; "copy" reads the inputs and
    writes as much; "other" is work whose floor tensors alone do not tell.
    """

    family: str
    name: str
    batch: int
    nodes: int
    run: Callable[[], object]
    device: torch.device
    kind: str = "forward"
    parameters: Sequence[Tensor] = ()
    inputs: object = ()
    graphs: int = 0  # in a call; 0 for the batch
    points: int = 0  # of the reference set, where that is what varies
    memory: float = math.nan  # bytes, at the peak of a call
    first_seconds: float = 0.0

    @property
    def number(self) -> int:
        """Graphs in a call."""
        return self.graphs or self.batch

    @property
    def title(self) -> str:
        return f"{self.family}: {self.name}"


@dataclass
class Series:
    """Cases that differ in the size of the batch only, built when their turn comes."""

    family: str
    name: str
    nodes: int
    build: Callable[[int], Case]
    batches: tuple[int, ...] | None = None  # instead of those asked for

    @property
    def title(self) -> str:
        return f"{self.family}: {self.name}"


@dataclass
class Limits:
    """What a call may take; a batch is skipped if the one before it predicts more."""

    seconds: float
    memory: dict[str, float]  # bytes, by the type of the device
    skipped: list[dict[str, Any]] = field(default_factory=list)

    def admit(self, series: Series, batches: Sequence[int]) -> Iterator[Case]:
        """The cases that fit, each called once or twice already."""
        last: Case | None = None
        asked = series.batches or batches
        for batch in rungs(asked):
            reason = None if last is None else self._too_much(last, batch)
            if reason is None:
                try:
                    case = warm(series.build(batch))
                except (NotImplementedError, torch.OutOfMemoryError) as error:
                    reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                else:
                    last = case
                    reason = self._too_much(case, batch)
            if reason is not None:
                self._skip(series, batch, reason)
                return  # Larger batches of the series need more still.
            if batch in asked:
                yield case

    def _too_much(self, last: Case, batch: int) -> str | None:
        # Where a call is not one batch, its work does not follow from the batch.
        ratio = 1 if last.graphs else batch / last.batch
        seconds, memory = ratio * last.first_seconds, ratio * last.memory
        limit = self.memory[last.device.type]
        if seconds > self.seconds:
            return f"{seconds:.1f} s a call, more than {self.seconds:g} s"
        if memory > limit:
            return f"{memory / 2**30:.1f} GiB, more than {limit / 2**30:.1f} GiB"
        return None

    def _skip(self, series: Series, batch: int, reason: str) -> None:
        self.skipped.append(
            {"case": series.title, "nodes": series.nodes, "batch": batch, "reason": reason}
        )
        print(
            f"left out: {series.title}, n = {series.nodes}, batches from {batch} on: {reason}",
            flush=True,
        )


def rungs(batches: Sequence[int]) -> list[int]:
    """The batches asked for, and smaller ones before them, each of which predicts the next.

    >>> rungs([512, 2048])
    [1, 8, 64, 512, 2048]
    """
    return sorted({*batches, *(size for size in (1, 8, 64, 512) if size < max(batches))})


def warm(case: Case) -> Case:
    """Call a case before it counts, and learn what it takes."""
    case.first_seconds = seconds(case)
    if case.first_seconds < 1:  # The first call of its kind pays for imports and the like.
        case.first_seconds = seconds(case)
    case.memory = peak_memory(case)
    return case


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def seconds(case: Case, calls: int = 1) -> float:
    """Seconds a call."""
    synchronize(case.device)
    start = time.perf_counter()
    for _ in range(calls):
        case.run()
    synchronize(case.device)
    return (time.perf_counter() - start) / calls


def num_calls(first_seconds: float) -> int:
    """How many calls a measurement is made of.

    >>> num_calls(0.5), num_calls(0.004), num_calls(1e-9)
    (1, 5, 1000)
    """
    return min(1000, math.ceil(LEAST_SECONDS / max(first_seconds, 1e-9)))


def peak_memory(case: Case) -> float:
    """Bytes that PyTorch holds at the peak of a call beyond those held before; NaN if unknown.

    On the CPU the profiler records every allocation; what NumPy, RDKit or other processes take is
    not among them. MPS tells no peak.
    """
    if case.device.type == "cuda":
        before = torch.cuda.memory_allocated(case.device)
        torch.cuda.reset_peak_memory_stats(case.device)
        case.run()
        return float(torch.cuda.max_memory_allocated(case.device) - before)
    if case.device.type != "cpu":
        return math.nan
    with (
        _silent_stderr(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record,
    ):
        case.run()
    assert record.profiler is not None
    assert record.profiler.kineto_results is not None
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    return highest((event.start_ns(), event.nbytes()) for event in events)


def highest(changes: Iterable[tuple[int, int]]) -> float:
    """The highest sum of changes in the order of their times, from 0 on.

    >>> highest([(2, -100), (1, 100), (3, 50)])
    100.0
    """
    return float(max(accumulate((size for _, size in sorted(changes)), initial=0)))


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """The profiler's C++ part may announce itself there, twice a case."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


Times = dict[tuple[Case, int], list[float]]


def take_turns(
    cases: Sequence[Case], threads: Sequence[int], repeats: int, patience: float
) -> Times:
    """Seconds a call of every case and number of threads, a list over the rounds.

    All cases are measured in a round before the next begins, so that a busy moment of the machine
    meets all of them. What has taken longer than patience rests after three rounds. Threads are
    those of the CPU: on other devices only the first number is measured.
    """
    times: Times = {}
    before = torch.get_num_threads()
    for repeat in range(max(repeats, 1)):
        start = time.monotonic()
        for count in threads:
            torch.set_num_threads(count)
            _wake_up()
            for case in cases:
                if case.device.type != "cpu" and count != threads[0]:
                    continue
                found = times.setdefault((case, count), [])
                if repeat < LEAST_REPEATS or sum(found) < patience:
                    found.append(seconds(case, num_calls(case.first_seconds)))
        print(f"round {repeat + 1}: {time.monotonic() - start:.0f} s", flush=True)
    torch.set_num_threads(before)
    return times


def _wake_up() -> None:
    """Start the threads that the last change of their number left to be started."""
    matrix = torch.ones(512, 512)
    for _ in range(3):
        matrix @ matrix


def median(values: Sequence[float]) -> float:
    """The median, NaN of nothing.

    >>> median([3.0, 1.0, 2.0]), median([])
    (2.0, nan)
    """
    return statistics.median(values) if values else math.nan
