"""Matching by linear assignment, improved against the true likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses.matching.base import Matcher
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.assignment import batched_linear_assignment
from pyg_topn.utils.canonical import batch_canonical_index
from pyg_topn.utils.few_classes import log_softmax_of_few
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.precision import at_least_float32

# By the likelihood of QM9 after two rounds, under trained and noisy predictions. An exchange gains
# more than an assignment, and costs less; an assignment leads away from where no exchange helps.
_STEPS = 3  # how far a walk goes that the first assignment compares
_DAMPING = 0.25  # of every further step: a molecule has about twice as many walks a step
_WEIGHT = 2.0  # nats a squared difference of walks
_EXCHANGES = 2  # of each round
_IMPOSSIBLE = -1e4  # log-likelihood of what has the probability zero, so that sums are finite


class HungarianMatcher(Matcher):
    r"""Search for the alignment :math:`\pi` under which the target is most likely, with the
    Hungarian method (`Kuhn <https://doi.org/10.1002/nav.3800020109>`_):

    .. math::
        \min_\pi \; - \sum_k \log p_k(x_{\pi(k)})
            - \frac{1}{2} \sum_{k \ne l} \log q_{kl}(e_{\pi(k) \pi(l)})

    with the predicted types :math:`p_k` of slot :math:`k` and :math:`q_{kl}` of the pair of slots,
    and the types :math:`x`, :math:`e` of the target. The pairs make this a quadratic assignment
    problem, which is hard. It is approached in rounds:

    1. A linear assignment of slots to nodes by the log-likelihood of the node's type and the
       squared distance between the expected numbers of walks that leave the slot, by the types
       along them, and the true ones of the node. Walks of one step are the edges of each type, by
       the type of the neighbour. Nothing here depends on an alignment. The result, or the canonical
       order of the target if that is more likely, is the start.
    2. In each of :obj:`num_rounds` rounds, a linear assignment where giving slot :math:`k` the node
       of slot :math:`m` costs what it would if the two were exchanged. Terms of pairs are halved:
       they are seen from both ends, and with one half the present alignment costs its negative
       log-likelihood. Then the best exchange of two nodes in every graph, twice.

    Whatever is found is kept only if the target becomes more likely. So no round makes it less
    likely, and it is never less likely than in the canonical order.

    Nodes of the target are numbered by its canonical order throughout, so ties do not depend on the
    order in which they are given. Everything runs over all graphs together; assignments are solved
    on the CPU, see :func:`~pyg_topn.utils.assignment.batched_linear_assignment`.

    Args:
        num_rounds: The number of rounds after the first assignment.

    Raises:
        ValueError: If :obj:`num_rounds` is negative.

    Example:
        >>> HungarianMatcher()
        HungarianMatcher(num_rounds=2)
    """

    def __init__(self, num_rounds: int = 2) -> None:
        super().__init__()
        if num_rounds < 0:
            raise ValueError(f"Expected 'num_rounds' to be at least 0 (got {num_rounds})")
        self.num_rounds = num_rounds

    def match(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        """See :meth:`Matcher.match`.

        Raises:
            ValueError: If the distribution has logits of some pairs only.
        """
        layout = distribution.layout
        if layout.is_restricted:
            raise ValueError(
                "Expected logits of all pairs for this matcher (got those of nearest neighbours); "
                "'canonical' and 'none' work with them"
            )
        canonical = batch_canonical_index(target)
        if canonical.numel() == 0:
            return canonical
        with torch.autocast(layout.device.type, enabled=False):
            node = self._search(_Problem.of(distribution, target, canonical))
        return canonical[layout.unpad(node) + layout.ptr[layout.batch]]

    def _search(self, problem: _Problem) -> Tensor:
        """The node of every slot, by canonical positions, [B, n]."""
        best = _Alignment.of(problem, problem.first_assignment())
        in_order = torch.arange(best.node.size(1), device=best.node.device)
        best = best.or_better(_Alignment.of(problem, in_order.expand_as(best.node)))
        for _ in range(self.num_rounds):
            best = best.or_better(best.reassigned())
            for _ in range(_EXCHANGES):
                best = best.or_better(best.exchanged())
        return best.node

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(num_rounds={self.num_rounds})"


@dataclass(frozen=True, eq=False)
class _Problem:
    """Prediction and target, padded; nodes of the target by their canonical position."""

    layout: Layout
    node_logp: Tensor  # [N, A]
    pair_logp: Tensor  # [P, 1 + T]
    node_type: Tensor  # one-hot, [B, n, A]
    edge_type: Tensor  # one-hot, "no edge" first, [B, n, n, 1 + T]; zeros on the diagonal
    node_cost: Tensor  # minus the log-likelihood of node v at slot k, [B, n, n]
    pair_cost: Tensor  # minus the log-likelihood of the types of a pair, [B, n, n, 1 + T]

    @classmethod
    def of(cls, distribution: GraphDistribution, target: Batch, canonical: Tensor) -> _Problem:
        layout, size = distribution.layout, distribution.layout.max_num_nodes
        node_logp, pair_logp = _logp(distribution.node_logits), _logp(distribution.pair_logits)
        types = F.one_hot(target.x.argmax(dim=-1)[canonical], node_logp.size(1))
        node_type = layout.pad(types.to(node_logp.dtype))
        # Zeros, not what the memory held, where an order that cannot be checked misses a node.
        place = torch.zeros_like(canonical).index_copy(0, canonical, layout.local_index)
        source, destination = target.edge_index
        flat = (layout.batch[source] * size + place[source]) * size + place[destination]
        kind = target.edge_attr.argmax(dim=-1) + 1
        edge_type = torch.zeros(layout.num_graphs * size**2, dtype=torch.int64, device=flat.device)
        edge_type = edge_type.index_copy(0, flat, kind).view(-1, size, size)
        others = 1 - torch.eye(size, dtype=node_logp.dtype, device=flat.device)
        one_hot = F.one_hot(edge_type, pair_logp.size(1)) * others.unsqueeze(-1)
        node_cost = -layout.pad(node_logp) @ node_type.mT
        pair_cost = -_square(pair_logp, layout)
        return cls(layout, node_logp, pair_logp, node_type, one_hot, node_cost, pair_cost)

    def first_assignment(self) -> Tensor:
        """The node of every slot by node types and walks, [B, n]."""
        pair = _square(self.pair_logp[:, 1:].exp(), self.layout)
        slots = _walks(self.layout.pad(self.node_logp.exp()), pair)
        nodes = _walks(self.node_type, self.edge_type[..., 1:])
        square = slots.square().sum(-1).unsqueeze(2) + nodes.square().sum(-1).unsqueeze(1)
        distance = square - 2 * slots @ nodes.mT  # [B, n, n]
        cost = self.node_cost + _WEIGHT * distance
        return batched_linear_assignment(cost, self.layout.num_nodes)


@dataclass(frozen=True, eq=False)
class _Alignment:
    """Which node each slot has, and what it would cost to exchange the nodes of two slots."""

    problem: _Problem
    node: Tensor  # of every slot, [B, n]
    node_cost: Tensor  # of slot k with the node of slot m, [B, n, n]
    pair_cost: Tensor  # of all pairs that slot k is part of, if k and m exchange nodes, [B, n, n]

    @classmethod
    def of(cls, problem: _Problem, node: Tensor) -> _Alignment:
        num_graphs, size = node.shape
        node_cost = problem.node_cost.gather(2, node.unsqueeze(1).expand(-1, size, -1))
        row = node + size * torch.arange(num_graphs, device=node.device).unsqueeze(1)
        flat = size * row.unsqueeze(2) + node.unsqueeze(1)  # [B, n, n]
        # Whole rows of a matrix: four times as fast as three indices.
        aligned = problem.edge_type.flatten(0, 2).index_select(0, flat.flatten())
        aligned = aligned.view_as(problem.edge_type)  # [B, n, n, 1 + T]
        pair_cost = problem.pair_cost.flatten(2) @ aligned.flatten(2).mT
        # The edge between k and m stays where it is if they exchange their nodes.
        between = (problem.pair_cost * aligned).sum(dim=-1)
        return cls(problem, node, node_cost, pair_cost + between)

    def nll(self) -> Tensor:
        """The negative log-likelihood of every graph, [B]."""
        return (self.node_cost + self.pair_cost / 2).diagonal(dim1=1, dim2=2).sum(dim=-1)

    def reassigned(self) -> _Alignment:
        """What a linear assignment makes of it."""
        cost = self.node_cost + self.pair_cost / 2
        slot = batched_linear_assignment(cost, self.problem.layout.num_nodes)
        return self.of(self.problem, self.node.gather(1, slot))

    def exchanged(self) -> _Alignment:
        """After the exchange of two nodes that gains most."""
        mask = self.problem.layout.mask
        cost = self.node_cost + self.pair_cost
        now = cost.diagonal(dim1=1, dim2=2)
        change = cost + cost.mT - now.unsqueeze(2) - now.unsqueeze(1)
        change = change.masked_fill(~(mask.unsqueeze(2) & mask.unsqueeze(1)), torch.inf)
        best = change.flatten(1).argmin(dim=1, keepdim=True)  # [B, 1]
        slots = torch.cat([best // mask.size(1), best % mask.size(1)], dim=1)  # [B, 2]
        return self.of(
            self.problem, self.node.scatter(1, slots, self.node.gather(1, slots.flip(1)))
        )

    def or_better(self, other: _Alignment) -> _Alignment:
        """This or another one, whichever is more likely, for every graph."""
        better = (other.nll() < self.nll()).view(-1, 1)
        wide = better.unsqueeze(2)
        return _Alignment(
            self.problem,
            torch.where(better, other.node, self.node),
            torch.where(wide, other.node_cost, self.node_cost),
            torch.where(wide, other.pair_cost, self.pair_cost),
        )


def _logp(logits: Tensor) -> Tensor:
    return log_softmax_of_few(at_least_float32(logits)).clamp(min=_IMPOSSIBLE)


def _square(pairs: Tensor, layout: Layout) -> Tensor:
    """Rows of unordered pairs in both places of padded matrices, zeros elsewhere: [B, n, n, C]."""
    size = layout.max_num_nodes
    i, j = layout.local_index[layout.pair_index]
    first = layout.pair_batch * size**2
    flat = pairs.new_zeros(layout.num_graphs * size**2, pairs.size(1))
    flat = flat.index_copy(0, first + i * size + j, pairs)
    return flat.index_copy(0, first + j * size + i, pairs).view(-1, size, size, pairs.size(1))


def _walks(node: Tensor, edge: Tensor) -> Tensor:
    """The numbers of walks from every node by the types along them, damped by their length.

    Types of nodes [B, n, A] and edges [B, n, n, T], or their probabilities.
    """
    num_graphs, size, _, num_types = edge.shape
    step = edge.transpose(2, 3).reshape(num_graphs, size * num_types, size)  # [B, n T, n]
    walks = []
    for _ in range(_STEPS):
        walks.append((step @ node).view(num_graphs, size, -1))  # [B, n, T ... T A]
        node = _DAMPING * walks[-1]
    return torch.cat(walks, dim=-1)
