"""A normalising flow of affine couplings as prior."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.nn.prior.base import Prior
from pyg_topn.utils.precision import full_precision


class CouplingFlowPrior(Prior):
    r"""A normalising flow of affine couplings (`Dinh et al., 2017
    <https://arxiv.org/abs/1605.08803>`_), conditional on the size of the graph, and trained
    together with encoder and decoder: it takes the place of :math:`p(\mathbf{z})` in the
    divergence.

    Every layer scales and shifts one half of the channels by what a perceptron reads from the
    other half and the size. Halves swap roles from one layer to the next, and a fixed permutation
    before every other layer mixes them, so that two layers move every channel. At first no layer
    changes anything, so the prior starts as :math:`\mathcal{N}(0, \mathbf{I})`.

    Args:
        latent_channels: The size of a latent vector, :math:`L`, at least 2.
        max_num_nodes: The largest graph.
        hidden_channels: The width of the perceptrons.
        num_layers: The number of couplings; a single one leaves half of the channels normal.

    Raises:
        ValueError: If a number is too small.

    Shapes:
        - **input:** :math:`[B]` sizes
        - **output:** :math:`[B, L]` latent vectors

    Example:
        >>> prior = CouplingFlowPrior(8, max_num_nodes=9)
        >>> sizes = torch.tensor([3, 9])
        >>> prior.log_prob(prior.sample(sizes), sizes).shape
        torch.Size([2])
    """

    permutations: Tensor

    def __init__(
        self,
        latent_channels: int,
        max_num_nodes: int,
        hidden_channels: int = 128,
        num_layers: int = 8,
    ) -> None:
        super().__init__(latent_channels, max_num_nodes)
        if latent_channels < 2:
            raise ValueError(f"Expected 'latent_channels' to be at least 2 (got {latent_channels})")
        for name, value in (("hidden_channels", hidden_channels), ("num_layers", num_layers)):
            if value < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
        self.num_layers = num_layers
        kept = latent_channels // 2
        self.size_embedding = nn.Embedding(max_num_nodes + 1, hidden_channels)
        self.mlps = nn.ModuleList(
            MLP(
                [kept + hidden_channels, hidden_channels, 2 * (latent_channels - kept)],
                norm=None,
                act="silu",
            )
            for _ in range(num_layers)
        )
        self.register_buffer("permutations", _permutations(latent_channels, num_layers))
        self.reset_parameters()

    @property
    def label(self) -> str:
        """See :attr:`Prior.label`."""
        return f"coupling flow, {self.num_layers} layers"

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.size_embedding.reset_parameters()
        for mlp in self.mlps:
            assert isinstance(mlp, MLP)
            mlp.reset_parameters()
            nn.init.zeros_(mlp.lins[-1].weight)
            nn.init.zeros_(mlp.lins[-1].bias)

    def _coupling(self, layer: int, kept: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale, bounded so that no layer can explode, and shift."""
        # Never in bfloat16: a density multiplies what every layer rounds.
        with full_precision(kept.device):
            moves = self.mlps[layer](torch.cat([kept.to(size.dtype), size], dim=1))
        scale, shift = moves.chunk(2, dim=1)
        return 2 * torch.tanh(scale / 2), shift

    def draw(self, noise: Tensor, num_nodes: Tensor, cond: Tensor | None = None) -> Tensor:
        """See :meth:`Prior.draw`."""
        size, z = self.size_embedding(num_nodes), noise
        for layer in reversed(range(self.num_layers)):
            kept, moved = z.tensor_split([self.latent_channels // 2], dim=1)
            scale, shift = self._coupling(layer, kept, size)
            z = torch.cat([kept, moved * scale.exp() + shift], dim=1)
            z = z[:, self.permutations[layer].argsort()]
        return z

    def log_density(self, z: Tensor, num_nodes: Tensor) -> Tensor:
        """See :meth:`Prior.log_density`."""
        size, log_det = self.size_embedding(num_nodes), z.new_zeros(z.size(0))
        for layer in range(self.num_layers):
            z = z[:, self.permutations[layer]]
            kept, moved = z.tensor_split([self.latent_channels // 2], dim=1)
            scale, shift = self._coupling(layer, kept, size)
            z = torch.cat([kept, (moved - shift) * (-scale).exp()], dim=1)
            log_det = log_det - scale.sum(dim=1)
        return log_det - 0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.latent_channels}, "
            f"max_num_nodes={self.max_num_nodes}, num_layers={self.num_layers})"
        )


def _permutations(channels: int, num_layers: int) -> Tensor:
    """The order of the channels before every layer, [num_layers, channels]."""
    # Of a seed of its own: a saved flow needs the same, and no one else's draws change.
    generator = torch.Generator().manual_seed(0)
    swap = torch.arange(channels).roll(-(channels // 2))  # Those that were kept go last.
    return torch.stack(
        [
            swap if layer % 2 else torch.randperm(channels, generator=generator)
            for layer in range(num_layers)
        ]
    )
