"""What a forward pass of the set VAE gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.nn.encoder.gaussian import DiagonalGaussian


@dataclass(frozen=True)
class SetVAEOutput:
    r"""What a forward pass of :class:`SetVAE` gives, and its loss takes.

    Args:
        prediction: The decoded sets, a batch with :obj:`pos` :math:`[N, C]`.
        posterior: The posterior over latent vectors.
        z: The latent vectors that were decoded, :math:`[B, L]`.

    Example:
        >>> import torch
        >>> from pyg_topn.utils import build_batch
        >>> sets = build_batch(torch.tensor([2, 3]), {"pos": torch.randn(5, 3)})
        >>> posterior = DiagonalGaussian(torch.zeros(2, 8), torch.zeros(2, 8))
        >>> output = SetVAEOutput(sets, posterior, posterior.rsample())
        >>> output.z.shape, output.prediction.num_graphs
        (torch.Size([2, 8]), 2)
    """

    prediction: Batch
    posterior: DiagonalGaussian
    z: Tensor
