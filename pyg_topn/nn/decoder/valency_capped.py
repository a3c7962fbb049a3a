"""The most likely graphs, corrected such that no node has more than its maximum valency."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.utils import cumsum, lexsort

from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pairs import node_sum
from pyg_topn.utils.pieces import connected_pieces


@torch.no_grad()
def valency_capped_mode(
    distribution: GraphDistribution,
    max_valencies: Sequence[float] | Tensor,
    edge_orders: Sequence[float] | Tensor,
    connect: bool = False,
) -> Batch:
    r"""Return the most likely graphs, corrected greedily such that no node exceeds its valency.

    **This is a correction.** Whatever is measured on its results has to be reported apart from
    what is measured on those of the uncorrected :meth:`GraphDistribution.mode`.

    Nodes take their most likely types. The pairs whose most likely class is an edge are visited
    from the most to the least certain of having one, and each takes the most likely class, "no
    edge" included, that leaves both nodes within the maximum valency of their types. All other
    pairs stay without an edge. A graph without excess valency is exactly that of
    :meth:`GraphDistribution.mode`.

    With :obj:`connect`, graphs in pieces are then joined: as long as there is an edge between two
    pieces for which both nodes have valency left, the one with the largest probability relative to
    "no edge" is added. Graphs for which there is none stay in pieces.

    Args:
        distribution: The decoded graphs.
        max_valencies: The maximum valency of every node type, :math:`A` numbers.
        edge_orders: The order of every edge type, :math:`T` numbers.
        connect: Whether to join the pieces of a graph.

    Returns:
        A batch in the format of :meth:`GraphDistribution.mode`.

    Raises:
        ValueError: If the numbers do not fit the types, or are negative; as values they are looked
            at only on the CPU: elsewhere the look would wait for the device.

    Example:
        Two fluorines that would have a double bond get a single one:

        >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
        >>> pair_logits = torch.tensor([[0.0, 1.0, 2.0, 0.0]])
        >>> distribution = GraphDistribution(torch.eye(4)[[3, 3]], pair_logits, layout)
        >>> valency_capped_mode(distribution, (4, 3, 2, 1), (1, 2, 3)).edge_attr
        tensor([[1., 0., 0.],
                [1., 0., 0.]])
    """
    node_logits, pair_logits = distribution.node_logits, distribution.pair_logits
    limits = _numbers("max_valencies", max_valencies, "node type", node_logits.size(1))
    orders = _numbers("edge_orders", edge_orders, "edge type", pair_logits.size(1) - 1)
    orders = torch.cat([orders.new_zeros(1), orders]).to(pair_logits.device)  # [1 + T]
    node_type = node_logits.argmax(dim=-1)
    limit = limits.to(node_logits.device)[node_type]  # [N]
    pair_type = _capped(pair_logits, limit, orders, distribution.layout)
    if connect:
        pair_type = _joined(pair_logits, pair_type, limit, orders, distribution.layout)
    return distribution.to_batch(node_type, pair_type)


def _numbers(name: str, values: Sequence[float] | Tensor, what: str, num_types: int) -> Tensor:
    numbers = torch.as_tensor(values, dtype=torch.float32)
    if numbers.shape != (num_types,):
        raise ValueError(
            f"Expected '{name}' to hold {num_types} numbers, one for each {what} "
            f"(got shape {tuple(numbers.shape)})"
        )
    if numbers.is_cpu and not bool((numbers >= 0).all()):
        raise ValueError(f"Expected '{name}' to be at least 0 everywhere (got {numbers.tolist()})")
    return numbers


def _capped(pair_logits: Tensor, limit: Tensor, orders: Tensor, layout: Layout) -> Tensor:
    """The class of every pair, [P], within the limits of the nodes, [N]."""
    pair_type = pair_logits.argmax(dim=-1)
    excess = _valency(pair_type, orders, layout) > limit
    # A class that takes the place of the most likely one has a lower order. So a node without
    # excess bounds nothing, and an edge between two such nodes stays as it is.
    room = limit.masked_fill(~excess, math.inf)
    i, j = layout.pair_index
    visited = ((pair_type > 0) & (excess[i] | excess[j])).nonzero().squeeze(1)
    logits = pair_logits[visited]  # [E, 1 + T]
    certainty = logits[:, 1:].logsumexp(dim=-1) - logits[:, 0]
    for step in _by_rank(certainty, layout.pair_batch[visited]):
        pair = visited[step]  # at most one a graph
        ends = layout.pair_index[:, pair]  # [2, G]
        fits = orders <= room[ends].amin(dim=0).unsqueeze(1)  # [G, 1 + T]
        chosen = logits[step].masked_fill(~fits, -math.inf).argmax(dim=-1)
        pair_type[pair] = chosen
        room[ends] -= orders[chosen]
    return pair_type


def _joined(
    pair_logits: Tensor, pair_type: Tensor, limit: Tensor, orders: Tensor, layout: Layout
) -> Tensor:
    """The class of every pair, [P], with edges added between pieces where nodes have room."""
    room = limit - _valency(pair_type, orders, layout)
    piece = connected_pieces(pair_type > 0, layout)
    pair = torch.arange(pair_type.numel(), device=layout.device)
    while True:  # n_max - 1 edges a graph at most: each makes two of its pieces one
        i, j = piece[layout.pair_index[:, pair]]
        pair = pair[i != j]
        i, j = layout.pair_index[:, pair]
        fits = orders <= torch.minimum(room[i], room[j]).unsqueeze(1)  # [E, 1 + T]
        fits[:, 0] = False
        gain = (pair_logits[pair] - pair_logits[pair, :1]).where(fits, -math.inf)
        gain, kind = gain.max(dim=-1)
        # Rooms shrink and pieces merge: what cannot be added now can never be.
        pair, gain, kind = (x[gain > -math.inf] for x in (pair, gain, kind))
        if pair.numel() == 0:
            return pair_type
        best = _by_rank(gain, layout.pair_batch[pair])[0]
        added, ends = pair[best], layout.pair_index[:, pair[best]]  # [G], [2, G]
        pair_type[added] = kind[best]
        room[ends] -= orders[kind[best]]
        name = torch.arange(piece.numel(), device=layout.device)
        name[piece[ends].amax(dim=0)] = piece[ends].amin(dim=0)
        piece = name[piece]


def _valency(pair_type: Tensor, orders: Tensor, layout: Layout) -> Tensor:
    return node_sum(orders[pair_type].unsqueeze(1), layout).squeeze(1)


def _by_rank(value: Tensor, graph: Tensor) -> tuple[Tensor, ...]:
    """The places of the largest value of every graph, then those of the second largest, ...

    Of equal values the first one comes first. :obj:`graph` is ascending.
    """
    order = lexsort([-value, graph])
    first = cumsum(torch.bincount(graph))[graph]
    rank = torch.arange(graph.numel(), device=graph.device) - first
    by_rank = order[rank.argsort(stable=True)]
    return by_rank.split(torch.bincount(rank).tolist())
