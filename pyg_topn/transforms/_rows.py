"""Rows of nodes and edges of a graph or a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data


def known_num_nodes(data: Data) -> int | None:
    """The number of nodes, unless only edges could hint at it, which miss isolated nodes."""
    named = any(isinstance(getattr(data, key, None), Tensor) for key in ("x", "pos", "batch"))
    return int(data.num_nodes) if named or "num_nodes" in data else None


def put_rows(
    data: Data, key: str, value: Tensor, of_edges: bool = False, ids: bool = False
) -> None:
    """Store a row a node, or a row an edge, so that a batch still splits into its graphs: those
    that hold ids of nodes count through the batch."""
    data[key] = value
    if isinstance(data, Batch) and hasattr(data, "_slice_dict"):
        slices = data._slice_dict["edge_index"] if of_edges else data.ptr.cpu()
        first = data.ptr.cpu()[:-1]
        # New dictionaries: a shallow copy of a batch shares them with the original.
        data._slice_dict = {**data._slice_dict, key: slices}
        data._inc_dict = {**data._inc_dict, key: first if ids else torch.zeros_like(first)}
