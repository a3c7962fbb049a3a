"""Latent vectors with what goes with them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LatentBatch(NamedTuple):
    """Latent vectors, [B, L], sizes, [B], on the CPU, and conditions, [B, K], if there are any."""

    z: Tensor
    num_nodes: Tensor
    cond: Tensor | None

    def take(self, index: Tensor) -> LatentBatch:
        """Those of an index on the CPU."""
        there = index.to(self.z.device, non_blocking=True)
        cond = None if self.cond is None else self.cond[there]
        return LatentBatch(self.z[there], self.num_nodes[index], cond)

    def joined(self, other: LatentBatch | None) -> LatentBatch:
        """These, and then others."""
        if other is None:
            return self
        z, num_nodes = torch.cat([self.z, other.z]), torch.cat([self.num_nodes, other.num_nodes])
        if self.cond is None or other.cond is None:
            return LatentBatch(z, num_nodes, None)
        return LatentBatch(z, num_nodes, torch.cat([self.cond, other.cond]))
