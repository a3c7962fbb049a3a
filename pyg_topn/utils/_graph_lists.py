"""From tensors of a batch of graphs to Python lists of every graph, for building molecules."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch_geometric.data import Batch, Data

GraphLists = tuple[list[int], list[tuple[int, int, int]]]


def graph_lists(batch: Batch | Data, num_atoms: int, num_bonds: int) -> list[GraphLists]:
    """The atom types [n] and the bonds (i < j, local, type) of every graph, as Python lists.

    Raises:
        ValueError: If :obj:`x` or :obj:`edge_attr` have not as many columns as there are types.
    """
    edge_attr = batch.edge_attr
    if edge_attr is None and batch.num_edges == 0:
        edge_attr = torch.zeros(0, num_bonds)
    _check_columns("x", batch.x, num_atoms)
    _check_columns("edge_attr", edge_attr, num_bonds)
    ptr = _ptr(batch)
    if batch.num_edges == 0:
        row = col = kind = np.zeros(0, dtype=np.int64)
    else:
        row, col = batch.edge_index.cpu().numpy()
        once = np.flatnonzero(row < col)
        once = once[np.argsort(row[once], kind="stable")]
        row, col, kind = row[once], col[once], edge_attr.argmax(1).cpu().numpy()[once]
    start = ptr[np.searchsorted(ptr, row, side="right") - 1]
    bonds = list(zip((row - start).tolist(), (col - start).tolist(), kind.tolist(), strict=True))
    types = batch.x.argmax(1).tolist()
    spans = zip(pairwise(ptr.tolist()), pairwise(np.searchsorted(row, ptr).tolist()), strict=True)
    return [(types[a:b], bonds[c:d]) for (a, b), (c, d) in spans]


def _check_columns(name: str, value: torch.Tensor | None, columns: int) -> None:
    if value is None or value.dim() != 2 or value.size(1) != columns:
        shape = None if value is None else tuple(value.shape)
        raise ValueError(f"Expected '{name}' to have {columns} columns (got shape {shape})")


def _ptr(batch: Batch | Data) -> np.ndarray:
    """The first node of every graph, and one past the last, [B + 1]."""
    if "ptr" in batch:
        return batch.ptr.cpu().numpy()
    if batch.batch is not None:
        return np.concatenate([[0], np.bincount(batch.batch.cpu().numpy()).cumsum()])
    return np.array([0, batch.num_nodes])
