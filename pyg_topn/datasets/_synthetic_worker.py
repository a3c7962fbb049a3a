"""Sets of points by rejection; also run as a process of its own, several at a time.

This file imports neither torch nor the rest of the package, so that such a process starts in a
fraction of a second.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BOX = 6.0  # Points lie in [-6, 6]^3,
MIN_DISTANCE = 1.0  # no closer than this,
NEIGHBOR_DISTANCE = 2.0  # and are neighbours if they are closer than this.
VALENCIES = np.array([1, 2, 3, 4])
SHARES = np.array([0.05, 0.05, 0.1, 0.8])  # of the valencies among the draws

EARLY_FAILURES = 1000  # What a small set may fail: it would hardly ever grow otherwise.
DRAWS = 32  # Points drawn at once for every set. More than the usual patience would be for nothing.
MAX_RESTARTS = 1000  # a set


@dataclass(frozen=True)
class Options:
    """When a set ends.

    Args:
        min_points: Sets that end below are drawn anew.
        max_points: A set of so many points ends.
        max_failures: A set ends after so many draws in a row that failed,
        early_points: provided that it has so many points.
    """

    min_points: int
    max_points: int
    max_failures: int
    early_points: int


@dataclass
class _Sets:
    """Sets that grow, all of them padded to the largest size allowed."""

    pos: Floats  # Infinitely far away where there is no point yet, [B, 3, n]
    valency: Ints  # the number of neighbours, [B, n]
    max_valency: Ints  # the one that was drawn, [B, n]
    size: Ints  # [B]
    failures: Ints  # draws in a row that failed, [B]


def grow_sets(
    seed: tuple[int, ...], chunk: int, num_sets: int, options: dict[str, int]
) -> dict[str, Any]:
    """Grow sets of points until all have ended; a function of its arguments alone.

    Args:
        seed: What the random numbers of all chunks depend on.
        chunk: Number of this chunk, whose random numbers are independent of those of the others.
        num_sets: Number of sets.
        options: The fields of :class:`Options`.

    Returns:
        Positions :obj:`pos` [N, 3] (float32), :obj:`valency` [N], :obj:`max_valency` [N], and
        sizes :obj:`num_points` [B].

    Raises:
        ValueError: If hardly any set reaches the smallest size.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chunk,)))
    limits = Options(**options)
    shape = (num_sets, limits.max_points)
    sets = _Sets(
        np.full((num_sets, 3, limits.max_points), np.inf),
        *(np.zeros(shape, dtype=np.int64) for _ in range(2)),
        *(np.zeros(num_sets, dtype=np.int64) for _ in range(2)),
    )
    _plant(sets, np.arange(num_sets), rng)
    active, restarts = np.flatnonzero(sets.size < limits.max_points), 0
    while active.size:
        failed = _grow(sets, active, rng, limits)
        too_small = failed & (sets.size[active] < limits.min_points)
        _plant(sets, active[too_small], rng)
        restarts += int(too_small.sum())
        if restarts > MAX_RESTARTS * num_sets:
            raise ValueError(
                f"Expected 'min_points' to be a size that sets reach (got {limits.min_points})"
            )
        grows = ~failed | too_small
        active = active[grows & (sets.size[active] < limits.max_points)]
    return _concatenate(sets)


def _plant(sets: _Sets, which: Ints, rng: np.random.Generator) -> None:
    """Begin sets anew with one point, which is always accepted."""
    pos, max_valency = _draw(which.size, 1, rng)
    sets.pos[which] = np.inf
    sets.pos[which, :, 0] = pos[:, 0]
    sets.valency[which] = 0
    sets.max_valency[which, 0] = max_valency[:, 0]
    sets.size[which], sets.failures[which] = 1, 0


def _draw(num_sets: int, draws: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Points [B, K, 3] and valencies [B, K]."""
    # In single precision, as they are stored: the distances of stored points are those checked.
    pos = rng.random((num_sets, draws, 3), dtype=np.float32) * (2 * BOX) - BOX
    rank = np.searchsorted(SHARES.cumsum()[:-1], rng.random((num_sets, draws)), side="right")
    return pos.astype(np.float64), VALENCIES[rank]


def _grow(
    sets: _Sets, active: Ints, rng: np.random.Generator, limits: Options
) -> npt.NDArray[np.bool_]:
    """Add to every set the first draw that is accepted, if any; whether a set ended by failures.

    Draws after the first that is accepted are thrown away, which leaves those that follow as
    independent as they were.
    """
    size = sets.size[active]
    pos, max_valency = _draw(active.size, DRAWS, rng)
    near, accepted = _judge(sets, active, pos, max_valency, int(size.max()))
    first = accepted.argmax(axis=1)
    found = accepted.any(axis=1)
    failures = sets.failures[active] + np.where(found, first, DRAWS)
    patience = np.where(size < limits.early_points, EARLY_FAILURES, limits.max_failures)
    failed = failures >= patience
    grown = np.flatnonzero(found & ~failed)
    sets.failures[active] = failures
    which, at, first = active[grown], size[grown], first[grown]
    neighbors = near[grown, first]  # [G, m]
    sets.pos[which, :, at] = pos[grown, first]
    sets.valency[which, : neighbors.shape[1]] += neighbors
    sets.valency[which, at] = neighbors.sum(axis=1)
    sets.max_valency[which, at] = max_valency[grown, first]
    sets.size[which] += 1
    sets.failures[which] = 0
    return failed


def _judge(
    sets: _Sets, active: Ints, pos: Floats, max_valency: Ints, size: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which points are near a draw [A, K, m], and which draws keep the constraints [A, K]."""
    distance = np.zeros((*max_valency.shape, size))  # squared, [A, K, m]
    for axis in range(3):
        distance += (pos[:, :, axis, None] - sets.pos[active, axis, None, :size]) ** 2
    near = distance < NEIGHBOR_DISTANCE**2
    num_near = near.sum(axis=2)
    full = sets.valency[active, :size] >= sets.max_valency[active, :size]  # [A, m]
    accepted = (num_near >= 1) & (num_near <= max_valency)
    accepted &= (distance >= MIN_DISTANCE**2).all(axis=2)
    accepted &= ~(near & full[:, None]).any(axis=2)
    return near, accepted


def _concatenate(sets: _Sets) -> dict[str, Any]:
    inside = np.arange(sets.valency.shape[1]) < sets.size[:, None]  # [B, n]
    return {
        "pos": sets.pos.transpose(0, 2, 1)[inside].astype(np.float32),
        "valency": sets.valency[inside],
        "max_valency": sets.max_valency[inside],
        "num_points": sets.size,
    }


def main() -> None:
    """Answer pickled requests on standard input until it ends."""
    try:
        while True:
            answer: Any
            request = pickle.load(sys.stdin.buffer)
            try:
                answer = grow_sets(*request)
            except ValueError as error:  # For the parent to raise.
                answer = error
            pickle.dump(answer, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # The parent is gone, or stopped by the user: nothing to flush, nothing to say.


if __name__ == "__main__":
    main()
