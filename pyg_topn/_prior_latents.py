"""Latent vectors of the prior, that training draws from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyg_topn.models import GraphVAE
from pyg_topn.nn.decoder import GraphDistribution


class PriorLatents:
    """Samples of a prior, drawn many at once and used several times.

    The steps of a flow cost as much as the decoder that is trained on the samples, and the same
    sample tells a decoder that has changed something new. Some sizes are drawn uniformly: those
    that are rare in the data are to be learnt too. A share of every draw comes from those samples
    alone whose graph was flawed when they were drawn: the rest have little left to teach.
    """

    def __init__(
        self,
        model: GraphVAE,
        is_flawed: Callable[[GraphDistribution], Tensor] | None = None,
        *,
        size: int = 8192,
        uses: int = 4,
        uniform: float = 0.1,
        hard_share: float = 0.0,
    ) -> None:
        self.model, self.is_flawed, self.hard_share = model, is_flawed, hard_share
        self.size, self.uses, self.uniform = size, uses, uniform
        self.z, self.num_nodes = torch.empty(0), torch.empty(0, dtype=torch.int64)
        self.flawed = self._order = torch.empty(0, dtype=torch.int64)
        self._left = 0

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Latent vectors, [B, L], and sizes, [B], on the CPU."""
        if self._order.numel() < count:
            if self._left == 0 or self.num_nodes.numel() < count:
                self._refill(max(self.size, count))
            self._left -= 1
            self._order = torch.randperm(self.num_nodes.numel())
        index, self._order = self._order[:count], self._order[count:]
        if self.flawed.numel():
            hard = int(count * self.hard_share)
            chosen = torch.randint(self.flawed.numel(), (hard,))
            index = torch.cat([index[hard:], self.flawed[chosen]])
        return self.z[index.to(self.z.device, non_blocking=True)], self.num_nodes[index]

    @torch.no_grad()
    def _refill(self, number: int) -> None:
        sizes = self.model.sample_sizes(torch.empty(number, 0))
        rare = torch.rand(number) < self.uniform
        any_size = torch.randint(1, self.model.sizes.max_num_nodes + 1, (number,))
        self.num_nodes = torch.where(rare, any_size, sizes)
        self.z, self._left = self.model.prior.sample(self.num_nodes), self.uses
        if self.is_flawed is not None and self.hard_share > 0:
            parts = zip(self.z.split(2048), self.num_nodes.split(2048), strict=True)
            flaws = [self.is_flawed(self.model.decode(z, sizes)) for z, sizes in parts]
            self.flawed = torch.cat(flaws).cpu().nonzero().squeeze(1)
