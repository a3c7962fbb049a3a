"""Between and around given graphs: interpolation and neighbourhoods in the latent space."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.models import GraphVAE
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import RectifiedFlowPrior
from pyg_topn.utils.layout import Layout

__all__ = ["interpolate", "neighborhood"]


@torch.no_grad()
def interpolate(model: GraphVAE, graphs: Batch, num_steps: int = 8) -> Batch:
    r"""Walk from one graph to another along the straight line between their latent vectors.

    Args:
        model: The model.
        graphs: Two graphs, in the format of the datasets.
        num_steps: How many graphs to decode, the reconstructions of both among them. Sizes change
            evenly on the way.

    Returns:
        A batch of :obj:`num_steps` graphs.

    Raises:
        TypeError: If the model is another one.
        ValueError: If there are not two graphs, or fewer than two steps.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3])
        >>> interpolate(vae, vae.sample(2), num_steps=5).num_graphs
        5
    """
    posterior, num_nodes = _posterior(model, graphs, 2)
    if num_steps < 2:
        raise ValueError(f"Expected 'num_steps' to be at least 2 (got {num_steps})")
    share = torch.linspace(0, 1, num_steps)
    sizes = torch.lerp(num_nodes[0].float(), num_nodes[1].float(), share).round().long()
    share = share.to(posterior.mean.device).unsqueeze(1)
    z = torch.lerp(posterior.mean[:1], posterior.mean[1:], share)
    return model.sample(num_steps, sizes, z=z)


@torch.no_grad()
def neighborhood(
    model: GraphVAE,
    graph: Batch,
    num_graphs: int = 16,
    radius: float = 0.3,
    generator: torch.Generator | None = None,
) -> Batch:
    r"""Decode latent vectors around that of a graph.

    Args:
        model: The model.
        graph: One graph, as a batch in the format of the datasets.
        num_graphs: How many neighbours, :math:`B`.
        radius: The standard deviation of the noise that is added to the latent vector, in units
            of the standard deviation of every channel over the data (as far as the prior knows
            it: that of a rectified flow does, others are taken to be near 1).
        generator: Where the noise is drawn from.

    Returns:
        A batch of :math:`B` graphs of the same size.

    Raises:
        TypeError: If the model is another one.
        ValueError: If there is not one graph, or a number is out of range.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3])
        >>> neighborhood(vae, vae.sample(1), num_graphs=5).num_graphs
        5
    """
    posterior, num_nodes = _posterior(model, graph, 1)
    if num_graphs < 1:
        raise ValueError(f"Expected 'num_graphs' to be at least 1 (got {num_graphs})")
    if not 0 <= radius < math.inf:
        raise ValueError(f"Expected 'radius' to be at least 0 and finite (got {radius})")
    noise = torch.randn(num_graphs, model.latent_channels, generator=generator)
    z = posterior.mean + radius * _spread(model) * noise.to(posterior.mean.device)
    return model.sample(num_graphs, num_nodes.expand(num_graphs), z=z)


def _posterior(model: GraphVAE, graphs: Batch, expected: int) -> tuple[DiagonalGaussian, Tensor]:
    """The posterior of graphs, and their sizes; checks how many there are."""
    if not isinstance(model, GraphVAE):
        raise TypeError(f"Expected 'model' to be a GraphVAE (got {type(model).__name__})")
    num_nodes = Layout.from_batch(graphs).num_nodes
    if num_nodes.numel() != expected:
        raise ValueError(f"Expected a batch of {expected} graphs (got {num_nodes.numel()})")
    return model.encode(graphs), num_nodes


def _spread(model: GraphVAE) -> Tensor:
    prior = model.prior
    return prior.std if isinstance(prior, RectifiedFlowPrior) else torch.ones(1)
