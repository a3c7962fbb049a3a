"""Ragged batches: the only place that turns tensors of mixed-size graphs into a PyG batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum


def check_num_nodes(num_nodes: Tensor, max_num_nodes: int | None = None) -> None:
    r"""Check a vector of graph sizes.

    Args:
        num_nodes: The number of nodes of every graph, :math:`[B]`, ``torch.int64``.
        max_num_nodes: The largest size allowed; :obj:`None` for no bound.

    Raises:
        TypeError: If :obj:`num_nodes` is no tensor.
        ValueError: If its type, rank or values are not those of graph sizes. Values are
            looked at only on the CPU: elsewhere the look would wait for the device.

    Example:
        >>> check_num_nodes(torch.tensor([3, 1, 9]), max_num_nodes=9)
    """
    if not isinstance(num_nodes, Tensor):
        raise TypeError(f"Expected 'num_nodes' to be a Tensor (got {type(num_nodes).__name__})")
    if num_nodes.dtype != torch.int64 or num_nodes.dim() != 1:
        raise ValueError(
            "Expected 'num_nodes' to be a vector of dtype torch.int64 "
            f"(got dtype {num_nodes.dtype} and shape {tuple(num_nodes.shape)})"
        )
    if num_nodes.is_cpu and num_nodes.numel() > 0:
        low, high = (int(value) for value in torch.aminmax(num_nodes))
        if low < 1:
            raise ValueError(f"Expected 'num_nodes' to be at least 1 everywhere (got {low})")
        if max_num_nodes is not None and high > max_num_nodes:
            raise ValueError(
                f"Expected 'num_nodes' to be at most {max_num_nodes} everywhere (got {high})"
            )


def batch_vector(num_nodes: Tensor, device: torch.device | None = None) -> Tensor:
    r"""Return the graph of every node, as PyG's :obj:`batch`.

    Args:
        num_nodes: The number of nodes of every graph, :math:`[B]`.
        device: Where the result lies; by default where :obj:`num_nodes` lies.

    Returns:
        The graph of every node, :math:`[N]`, ascending.

    Example:
        >>> batch_vector(torch.tensor([2, 1, 3]))
        tensor([0, 0, 1, 2, 2, 2])
    """
    graphs = torch.arange(num_nodes.numel(), device=num_nodes.device)
    return graphs.repeat_interleave(num_nodes).to(device, non_blocking=True)


def pair_index(num_nodes: Tensor) -> Tensor:
    r"""Return all unordered pairs :math:`i < j` of nodes of the same graph.

    Args:
        num_nodes: The number of nodes of every graph, :math:`[B]`.

    Returns:
        The pairs, :math:`[2, P]` with :math:`P = \sum_g n_g (n_g - 1) / 2`, ordered by graph,
        then by :math:`i`, then by :math:`j`. Nodes are numbered through the batch.

    Example:
        >>> pair_index(torch.tensor([3, 1, 2]))
        tensor([[0, 0, 1, 4],
                [1, 2, 2, 5]])
    """
    batch = batch_vector(num_nodes)
    end = cumsum(num_nodes)[1:][batch]  # [N], one past the last node of the node's graph
    node = torch.arange(batch.numel(), device=batch.device)
    num_later = end - node - 1
    row = node.repeat_interleave(num_later)
    offset = torch.arange(row.numel(), device=row.device) - cumsum(num_later)[row]
    return torch.stack([row, row + 1 + offset])  # [2, P]


def num_pairs(num_nodes: Tensor) -> Tensor:
    r"""Return the number of unordered pairs of every graph, :math:`n (n - 1) / 2`.

    Example:
        >>> num_pairs(torch.tensor([3, 1, 2]))
        tensor([3, 0, 1])
    """
    return num_nodes * (num_nodes - 1) // 2


def undirected(
    pairs: Tensor, num_nodes: int, attrs: Mapping[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Turn unordered pairs into both directions, sorted as PyG's :meth:`coalesce` sorts.

    Args:
        pairs: The pairs, :math:`[2, E]`.
        num_nodes: The number of nodes of the whole batch.
        attrs: Tensors with one row a pair, :math:`[E, *]`.

    Returns:
        The edge index :math:`[2, 2E]`, and the attributes with a row a directed edge.

    Example:
        >>> undirected(torch.tensor([[0, 0], [2, 1]]), 3, {})[0]
        tensor([[0, 0, 1, 2],
                [1, 2, 0, 0]])
    """
    both = torch.cat([pairs, pairs.flip(0)], dim=1)  # [2, 2E]
    order = (both[0] * num_nodes + both[1]).argsort()
    return both[:, order], {key: torch.cat([v, v])[order] for key, v in attrs.items()}


