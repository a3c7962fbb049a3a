"""The pairs of slots that a decoder must not leave out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses.matching.base import Matcher


def target_pairs(target: Batch, matcher: Matcher) -> Tensor:
    r"""Return the edges of a target as pairs of slots, for a decoder that decides only some pairs:
    the loss needs their logits.

    Args:
        target: The target, in the format of the datasets.
        matcher: How it is aligned with the prediction. The pairs must be known before there is a
            prediction, so only ``"canonical"`` and ``"none"`` will do.

    Returns:
        The pairs, :math:`[2, E]`, in both directions, for ``pairs`` of
        :meth:`~pyg_topn.models.GraphVAE.forward`.

    Raises:
        ValueError: If the matcher looks at the prediction.

    Example:
        >>> from pyg_topn.losses.matching import CanonicalMatcher
        >>> from pyg_topn.utils import build_batch
        >>> nodes = {"x": torch.ones(3, 1), "canonical_index": torch.tensor([2, 0, 1])}
        >>> target = build_batch(torch.tensor([3]), nodes, torch.tensor([[0, 2], [2, 0]]))
        >>> target_pairs(target, CanonicalMatcher())
        tensor([[1, 0],
                [0, 1]])
    """
    node = matcher.target_order(target)
    slots = torch.arange(node.numel(), device=node.device)
    # Zeros, not what the memory held, where an order that cannot be checked misses a node.
    return torch.zeros_like(node).index_copy(0, node, slots)[target.edge_index]
