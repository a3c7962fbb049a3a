"""From tensors of a batch of graphs to small arrays, and to molecules."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.utils.optional import require

GraphLists = tuple[list[int], list[int], list[int], list[int]]


@dataclass(frozen=True, eq=False)
class GraphArrays:
    """Types of atoms and bonds of B graphs, in integers no wider than needed.

    Args:
        num_nodes: [B].
        num_bonds: [B].
        atom_type: [N], ordered by graph.
        begin: The smaller end of every bond, numbered within its graph, [E], ordered by graph.
        end: The larger end, [E].
        bond_type: [E].
    """

    num_nodes: np.ndarray
    num_bonds: np.ndarray
    atom_type: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    bond_type: np.ndarray

    @classmethod
    def from_batch(cls, batch: Batch | Data, num_atoms: int, num_bonds: int) -> GraphArrays:
        """Read a batch, whose edges may come in any order.

        Raises:
            ValueError: If :obj:`x` or :obj:`edge_attr` have not as many columns as there are types.
        """
        edge_attr = batch.edge_attr
        if edge_attr is None and batch.num_edges == 0:
            edge_attr = torch.zeros(0, num_bonds)
        _check_columns("x", batch.x, num_atoms)
        _check_columns("edge_attr", edge_attr, num_bonds)
        ptr = _ptr(batch)
        row, col, kind = _bonds(batch.edge_index, edge_attr)
        graph = np.searchsorted(ptr, row, side="right") - 1
        num_nodes, start = np.diff(ptr), ptr[graph]
        index = np.min_scalar_type(int(num_nodes.max(initial=0)))
        bonds = np.bincount(graph, minlength=num_nodes.size)
        return cls(
            num_nodes.astype(index),
            bonds.astype(np.min_scalar_type(int(bonds.max(initial=0)))),
            batch.x.argmax(1).cpu().numpy().astype(np.uint8),
            (row - start).astype(index),
            (col - start).astype(index),
            kind.astype(np.uint8),
        )

    def __len__(self) -> int:
        return int(self.num_nodes.size)

    def to_request(self) -> dict[str, array[int]]:
        """The same by name, as arrays that a process without NumPy can read."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: array(value.dtype.char, value.tobytes()) for name, value in values.items()}

    def lists(self, which: Iterable[int] | None = None) -> Iterator[GraphLists]:
        """Types of atoms, ends of bonds and types of bonds of every graph, or of some."""
        node = np.concatenate([[0], self.num_nodes.cumsum(dtype=np.int64)]).tolist()
        bond = np.concatenate([[0], self.num_bonds.cumsum(dtype=np.int64)]).tolist()
        for graph in range(len(self)) if which is None else which:
            some = slice(bond[graph], bond[graph + 1])
            yield (
                self.atom_type[node[graph] : node[graph + 1]].tolist(),
                self.begin[some].tolist(),
                self.end[some].tolist(),
                self.bond_type[some].tolist(),
            )


def build_molecules(
    graphs: GraphArrays,
    atoms: Sequence[str],
    bonds: Sequence[str],
    which: Iterable[int] | None = None,
) -> list[Any]:
    """RDKit molecules, not sanitised, of all graphs or of some.

    Raises:
        ImportError: If RDKit is not installed.
    """
    chem = require("rdkit.Chem", extra="chem")
    from pyg_topn.utils._smiles_writer import build

    of_type = [chem.Atom(symbol) for symbol in atoms]
    of_kind = [getattr(chem.BondType, name) for name in bonds]
    return [
        build([of_type[t] for t in types], begin, end, [of_kind[k] for k in kinds]).GetMol()
        for types, begin, end, kinds in graphs.lists(which)
    ]


def _bonds(
    edge_index: torch.Tensor | None, edge_attr: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends i < j, numbered through the batch and sorted by i, and types of all bonds, each [E]."""
    if edge_index is None or edge_index.numel() == 0:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    row, col = edge_index.cpu().numpy()
    once = np.flatnonzero(row < col)
    first = row[once]
    if (first[1:] < first[:-1]).any():  # Rare: batches of this package come sorted.
        once = once[np.argsort(first, kind="stable")]
    return row[once], col[once], edge_attr.argmax(1).cpu().numpy()[once]


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
