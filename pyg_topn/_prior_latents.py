"""Latent vectors of the prior, that training draws from."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.models import GraphVAE


class PriorLatents:
    """Samples of a prior, drawn many at once and used several times.

    The steps of a flow cost as much as the decoder that is trained on the samples, and the same
    sample tells a decoder that has changed something new. Some sizes are drawn uniformly: those
    that are rare in the data are to be learnt too.
    """

    def __init__(
        self, model: GraphVAE, size: int = 8192, uses: int = 4, uniform: float = 0.1
    ) -> None:
        self.model, self.size, self.uses, self.uniform = model, size, uses, uniform
        self.z, self.num_nodes = torch.empty(0), torch.empty(0, dtype=torch.int64)
        self._order, self._left = torch.empty(0, dtype=torch.int64), 0

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Latent vectors, [B, L], and sizes, [B], on the CPU."""
        if self._order.numel() < count:
            if self._left == 0 or self.num_nodes.numel() < count:
                self._refill(max(self.size, count))
            self._left -= 1
            self._order = torch.randperm(self.num_nodes.numel())
        index, self._order = self._order[:count], self._order[count:]
        return self.z[index.to(self.z.device)], self.num_nodes[index]

    def _refill(self, number: int) -> None:
        sizes = self.model.sample_sizes(torch.empty(number, 0))
        rare = torch.rand(number) < self.uniform
        any_size = torch.randint(1, self.model.sizes.max_num_nodes + 1, (number,))
        self.num_nodes = torch.where(rare, any_size, sizes)
        self.z, self._left = self.model.prior.sample(self.num_nodes), self.uses
