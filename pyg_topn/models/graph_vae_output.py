"""What a forward pass of the graph VAE gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian


@dataclass(frozen=True)
class GraphVAEOutput:
    r"""What a forward pass of :class:`GraphVAE` gives, and its losses take.

    Args:
        distribution: The decoded distribution over graphs.
        posterior: The posterior over latent vectors.
        z: The latent vectors that were decoded, :math:`[B, L]`.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> distribution = GraphDistribution(torch.randn(5, 4), torch.randn(4, 4), layout)
        >>> posterior = DiagonalGaussian(torch.zeros(2, 8), torch.zeros(2, 8))
        >>> output = GraphVAEOutput(distribution, posterior, posterior.rsample())
        >>> output.z.shape, output.distribution.num_graphs
        (torch.Size([2, 8]), 2)
    """

    distribution: GraphDistribution
    posterior: DiagonalGaussian
    z: Tensor
