"""From the arrays of all graphs to the two parts that an InMemoryDataset holds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import cumsum
from tqdm.auto import tqdm

from pyg_topn.datasets._cached_dataset import Collated
from pyg_topn.datasets._parse import ParsedSmiles
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils.canonical import canonical_order
from pyg_topn.utils.elements import ELEMENTS


def collate_molecules(
    parsed: ParsedSmiles,
    vocabulary: MoleculeVocabulary,
    index: Tensor,
    y: Tensor | None,
    progress: bool,
) -> Collated:
    """Build what :meth:`InMemoryDataset.collate` gives for the same graphs, without a loop.

    Args:
        parsed: Graphs whose atoms and bonds are in the vocabulary.
        vocabulary: Atom and bond types.
        index: The attribute :obj:`idx` of every graph, [B].
        y: Properties, [B, K].
        progress: Show a progress bar for the canonical orders.

    Returns:
        The data and the slices; no slices for a single graph, as PyG has it.
    """
    atom_type = _column_of(vocabulary.atomic_numbers, len(ELEMENTS))[parsed.atomic_number]
    bond_type = _column_of(vocabulary.bond_orders, 4)[parsed.bond_order]
    order = _canonical_index(parsed, atom_type, bond_type, progress)
    graphs = torch.arange(len(parsed.smiles) + 1)
    nodes = cumsum(torch.from_numpy(parsed.num_nodes))
    edges = cumsum(torch.from_numpy(parsed.num_edges))
    fields = {
        "x": (torch.eye(len(vocabulary.atoms))[atom_type], nodes),
        "edge_index": (torch.from_numpy(parsed.edge_index), edges),
        "edge_attr": (torch.eye(len(vocabulary.bonds))[bond_type], edges),
        "y": (y, graphs),
        "smiles": (parsed.smiles, graphs),
        "canonical_index": (torch.from_numpy(order), nodes),
        "idx": (index, graphs),
    }
    fields = {key: field for key, field in fields.items() if field[0] is not None}
    data = Data(**{key: value for key, (value, _) in fields.items()})
    if len(parsed.smiles) == 1:
        data.smiles = parsed.smiles[0]
        return data, None
    return data, {key: slices for key, (_, slices) in fields.items()}


def _column_of(keys: tuple[float, ...], size: int) -> np.ndarray:
    table = np.full(size, -1, dtype=np.int64)
    table[np.array(keys, dtype=np.int64)] = np.arange(len(keys))
    return table


def _canonical_index(
    parsed: ParsedSmiles, atom_type: np.ndarray, bond_type: np.ndarray, progress: bool
) -> np.ndarray:
    """The canonical orders, in parts, as there may be millions of graphs. [N]"""
    num_graphs, part = len(parsed.smiles), 16384
    node_ptr = np.concatenate([[0], parsed.num_nodes.cumsum()])
    edge_ptr = np.concatenate([[0], parsed.num_edges.cumsum()])
    orders = [np.zeros(0, dtype=np.int64)]
    with tqdm(total=num_graphs, unit="mol", desc="Canonical orders", disable=not progress) as bar:
        for first in range(0, num_graphs, part):
            last = min(first + part, num_graphs)
            nodes = slice(node_ptr[first], node_ptr[last])
            edges = slice(edge_ptr[first], edge_ptr[last])
            offset = np.repeat(node_ptr[first:last], parsed.num_edges[first:last]) - nodes.start
            sizes = parsed.num_nodes[first:last]
            edge_index = parsed.edge_index[:, edges] + offset
            orders.append(canonical_order(edge_index, sizes, atom_type[nodes], bond_type[edges]))
            bar.update(last - first)
    return np.concatenate(orders)


def collate_sets(
    num_points: Tensor, point_attrs: dict[str, Tensor], set_attrs: dict[str, Tensor] | None = None
) -> Collated:
    """Build what :meth:`InMemoryDataset.collate` gives for the same sets, without a loop.

    Args:
        num_points: The size of every set, [B].
        point_attrs: Tensors with a row a point, [N, *].
        set_attrs: Tensors with a row a set, [B, *].

    Returns:
        The data and the slices; no slices for a single set, as PyG has it.
    """
    set_attrs = set_attrs or {}
    data = Data(**point_attrs, **set_attrs)
    if num_points.numel() == 1:
        return data, None
    points, sets = cumsum(num_points), torch.arange(num_points.numel() + 1)
    return data, {**dict.fromkeys(point_attrs, points), **dict.fromkeys(set_attrs, sets)}
