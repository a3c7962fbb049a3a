"""Exact canonical node orders of batches of labelled graphs, in array operations only."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_topn.utils._canonical_rank import adjacency_code, canonical_rank
from pyg_topn.utils._components import ptr, ragged_arange, split_components
from pyg_topn.utils._graph_checks import check_arrays, check_simple
from pyg_topn.utils._refinement import Ints, NeighborTable
from pyg_topn.utils._traversal import depth_first


def canonical_order(edge_index: Ints, num_nodes: Ints, node_label: Ints, edge_label: Ints) -> Ints:
    r"""Order the nodes of every graph of a batch such that isomorphic graphs become equal.

    Two labelled graphs are isomorphic if and only if they are equal once their nodes stand in this
    order, whatever order they came in. The nodes are ranked by individualisation and refinement
    (`McKay and Piperno <https://arxiv.org/abs/1301.1493>`_): Weisfeiler-Lehman refinement, and a
    search over the nodes that it cannot tell apart. A depth-first traversal then brings bonded
    nodes next to each other: it starts at a node with one neighbour, along the edge with the
    largest label, and follows the longest paths first, so that the backbone of a molecule comes
    first and its short branches last. Components come by size, the largest first.

    Everything runs over all graphs together and in chunks of bounded size. The order of a graph
    does not depend on the rest of the batch. Trees and twins (nodes with the same neighbours) need
    no search; for these, and nowhere else, equal hashes of 50 bits or more are taken for equal
    neighbourhoods.

    Args:
        edge_index: Edges of all graphs in both directions, with nodes counted through the batch,
            :math:`[2, E]`.
        num_nodes: The number of nodes of every graph, :math:`[B]`.
        node_label: The label of every node, any integers, :math:`[N]`.
        edge_label: The label of every edge, any integers, :math:`[E]`.

    Returns:
        For every graph the local id of the node at each canonical position, concatenated,
        :math:`[N]`.

    Raises:
        TypeError: If an argument is not an array of integers.
        ValueError: If the shapes do not match, if a graph is not undirected and simple, or if one
            is so symmetric that the search would not end soon.

    Example:
        C-C=O and O=C-C:

        >>> path = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> size = np.array([3])
        >>> canonical_order(path, size, np.array([6, 6, 8]), np.array([1, 1, 2, 2]))
        array([2, 1, 0])
        >>> canonical_order(path, size, np.array([8, 6, 6]), np.array([2, 2, 1, 1]))
        array([0, 1, 2])
    """
    check_arrays(edge_index, num_nodes, node_label, edge_label)
    edge_index, num_nodes = edge_index.astype(np.int64), num_nodes.astype(np.int64)
    check_simple(edge_index, edge_label, np.repeat(np.arange(num_nodes.size), num_nodes))
    if node_label.size == 0:
        return np.zeros(0, dtype=np.int64)
    parts = split_components(edge_index, num_nodes, node_label, edge_label)
    rank, order = np.empty_like(parts.node), np.empty_like(parts.node)
    for nodes, table, label in parts.chunks():
        rank[nodes], order[nodes] = _rank_and_order(table, label)
    sequence = parts.order(rank)
    start = np.repeat(ptr(parts.size)[sequence], parts.size[sequence])
    place = order[start + ragged_arange(parts.size[sequence])] + start
    return parts.node[place] - np.repeat(ptr(num_nodes)[:-1], num_nodes)


def _rank_and_order(table: NeighborTable, node_label: Ints) -> tuple[Ints, Ints]:
    """The rank of every node and the node at every position, padding left out."""
    graph = np.arange(table.size.size)
    rank = canonical_rank(table, node_label)
    node = np.argsort(rank, axis=1)  # by rank
    order = depth_first(
        adjacency_code(table, graph, rank),
        np.take_along_axis(node_label, node, axis=1),
        table.size,
        table.num_labels,
    )
    real = ~table.padding(graph)
    return rank[real], np.take_along_axis(node, order, axis=1)[real]


def batch_canonical_index(batch: Data) -> Tensor:
    r"""Return the nodes of a batch in canonical order, graph after graph.

    Args:
        batch: A batch of undirected graphs, or one graph. Labels are :obj:`x` and
            :obj:`edge_attr`, one-hot rows or integers; where one is missing, all labels are equal.
            If it holds a :obj:`canonical_index`, see
            :class:`~pyg_topn.transforms.CanonicalOrder`, nothing is computed; what is on the CPU
            is checked.

    Returns:
        Ids that count through the batch, on its device, :math:`[N]`.

    Raises:
        ValueError: If a :obj:`canonical_index` does not list the nodes of every graph once, if
            there are no edges given, if labels are neither one-hot nor integers, if the
            nodes of a graph do not stand together, or as in :func:`canonical_order`.

    Example:
        >>> from torch_geometric.data import Batch
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> graphs = [Data(torch.tensor(x), edge_index) for x in ([6, 8], [8, 6])]
        >>> batch_canonical_index(Batch.from_data_list(graphs))
        tensor([1, 0, 2, 3])
    """
    if "canonical_index" in batch:
        return _checked(batch.canonical_index, batch)
    if batch.edge_index is None:
        raise ValueError("Expected a graph with 'edge_index' (got none)")
    num_nodes = _num_nodes(batch)
    local = canonical_order(
        batch.edge_index.cpu().numpy(),
        num_nodes,
        _labels("x", batch.x, int(num_nodes.sum())),
        _labels("edge_attr", batch.edge_attr, batch.edge_index.size(1)),
    )
    index = local + np.repeat(ptr(num_nodes)[:-1], num_nodes)
    return torch.from_numpy(index).to(batch.edge_index.device)


def _checked(index: Tensor, batch: Data) -> Tensor:
    """A stored order. To look at it elsewhere than on the CPU would be to wait for the device."""
    if not index.is_cpu or torch.compiler.is_compiling():
        return index
    nodes = index if batch.batch is None else batch.batch
    once = torch.equal(index.sort().values, torch.arange(nodes.numel()))
    if not once or (batch.batch is not None and not torch.equal(nodes[index], nodes)):
        raise ValueError(
            "Expected 'canonical_index' to list the nodes of every graph once, graph after graph "
            f"(got {index[:10].tolist()} ...)"
        )
    return index


def _num_nodes(batch: Data) -> Ints:
    if "ptr" in batch:
        return batch.ptr.diff().cpu().numpy()
    if batch.batch is None:
        return np.array([batch.num_nodes], dtype=np.int64)
    if (batch.batch.diff() < 0).any():
        raise ValueError("Expected the nodes of a graph to stand together (got unsorted 'batch')")
    return batch.batch.bincount().cpu().numpy()


def _labels(name: str, value: Tensor | None, size: int) -> Ints:
    if value is None:
        return np.zeros(size, dtype=np.int64)
    array = value.detach().cpu().numpy()
    if array.ndim == 2 and array.shape[1] > 1:
        if not ((array == 0) | (array == 1)).all() or (array.sum(axis=1) != 1).any():
            raise ValueError(f"Expected one-hot rows or integers in '{name}' (got other rows)")
        array = array.argmax(axis=1)
    array = array.reshape(-1)
    if array.size != size:
        raise ValueError(f"Expected one label for each of {size} in '{name}' (got {array.size})")
    if not np.isfinite(array).all() or (array != np.floor(array)).any():
        raise ValueError(f"Expected one-hot rows or integers in '{name}' (got other numbers)")
    return array.astype(np.int64)
