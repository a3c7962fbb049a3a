"""Latent vectors of the prior, that training draws from."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.models import GraphVAE


class PriorLatents:
    """Samples of a prior, drawn many at once, since the steps of a flow are cheaper that way.

    Some sizes are drawn uniformly: those that are rare in the data are to be learnt too.
    """

    def __init__(self, model: GraphVAE, size: int = 8192, uniform: float = 0.1) -> None:
        self.model, self.size, self.uniform = model, size, uniform
        self.z, self.num_nodes = torch.empty(0), torch.empty(0, dtype=torch.int64)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Latent vectors, [B, L], and sizes, [B], on the CPU."""
        if self.num_nodes.numel() < count:
            sizes = self.model.sample_sizes(torch.empty(max(self.size, count), 0))
            rare = torch.rand(sizes.numel()) < self.uniform
            any_size = torch.randint(1, self.model.sizes.max_num_nodes + 1, sizes.shape)
            self.num_nodes = torch.where(rare, any_size, sizes)
            self.z = self.model.prior.sample(self.num_nodes)
        z, self.z = self.z[:count], self.z[count:]
        num_nodes, self.num_nodes = self.num_nodes[:count], self.num_nodes[count:]
        return z, num_nodes
