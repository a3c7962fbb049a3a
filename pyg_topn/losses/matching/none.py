"""No matching at all, for ablation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses.matching.base import Matcher
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution


class NoneMatcher(Matcher):
    r"""No matching: slot :math:`k` is compared with the :math:`k`-th node as given.

    For ablation. The loss then depends on the order of the nodes in the data, so lemma 1 of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_ does not hold.

    Example:
        >>> NoneMatcher()
        NoneMatcher()
    """

    def match(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        """See :meth:`Matcher.match`."""
        return self.target_order(target)

    def target_order(self, target: Batch) -> Tensor:
        """See :meth:`Matcher.target_order`."""
        return torch.arange(target.x.size(0), device=target.x.device)
