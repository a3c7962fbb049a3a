"""Ragged tensors, canonical orders and small things that every stage uses."""

from pyg_topn.utils.allocator import keep_freed_memory
from pyg_topn.utils.assignment import batched_linear_assignment
from pyg_topn.utils.candidates import candidate_layout, random_pairs
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.nearest import nearest_pairs
from pyg_topn.utils.pieces import connected_pieces
from pyg_topn.utils.precision import autocast, has_fast_bfloat16
from pyg_topn.utils.ragged import (
    batch_vector,
    build_batch,
    check_num_nodes,
    num_pairs,
    pair_index,
    undirected,
)
from pyg_topn.utils.relaxed_graphs import RelaxedGraphs
from pyg_topn.utils.sparse_layout import SparseLayout
from pyg_topn.utils.transport import batched_transport_plan, transport_plan
from pyg_topn.utils.wide_layout import WideLayout

__all__ = [
    "Layout",
    "RelaxedGraphs",
    "SparseLayout",
    "WideLayout",
    "autocast",
    "batch_vector",
    "batched_linear_assignment",
    "batched_transport_plan",
    "build_batch",
    "candidate_layout",
    "check_num_nodes",
    "connected_pieces",
    "has_fast_bfloat16",
    "keep_freed_memory",
    "nearest_pairs",
    "num_pairs",
    "pair_index",
    "random_pairs",
    "transport_plan",
    "undirected",
]
