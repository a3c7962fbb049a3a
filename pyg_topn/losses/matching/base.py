"""The contract of every graph matcher."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.nn.decoder.graph_distribution import GraphDistribution


class Matcher(nn.Module, ABC):
    r"""Base class of the matchers, which align the nodes of a target with the predicted slots.

    The result must not depend on the order in which the nodes of the target are given, up to
    automorphisms of the target: then the reconstruction loss satisfies
    :math:`l(\pi . X, \hat{X}) = l(X, \hat{X})` (condition 2 of lemma 1 in the `Top-n paper
    <https://arxiv.org/abs/2110.02096>`_). A variant implements :meth:`match`.
    """

    @abstractmethod
    def match(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        r"""Return the node of the target for every predicted slot, :math:`[N]`."""

    def target_order(self, target: Batch) -> Tensor:
        r"""Return the node of the target for every slot, :math:`[N]`, whatever is predicted.

        Raises:
            ValueError: If the matcher looks at the prediction.
        """
        raise ValueError(
            "Expected a matcher that does not look at the prediction, 'canonical' or 'none', where "
            f"not all pairs are decoded (got {self})"
        )

    @torch.no_grad()
    def forward(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        r"""Align the nodes of a target with the predicted slots.

        Args:
            distribution: The prediction.
            target: The target, in the format of the datasets, with the same sizes.

        Returns:
            The node of the target for every predicted slot, :math:`[N]`, numbered through the
            batch.

        Raises:
            ValueError: If the graphs of prediction and target differ in number or size.
        """
        sizes, expected = target.ptr.diff(), distribution.layout.num_nodes
        if sizes.numel() != expected.numel() or target.x.size(0) != distribution.batch.numel():
            raise ValueError(
                f"Expected a target of {expected.numel()} graphs and {distribution.batch.numel()} "
                f"nodes (got {sizes.numel()} graphs and {target.x.size(0)} nodes)"
            )
        if sizes.is_cpu and not torch.equal(sizes, expected):
            raise ValueError("Expected prediction and target of the same sizes (got others)")
        return self.match(distribution, target)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}()"
