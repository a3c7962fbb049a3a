"""Linear assignment problems of a whole batch, without a loop over graphs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FAR = 1e300  # Farther than any path; finite, since the difference of infinities is no number.


def batched_linear_assignment(cost: Tensor, num_nodes: Tensor) -> Tensor:
    r"""Solve a linear assignment problem for every graph of a padded batch, exactly:

    .. math::
        \min_{\pi} \sum_{i < n_g} \text{cost}_{g, i, \pi(i)}

    over the permutations :math:`\pi` of the :math:`n_g` nodes of graph :math:`g`. Rows are assigned
    one after the other along shortest augmenting paths (`Jonker and Volgenant
    <https://doi.org/10.1007/BF02278710>`_), in double precision. All graphs take their steps
    together, each at its own row, and those that are done drop out: the steps are as many as the
    slowest graph needs, at most :math:`n (n + 1) / 2`. Ties go to the same assignment whatever the
    rest of the batch.

    The work is done on the CPU; costs that lie elsewhere are fetched, for which the CPU waits.

    Args:
        cost: What it costs to assign column :math:`j` to row :math:`i`, :math:`[B, n, n]`. Entries
            in the padding may be anything.
        num_nodes: The number of rows and columns of every graph that count, :math:`[B]`.

    Returns:
        The column of every row, :math:`[B, n]`, ``torch.int64``; padding is assigned to itself.

    Raises:
        ValueError: If the shapes do not fit, if a size is negative or larger than :math:`n`, or if
            a cost outside the padding is not finite.

    Example:
        >>> cost = torch.tensor([[[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]]])
        >>> batched_linear_assignment(cost, torch.tensor([3]))
        tensor([[1, 0, 2]])
        >>> batched_linear_assignment(cost, torch.tensor([2]))
        tensor([[1, 0, 2]])
        >>> batched_linear_assignment(-cost, torch.tensor([2]))
        tensor([[0, 1, 2]])
    """
    if cost.dim() != 3 or cost.size(1) != cost.size(2) or num_nodes.shape != cost.shape[:1]:
        raise ValueError(
            "Expected costs of shape [B, n, n] and sizes of shape [B] "
            f"(got {list(cost.shape)} and {list(num_nodes.shape)})"
        )
    if cost.numel() == 0:
        return torch.empty(cost.shape[:2], dtype=torch.int64, device=cost.device)
    padded = _pad(cost.detach().cpu().double().numpy(), num_nodes.cpu().numpy())
    return torch.from_numpy(_solve(padded)).to(cost.device, non_blocking=True)


def _pad(cost: Floats, num_nodes: Ints) -> Floats:
    """Costs whose padding is assigned to itself, whatever stood there."""
    size = cost.shape[1]
    low, high = int(num_nodes.min()), int(num_nodes.max())
    if low < 0 or high > size:
        raise ValueError(f"Expected sizes between 0 and {size} (got {low} to {high})")
    inside = np.arange(size) < num_nodes[:, None]  # [B, n]
    block = inside[:, :, None] & inside[:, None, :]
    padded = np.where(block, cost, _FAR)
    if not (np.abs(padded) <= _FAR).all():
        raise ValueError("Expected finite costs (got others)")
    diagonal = np.arange(size)
    padded[:, diagonal, diagonal] = np.where(inside, padded[:, diagonal, diagonal], 0.0)
    return padded


# A loop over graphs that calls scipy takes as long for 2,000 graphs of QM9 and a trained model, and
# a tenth of the time for 64 graphs and an untrained one, see benchmarks/matchers.py. One call of
# scipy's sparse solver for all graphs, as blocks of one matrix, is no way out: its row reduction
# takes steps as small as the differences between costs, seconds for 4 nodes and a step of 1e-7.
def _solve(cost: Floats) -> Ints:
    rows = cost.reshape(-1, cost.shape[2])
    assigned, state = _start(cost)
    while state.graph.size:
        row_of_nearest, at, nearest = _step(state, rows)
        ended = np.flatnonzero(row_of_nearest < 0)  # The nearest column is free.
        if ended.size == 0:
            continue
        _augment(state, ended, at[ended], nearest[ended])
        unassigned = _next_row(state, ended, rows)
        finished = ended[~unassigned]
        if finished.size:
            assigned[state.graph[finished]] = state.column_of[finished]
            state.drop(finished)
    return assigned


@dataclass
class _State:
    """The search for a shortest augmenting path in every graph that is not done yet."""

    graph: Ints  # [K]
    price: Floats  # of the columns, [K, n]
    row_of: Ints  # the row of every column, -1 for a free one, [K, n]
    column_of: Ints  # the column of every row, -1 for an unassigned one, [K, n]
    distance: Floats  # of the columns that are not scanned, infinite for the others, [K, n]
    scanned: Floats  # the distance of those that are, infinite for the others, [K, n]
    via: Ints  # the row before every column on the shortest path to it, [K, n]

    def drop(self, finished: Ints) -> None:
        kept = np.ones(self.graph.size, dtype=bool)
        kept[finished] = False
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[kept])


def _start(cost: Floats) -> tuple[Ints, _State]:
    """Every row takes its cheapest column, where it is the first that wants it."""
    num_graphs, size, _ = cost.shape
    price = cost.min(axis=1)
    wanted = (cost - price[:, None]).argmin(axis=2)  # [B, n]
    row_of = np.full((num_graphs, size), -1, dtype=np.int64)
    graphs = np.arange(num_graphs)
    for row in reversed(range(size)):
        row_of[graphs, wanted[:, row]] = row
    got = np.take_along_axis(row_of, wanted, axis=1) == np.arange(size)
    column_of = np.where(got, wanted, -1)
    open_graphs = np.flatnonzero(~got.all(axis=1))
    blank = np.empty((open_graphs.size, size))
    state = _State(
        open_graphs,
        price[open_graphs],
        row_of[open_graphs],
        column_of[open_graphs],
        blank,
        blank.copy(),
        np.empty(blank.shape, dtype=np.int64),
    )
    _next_row(state, np.arange(open_graphs.size), cost.reshape(-1, size))
    return column_of, state


def _next_row(state: _State, which: Ints, rows: Floats) -> npt.NDArray[np.bool_]:
    """Begin a search at the first unassigned row of some graphs; whether there was one."""
    size = state.price.shape[1]
    unassigned = state.column_of[which] < 0
    first = unassigned.argmax(axis=1)
    state.distance[which] = rows[state.graph[which] * size + first] - state.price[which]
    state.scanned[which] = np.inf
    state.via[which] = first[:, None]
    return unassigned[np.arange(which.size), first]


def _step(state: _State, rows: Floats) -> tuple[Ints, Ints, Floats]:
    """Scan the nearest column of every graph: its row (or -1), the column and its distance."""
    size = state.price.shape[1]
    nearest = state.distance.min(axis=1)
    # Of columns that are equally near a free one comes first: it ends the search.
    score = (state.distance == nearest[:, None]) * (2 - (state.row_of >= 0))
    at = score.argmax(axis=1)
    flat = np.arange(at.size) * size + at
    row = state.row_of.ravel()[flat]
    state.scanned.ravel()[flat] = nearest
    state.distance.ravel()[flat] = np.inf
    # Where the row is -1, what follows is overwritten when the next search begins.
    through = rows[state.graph * size + row]  # [K, n]
    offset = nearest - through.ravel()[flat] + state.price.ravel()[flat]
    through -= state.price
    through += offset[:, None]
    shorter = (through < state.distance) & np.isinf(state.scanned)
    np.copyto(state.distance, through, where=shorter)
    np.copyto(state.via, row[:, None], where=shorter)
    return row, at, nearest


def _augment(state: _State, ended: Ints, column: Ints, distance: Floats) -> None:
    """Assign along the shortest paths to free columns, and update the prices."""
    state.price[ended] += np.minimum(state.scanned[ended] - distance[:, None], 0.0)
    while ended.size:
        row = state.via[ended, column]
        state.row_of[ended, column] = row
        left = state.column_of[ended, row]
        state.column_of[ended, row] = column
        goes_on = left >= 0
        ended, column = ended[goes_on], left[goes_on]
