"""Transformer encoder: from sets of points to a posterior over latent vectors."""

from __future__ import annotations

import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.nn import MLP

from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.encoder.pna_readout import PNAReadout
from pyg_topn.nn.update.set_transformer import SetTransformer
from pyg_topn.utils._points import read_points
from pyg_topn.utils.precision import at_least_float32


class SetEncoder(nn.Module):
    r"""The set encoder of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.2): a 2-layer
    perceptron on every point, transformer layers within every set, pooling with sum, mean, maximum
    and standard deviation, and a 2-layer perceptron that gives a normal posterior.

    It is permutation invariant (condition 2 of lemma 1), and sets of all sizes go through in one
    pass. Other than in the paper, whose layers are separated by batch normalisation, a set is
    encoded the same whatever else is in the batch: the layers are those of
    :class:`~pyg_topn.nn.update.SetTransformer`, with layer normalisation.

    Args:
        in_channels: The number of coordinates of a point, :math:`C`.
        latent_channels: The size of a latent vector, :math:`L`.
        hidden_channels: The width of the transformer.
        num_layers: The number of transformer layers.
        heads: The number of attention heads.

    Shapes:
        - **input:** a batch with :obj:`pos` :math:`[N, C]`, or :obj:`x` where there is no
          :obj:`pos`
        - **output:** a :class:`DiagonalGaussian` of :math:`[B, L]`

    Example:
        >>> from pyg_topn.utils import build_batch
        >>> batch = build_batch(torch.tensor([2, 5]), {"pos": torch.randn(7, 3)})
        >>> SetEncoder(3, latent_channels=8)(batch).mean.shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        in_channels: int,
        latent_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 3,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.latent_channels = latent_channels
        width = 2 * hidden_channels
        self.point_mlp = MLP([in_channels, width, hidden_channels], norm=None)
        self.update = SetTransformer(hidden_channels, num_layers, heads)
        # The linear layer of the readout is the first of the two that follow the pooling.
        self.readout = PNAReadout(hidden_channels, width)
        self.out_lin = nn.Linear(width, 2 * latent_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in (self.point_mlp, self.update, self.readout, self.out_lin):
            module.reset_parameters()
        with torch.no_grad():
            # A posterior that starts narrow lets the decoder learn to read z first.
            self.out_lin.bias[self.latent_channels :].fill_(-4.0)

    def forward(self, batch: Batch) -> DiagonalGaussian:
        r"""Return the posterior over the latent vector of every set.

        Args:
            batch: The sets.

        Raises:
            ValueError: If points are missing or have another number of coordinates or another
                type, a set is empty, or ``ptr`` does not fit; and, on the CPU, if a point is not
                finite.
        """
        weight = self.point_mlp.lins[0].weight
        x, layout = read_points(batch, "batch", self.in_channels, weight)
        h = self.update(self.point_mlp(x), layout)
        statistics = self.readout(h, batch)  # [B, D]
        read = at_least_float32(self.out_lin(torch.relu(statistics)))
        mean, log_variance = read.chunk(2, dim=-1)
        return DiagonalGaussian(mean, log_variance.clamp(-20, 10))
