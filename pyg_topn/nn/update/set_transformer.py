"""Transformer layers that refine the created points of every set."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.utils.layout import Layout


class SetTransformer(nn.Module):
    r"""Transformer layers over the points of every set, conditioned on the latent vector (D.3 of
    the `Top-n paper <https://arxiv.org/abs/2110.02096>`_; `Vaswani et al., 2017
    <https://arxiv.org/abs/1706.03762>`_).

    Points attend to the points of their own set only. The layers are pre-norm, and the latent
    vector scales and shifts every normalised input (FiLM). The map is permutation equivariant.

    Args:
        channels: The size of a point, :math:`C`.
        num_layers: The number of layers.
        heads: The number of attention heads.
        latent_channels: The size of the latent vector, :math:`L`; :obj:`None` to leave it out.
        expansion: The hidden width of the perceptrons, in units of :obj:`channels`.

    Shapes:
        - **input:** :math:`[N, C]` points, their :class:`Layout`, :math:`[B, L]` latent vectors
        - **output:** :math:`[N, C]` points

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> update = SetTransformer(16, num_layers=2, heads=4, latent_channels=8)
        >>> update(torch.randn(5, 16), layout, torch.randn(2, 8)).shape
        torch.Size([5, 16])
    """

    def __init__(
        self,
        channels: int,
        num_layers: int = 3,
        heads: int = 4,
        latent_channels: int | None = None,
        expansion: int = 2,
    ) -> None:
        super().__init__()
        if channels % heads != 0:
            raise ValueError(
                f"Expected 'channels' to be a multiple of 'heads' (got {channels} and {heads})"
            )
        self.channels, self.heads, self.num_layers = channels, heads, num_layers
        self.latent_channels = latent_channels
        self.qkv = nn.ModuleList(nn.Linear(channels, 3 * channels) for _ in range(num_layers))
        self.out = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_layers))
        self.mlps = nn.ModuleList(
            MLP([channels, expansion * channels, channels], norm=None, act_kwargs={"inplace": True})
            for _ in range(num_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2 * num_layers))
        self.film = (
            None
            if latent_channels is None
            else nn.Linear(latent_channels, 4 * num_layers * channels)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in (*self.qkv, *self.out, *self.mlps, *self.norms):
            module.reset_parameters()
        if self.film is not None:
            nn.init.normal_(self.film.weight, std=self.film.in_features**-0.5)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, layout: Layout, z: Tensor | None = None) -> Tensor:
        r"""Refine the points of every set.

        Args:
            x: The points, :math:`[N, C]`.
            layout: Which points belong to which set.
            z: The latent vectors, :math:`[B, L]`, where the module was built to see them.

        Raises:
            ValueError: If :obj:`z` is given or missing against how the module was built.
        """
        if (z is None) != (self.film is None):
            expected = "a latent vector" if self.film is not None else "no latent vector"
            raise ValueError(f"Expected {expected} (got {'none' if z is None else 'one'})")
        if x.numel() == 0:
            return x
        film = self._film(z)
        mask = None if layout.is_uniform else layout.mask[:, None, None, :]  # [B, 1, 1, n]
        h = layout.pad(x)  # [N, C] -> [B, n, C]
        for layer in range(self.num_layers):
            h = h + self._attend(layer, self._modulate(2 * layer, h, film), mask)
            h = h + self.mlps[layer](self._modulate(2 * layer + 1, h, film))
        return layout.unpad(h)

    def _film(self, z: Tensor | None) -> tuple[Tensor, ...] | None:
        """What multiplies each normalised input and what is added to it, in turn, [B, 1, C]."""
        if z is None or self.film is None:
            return None
        film = self.film(z).unflatten(1, (2 * self.num_layers, 2, 1, self.channels))
        scale, shift = film.unbind(2)  # [B, 2 L, 1, C]
        # The weights of a norm go along: that costs B rows instead of the N it would cost later.
        weight = torch.stack([torch.as_tensor(norm.weight) for norm in self.norms]).unsqueeze(
            1
        )  # [2 L, 1, C]
        bias = torch.stack([torch.as_tensor(norm.bias) for norm in self.norms]).unsqueeze(1)
        factor = 1 + scale
        both = torch.stack([weight * factor, bias * factor + shift], dim=2)
        return both.flatten(1, 2).unbind(1)

    def _modulate(self, index: int, h: Tensor, film: tuple[Tensor, ...] | None) -> Tensor:
        if film is None:
            return torch.as_tensor(self.norms[index](h))
        h = F.layer_norm(h, (self.channels,))
        # Not addcmul: its gradient takes two passes more.
        return h * film[2 * index] + film[2 * index + 1]

    def _attend(self, layer: int, h: Tensor, mask: Tensor | None) -> Tensor:
        shape = (h.size(0), h.size(1), 3, self.heads, self.channels // self.heads)
        qkv: Tensor = self.qkv[layer](h).view(shape).permute(2, 0, 3, 1, 4)  # [3, B, H, n, C / H]
        h = _attention(qkv, mask)
        merged = h.transpose(1, 2).flatten(2)  # [B, n, C]
        return torch.as_tensor(self.out[layer](merged))


def _attention(qkv: Tensor, mask: Tensor | None) -> Tensor:
    """Queries, keys and values, [3, B, H, n, C / H], to what is attended to, [B, H, n, C / H]."""
    if not qkv.is_cpu or qkv.dtype != torch.bfloat16:
        q, k, v = qkv
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    # The kernel of the CPU takes more than twice as long for bfloat16, and autocast asks for it.
    with torch.autocast("cpu", enabled=False):
        q, k, v = qkv.float()
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).to(qkv.dtype)
