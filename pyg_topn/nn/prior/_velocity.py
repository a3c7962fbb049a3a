"""The velocity of a flow between vectors."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyg_topn.nn.encoder.condition_encoder import ConditionEncoder

FREQUENCIES = 16


class Velocity(nn.Module):
    """A residual perceptron, every block of which is scaled and shifted by time and size."""

    frequencies: Tensor

    def __init__(
        self,
        channels: int,
        max_num_nodes: int,
        hidden_channels: int,
        num_layers: int,
        cond_channels: int = 0,
    ) -> None:
        super().__init__()
        condition = 64
        frequencies = torch.exp(torch.linspace(0, math.log(100), FREQUENCIES))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.size_embedding = nn.Embedding(max_num_nodes + 1, condition)
        self.condition = nn.Linear(condition + 2 * FREQUENCIES, condition)
        self.asked = ConditionEncoder(cond_channels, condition) if cond_channels else None
        self.in_lin = nn.Linear(channels, hidden_channels)
        self.blocks = nn.ModuleList(_Block(hidden_channels, condition) for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_channels)
        self.out_lin = nn.Linear(hidden_channels, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew; at first nothing moves."""
        for module in (self.size_embedding, self.condition, self.in_lin, *self.blocks, self.norm):
            module.reset_parameters()
        if self.asked is not None:
            self.asked.reset_parameters()
        nn.init.zeros_(self.out_lin.weight)
        nn.init.zeros_(self.out_lin.bias)

    def forward(
        self, z: Tensor, time: Tensor, num_nodes: Tensor, cond: Tensor | None = None
    ) -> Tensor:
        """[B, L] at times [B], sizes [B] and conditions [B, K] -> [B, L]."""
        angle = time.unsqueeze(1) * self.frequencies
        parts = [self.size_embedding(num_nodes), angle.sin(), angle.cos()]
        condition = self.condition(torch.cat(parts, dim=1))  # [B, 64]
        if self.asked is not None and cond is not None:
            condition = condition + self.asked(cond)
        condition = F.silu(condition)
        h = self.in_lin(z)
        for block in self.blocks:
            h = block(h, condition)
        return torch.as_tensor(self.out_lin(self.norm(h)))


class _Block(nn.Module):
    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.film = nn.Linear(condition, 3 * channels)
        self.first = nn.Linear(channels, channels)
        self.second = nn.Linear(channels, channels)

    def reset_parameters(self) -> None:
        self.first.reset_parameters()
        self.second.reset_parameters()
        nn.init.zeros_(self.film.weight)  # The gate is shut: a block starts as the identity.
        nn.init.zeros_(self.film.bias)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        scale, shift, gate = self.film(condition).chunk(3, dim=1)
        inner = torch.addcmul(shift, self.norm(h), 1 + scale)
        return torch.addcmul(h, gate, self.second(F.silu(self.first(inner))))
