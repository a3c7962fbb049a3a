"""The matching of the paper: nodes sorted by a score of their type and neighbours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_topn.losses.matching.base import Matcher
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.canonical import batch_canonical_index


def atom_score(node_type: Tensor, edge_index: Tensor, edge_type: Tensor) -> Tensor:
    r"""Return the score of every node (D.3 of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_):

    .. math::
        s(i) = 10^5 \, \text{atom-type}(i) + 10^4 \, \text{num-edges}(i)
            + \sum_{j \in \mathcal{N}(i)} \text{edge-type}(i, j) \cdot \text{atom-type}(j)

    Types count from 1 (edge type 1 is a single bond, atom type 1 the first of the vocabulary), so
    that every neighbour leaves a trace in the sum.

    Args:
        node_type: The type of every node, :math:`[N]`, counted from 0.
        edge_index: The edges in both directions, :math:`[2, E]`.
        edge_type: The type of every edge, :math:`[E]`, counted from 0.

    Returns:
        The scores, :math:`[N]`, ``torch.int64``.

    Example:
        Ethanol, C-C-O, with the vocabulary C N O F:

        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> atom_score(torch.tensor([0, 0, 2]), edge_index, torch.zeros(4, dtype=torch.int64))
        tensor([110001, 120004, 310001])
    """
    source, destination = edge_index
    neighbour = (edge_type + 1) * (node_type + 1)[source]
    per_edge = 10**4 + neighbour
    total = scatter(per_edge, destination, dim_size=node_type.numel(), reduce="sum")
    return 10**5 * (node_type + 1) + total


class AtomScoreMatcher(Matcher):
    r"""The matching of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.3): the nodes of
    the target and of the predicted graph are sorted by :func:`atom_score`, and equal ranks are
    compared.

    The score of the prediction is taken of its mode. It leaves ties; they are broken by the slot
    in the prediction, and in the target by its canonical order, so that the result does not
    depend on the order in which the nodes of the target are given.

    Example:
        >>> AtomScoreMatcher()
        AtomScoreMatcher()
    """

    def match(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        """See :meth:`Matcher.match`."""
        layout = distribution.layout
        canonical = batch_canonical_index(target)
        score = atom_score(
            target.x.argmax(dim=-1), target.edge_index, target.edge_attr.argmax(dim=-1)
        )
        slot_score = _predicted_score(distribution)
        # Stable sorts keep the order of slots, and of the canonical order, among equal scores.
        by_slot = _rank(slot_score, layout.batch)
        by_node = canonical[_rank(score[canonical], layout.batch)]
        return torch.empty_like(by_node).index_copy(0, by_slot, by_node)


def _predicted_score(distribution: GraphDistribution) -> Tensor:
    """Score the mode over all pairs, so that the number of edges need not be known."""
    node_type = distribution.node_logits.argmax(dim=-1)
    pair_type = distribution.pair_logits.argmax(dim=-1)  # 0 is "no edge"
    i, j = distribution.pair_index
    has_edge = 10**4 * (pair_type > 0)
    score = 10**5 * (node_type + 1)
    score = score.index_add(0, i, has_edge + pair_type * (node_type + 1)[j])
    return score.index_add(0, j, has_edge + pair_type * (node_type + 1)[i])


def _rank(score: Tensor, batch: Tensor) -> Tensor:
    """Sort by graph, then by score, stably."""
    by_score = score.argsort(stable=True)
    return by_score[batch[by_score].argsort(stable=True)]
