"""Ragged tensors, canonical orders and small things that every stage uses."""

from pyg_topn.utils.assignment import batched_linear_assignment
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pieces import connected_pieces
from pyg_topn.utils.ragged import (
    batch_vector,
    build_batch,
    check_num_nodes,
    num_pairs,
    pair_index,
    undirected,
)
from pyg_topn.utils.transport import batched_transport_plan, transport_plan

__all__ = [
    "Layout",
    "batch_vector",
    "batched_linear_assignment",
    "batched_transport_plan",
    "build_batch",
    "check_num_nodes",
    "connected_pieces",
    "num_pairs",
    "pair_index",
    "transport_plan",
    "undirected",
]
