"""Draws from a distribution over graphs through which a gradient flows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.utils.relaxed_graphs import RelaxedGraphs


def perturb(
    distribution: GraphDistribution,
    generator: torch.Generator | None = None,
    scale: float = 1.0,
) -> GraphDistribution:
    r"""Add Gumbel noise to the logits: the most likely graphs of the result are then a draw from
    the distribution that was given, and their logits have a gradient.

    Args:
        distribution: The distribution over graphs.
        generator: Where to draw from.
        scale: What the noise is multiplied by; it is a draw at this temperature.

    Raises:
        ValueError: If the scale is negative.

    Example:
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
        >>> distribution = GraphDistribution(torch.zeros(2, 4), torch.zeros(1, 4), layout)
        >>> perturb(distribution).mode().num_nodes
        2
    """
    if not scale >= 0:
        raise ValueError(f"Expected 'scale' to be at least 0 (got {scale})")
    return GraphDistribution(
        distribution.node_logits + scale * _gumbel(distribution.node_logits, generator),
        distribution.pair_logits + scale * _gumbel(distribution.pair_logits, generator),
        distribution.layout,
    )


def relax(
    distribution: GraphDistribution, temperature: float = 1.0, hard: bool = True
) -> RelaxedGraphs:
    r"""Turn logits into weights of types, :math:`\mathrm{softmax}(\mathbf{l} / \tau)`. After
    :func:`perturb` that is the Gumbel-softmax of `Jang et al., 2017
    <https://arxiv.org/abs/1611.01144>`_.

    Args:
        distribution: The distribution over graphs.
        temperature: What the logits are divided by, :math:`\tau`.
        hard: Whether the weights are one-hot, those of the most likely graphs, and only their
            gradient is that of the softmax (straight-through). A critic then cannot tell generated
            graphs from true ones by how sharp they are.

    Raises:
        ValueError: If the temperature is not positive, or the distribution leaves out pairs.

    Example:
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
        >>> logits = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
        >>> distribution = GraphDistribution(torch.zeros(2, 4), logits, layout)
        >>> relax(distribution).pairs, relax(distribution, hard=False).pairs
        (tensor([[0., 1., 0., 0.]]), tensor([[0.1749, 0.4754, 0.1749, 0.1749]]))
    """
    if not temperature > 0:
        raise ValueError(f"Expected 'temperature' to be positive (got {temperature})")
    nodes = (distribution.node_logits / temperature).softmax(dim=-1)
    pairs = (distribution.pair_logits / temperature).softmax(dim=-1)
    if hard:
        nodes, pairs = _straight_through(nodes), _straight_through(pairs)
    return RelaxedGraphs(nodes, pairs, distribution.layout)


def _gumbel(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    clock = torch.empty_like(logits).exponential_(generator=generator)
    return -clock.clamp(min=torch.finfo(clock.dtype).tiny).log()


def _straight_through(soft: Tensor) -> Tensor:
    hard = F.one_hot(soft.argmax(dim=-1), soft.size(1)).to(soft.dtype)
    # In this order, so that the sum is exactly one-hot: soft - soft is 0.
    return hard + (soft - soft.detach())