def build_batch(
    num_nodes: Tensor,
    node_attrs: Mapping[str, Tensor] | None = None,
    edge_index: Tensor | None = None,
    edge_attrs: Mapping[str, Tensor] | None = None,
    graph_attrs: Mapping[str, Tensor] | None = None,
) -> Batch:
    r"""Build a :class:`torch_geometric.data.Batch` from tensors, without a loop over graphs.

    The result is what :meth:`Batch.from_data_list` gives for the same graphs, slices and
    increments included, so that indexing, :meth:`to_data_list` and
    :func:`torch_geometric.utils.unbatch` work on it.

    Args:
        num_nodes: The number of nodes of every graph, :math:`[B]`. On the CPU, nothing here
            waits for another device unless there are edges.
        node_attrs: Tensors with a row a node, :math:`[N, *]`, for example :obj:`x`. A name that
            holds ``"index"`` means node numbers through the batch, as in PyG.
        edge_index: The edges, :math:`[2, E]`, numbered through the batch and ordered by graph.
        edge_attrs: Tensors with a row an edge, :math:`[E, *]`.
        graph_attrs: Tensors with a row a graph, :math:`[B, *]`.

    Raises:
        ValueError: If sizes do not fit, or edges are given in the wrong order.

    Example:
        >>> batch = build_batch(torch.tensor([2, 1]), {"x": torch.ones(3, 4)})
        >>> batch[0], len(batch)
        (Data(x=[2, 4]), 2)
    """
    check_num_nodes(num_nodes)
    node_attrs, edge_attrs, graph_attrs = node_attrs or {}, edge_attrs or {}, graph_attrs or {}
    tensors = [*node_attrs.values(), *edge_attrs.values(), *graph_attrs.values()]
    device = tensors[0].device if tensors else num_nodes.device
    sizes = num_nodes.cpu()
    ptr = cumsum(sizes)
    total = int(ptr[-1])
    _check_rows(node_attrs, total, "nodes")
    _check_rows(graph_attrs, sizes.numel(), "graphs")
    batch, slices, incs = Batch(_base_cls=Data), {}, {}
    zeros = torch.zeros_like(sizes)
    for key, value in node_attrs.items():
        batch[key], slices[key], incs[key] = value, ptr, ptr[:-1] if "index" in key else zeros
    batch_of_node = batch_vector(sizes, device)
    if edge_index is not None:
        _check_rows(edge_attrs, edge_index.size(1), "edges")
        edge_ptr = _edge_ptr(edge_index, batch_of_node, sizes.numel())
        batch.edge_index, slices["edge_index"] = edge_index, edge_ptr
        incs["edge_index"] = ptr[:-1]
        for key, value in edge_attrs.items():
            batch[key], slices[key], incs[key] = value, edge_ptr, zeros
    for key, value in graph_attrs.items():
        batch[key], slices[key], incs[key] = value, torch.arange(sizes.numel() + 1), zeros
    if not node_attrs:
        batch._store._num_nodes, batch.num_nodes = sizes.tolist(), total
    batch.batch, batch.ptr = batch_of_node, ptr.to(device, non_blocking=True)
    batch._num_graphs, batch._slice_dict, batch._inc_dict = sizes.numel(), slices, incs
    return batch


def _check_rows(attrs: Mapping[str, Tensor], rows: int, what: str) -> None:
    for key, value in attrs.items():
        if value.dim() == 0 or value.size(0) != rows:
            raise ValueError(
                f"Expected '{key}' to have {rows} rows, one for each of the {what} "
                f"(got shape {tuple(value.shape)})"
            )


def _edge_ptr(edge_index: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    graph = batch[edge_index[0]].cpu()
    if graph.numel() > 1 and bool((graph.diff() < 0).any()):
        raise ValueError("Expected 'edge_index' to be ordered by graph (got another order)")
    return cumsum(torch.bincount(graph, minlength=num_graphs))
