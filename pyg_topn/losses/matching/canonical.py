"""Matching by a canonical order of the target."""

from __future__ import annotations

from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses.matching.base import Matcher
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.canonical import batch_canonical_index


class CanonicalMatcher(Matcher):
    r"""Slot :math:`k` is compared with the node at position :math:`k` of a canonical order of the
    target: a depth-first order, equal for isomorphic graphs.

    The order is read from :obj:`canonical_index`, which the datasets of this package and the
    transform :class:`~pyg_topn.transforms.CanonicalOrder` store, so that matching costs nothing.
    Without it, it is computed for every batch. Since slots and positions correspond once and for
    all, it goes well with creation layers whose rows have an identity, and with an encoder that
    knows positions.

    Example:
        >>> CanonicalMatcher()
        CanonicalMatcher()
    """

    def match(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        """See :meth:`Matcher.match`."""
        return self.target_order(target)

    def target_order(self, target: Batch) -> Tensor:
        """See :meth:`Matcher.target_order`."""
        return batch_canonical_index(target)
