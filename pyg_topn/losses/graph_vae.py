"""The loss of the graph VAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_topn.losses._terms import check_weights, divergence_term
from pyg_topn.losses.matching.base import Matcher
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.utils.few_classes import log_softmax_of_few, softmax_of_few
from pyg_topn.utils.pairs import message_sum

TERMS = (
    "node",
    "edge",
    "edge_type",
    "formula",
    "edge_count",
    "edge_type_share",
    "valency",
    "kl",
)


class GraphVAELoss(nn.Module):
    r"""The loss of the graph VAE of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.3):
    the target is aligned with the prediction by a matcher, and terms that do and do not depend on
    the alignment are added up.

    ====================  =======================================================================
    term                  meaning
    ====================  =======================================================================
    ``node``              cross entropy of node types, nats a graph
    ``edge``              cross entropy of edge presence over all unordered pairs, nats a graph
    ``edge_type``         cross entropy of the types of the true edges, nats a graph
    ``formula``           squared error of the expected number of nodes of each type
    ``edge_count``        squared error of the expected number of edges a node
    ``edge_type_share``   squared error of the expected share of each edge type
    ``valency``           squared error of the expected valency of each node
    ``kl``                divergence of the posterior from the prior, nats a graph
    ====================  =======================================================================

    With weights of one for the cross entropies and the divergence, and zero for all else, the sum
    is the negative evidence lower bound of the aligned target.

    Where the decoder decides only some pairs, see
    :class:`~pyg_topn.nn.decoder.NeighborEmbedding`, decode with ``pairs=target_pairs(target,
    matcher)``. Then ``edge`` is an unbiased estimate of the sum over all pairs: candidates count as
    they are, and each pair drawn at random counts for as many as it stands for
    (:attr:`~pyg_topn.utils.Layout.sample_weight`). The counts are those of the candidates.

    Args:
        matcher: Which node of the target a slot is compared with.
        edge_orders: The order of every edge type, :math:`T` numbers.
        weights: The weight of every term; a term left out has weight 1.

    Raises:
        ValueError: If a weight is negative or names no term.

    Example:
        >>> from pyg_topn.losses.matching import AtomScoreMatcher
        >>> loss = GraphVAELoss(AtomScoreMatcher(), edge_orders=(1, 2, 3), weights={"kl": 0.3})
        >>> loss
        GraphVAELoss(AtomScoreMatcher(), weights={'kl': 0.3})
    """

    edge_orders: Tensor

    def __init__(
        self,
        matcher: Matcher,
        edge_orders: Sequence[float],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.weights = dict(weights or {})
        check_weights(self.weights, TERMS)
        self.matcher = matcher
        self.register_buffer("edge_orders", torch.tensor(edge_orders, dtype=torch.float32))

    def forward(
        self,
        distribution: GraphDistribution,
        target: Batch,
        posterior: DiagonalGaussian | None = None,
        divergence: Tensor | None = None,
    ) -> dict[str, Tensor]:
        r"""Return every term by name, unweighted, and their weighted sum as ``"loss"``.

        Args:
            distribution: The prediction.
            target: The target, in the format of the datasets.
            posterior: The posterior over latent vectors; without it there is no term ``"kl"``.
            divergence: Its divergence from the prior, :math:`[B]`, where that is another than
                :math:`\mathcal{N}(0, \mathbf{I})`: see :meth:`Prior.divergence`.

        Raises:
            ValueError: If the graphs of prediction and target differ in number or size.
        """
        perm = self.matcher(distribution, target)
        node_type = target.x.argmax(dim=-1)[perm]  # [N], by slot
        pair_type = aligned_pair_type(distribution, target, perm)  # [P]
        terms = _cross_entropies(distribution, node_type, pair_type)
        terms.update(self._counts(distribution, node_type, pair_type))
        terms.update(divergence_term(posterior, divergence))
        terms["loss"] = torch.stack([self.weights.get(k, 1.0) * v for k, v in terms.items()]).sum()
        return terms

    def _counts(
        self, distribution: GraphDistribution, node_type: Tensor, pair_type: Tensor
    ) -> dict[str, Tensor]:
        layout = distribution.layout
        num_graphs = max(layout.num_graphs, 1)
        sizes = layout.ptr.diff().unsqueeze(1)  # [B, 1]
        classes = distribution.pair_logits.size(1)
        # Expected minus true, so that every count below is one sum of errors.
        pair_error = softmax_of_few(distribution.pair_logits)[:, 1:]
        true_pairs = F.one_hot(pair_type, classes)[:, 1:].to(pair_error.dtype)  # [P, T]
        node_error = softmax_of_few(distribution.node_logits)
        node_error = node_error - F.one_hot(node_type, node_error.size(1))  # [N, A]
        formula = scatter(node_error, layout.batch, dim_size=layout.num_graphs)  # [B, A]
        both = torch.cat([pair_error, true_pairs], dim=1)
        if layout.sample_weight is not None:
            both = both * (layout.sample_weight == 0).unsqueeze(1)
        counts = scatter(both, layout.pair_batch, dim_size=layout.num_graphs)  # [B, 2T]
        expected, true = counts.chunk(2, dim=1)
        num_edges = (expected - true).sum(dim=1, keepdim=True) / sizes
        share = expected / expected.sum(1, keepdim=True).clamp(min=1e-6)
        share = share - true / true.sum(1, keepdim=True).clamp(min=1e-6)
        order_error = (pair_error - true_pairs) @ self.edge_orders.to(pair_error.dtype)[:, None]
        valency = message_sum(order_error, layout)
        return {
            "formula": formula.square().sum() / (num_graphs * formula.size(1)),
            "edge_count": num_edges.square().sum() / num_graphs,
            "edge_type_share": share.square().sum() / (num_graphs * share.size(1)),
            "valency": valency.square().sum() / max(valency.numel(), 1),
        }

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.matcher}, weights={self.weights})"


def aligned_pair_type(distribution: GraphDistribution, target: Batch, perm: Tensor) -> Tensor:
    r"""Return the edge type of the target for every pair of slots, :math:`[P]`.

    Args:
        distribution: The prediction, whose pairs of slots are meant.
        target: The target.
        perm: The node of the target for every slot, :math:`[N]`.

    Returns:
        Types counted from 1; 0 is "no edge".

    Raises:
        ValueError: If an edge of the target has no logit, since not all pairs were decoded.
    """
    layout = distribution.layout
    slots = torch.arange(perm.numel(), device=perm.device)
    # Zeros, not what the memory held, where an order that cannot be checked misses a node.
    slot_of_node = torch.zeros_like(perm).index_copy(0, perm, slots)
    i, j = slot_of_node[target.edge_index]
    edge_type = target.edge_attr.argmax(dim=-1) + 1
    pair_type = torch.zeros(layout.pair_index.size(1), dtype=torch.int64, device=perm.device)
    pair = layout.pair_id(i, j)
    if layout.is_restricted and bool((pair < 0).any()):
        raise ValueError(
            "Expected a logit for every edge of the target (got none for "
            f"{int((pair < 0).sum()) // 2} edges): decode with pairs=target_pairs(target, matcher)"
        )
    # Both directions of an edge write the same value to the same pair.
    return pair_type.index_copy(0, pair, edge_type)


def _cross_entropies(
    distribution: GraphDistribution, node_type: Tensor, pair_type: Tensor
) -> dict[str, Tensor]:
    num_graphs = max(distribution.num_graphs, 1)
    logp = log_softmax_of_few(distribution.pair_logits)  # [P, 1 + T]
    any_edge = logp[:, 1:].logsumexp(dim=-1)
    presence = torch.where(pair_type > 0, any_edge, logp[:, 0])
    total = logp.gather(1, pair_type.unsqueeze(1)).squeeze(1)
    weight = distribution.layout.sample_weight
    if weight is not None:
        weight = torch.where(weight > 0, weight, 1.0)
        presence, total = presence * weight, total * weight
    presence, total = presence.sum(), total.sum()
    node_logp = log_softmax_of_few(distribution.node_logits)  # [N, A]
    return {
        "node": F.nll_loss(node_logp, node_type, reduction="sum") / num_graphs,
        "edge": -presence / num_graphs,
        "edge_type": (presence - total) / num_graphs,
    }
