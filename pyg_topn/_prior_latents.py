"""Latent vectors of the prior, that training draws from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyg_topn._prior_requests import draw_requests
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
        conds: Callable[[], Tensor | None] = lambda: None,
    ) -> None:
        self.model, self.is_flawed, self.hard_share = model, is_flawed, hard_share
        self.conds = conds
        self.cond: Tensor | None = None
        self.size, self.uses, self.uniform = size, uses, uniform
        self.z, self.num_nodes = torch.empty(0), torch.empty(0, dtype=torch.int64)
        self.flawed = self._order = torch.empty(0, dtype=torch.int64)
        self._left = 0

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Latent vectors, [B, L], sizes, [B], on the CPU, and conditions, if there are any."""
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
        there = index.to(self.z.device, non_blocking=True)
        cond = None if self.cond is None else self.cond[there]
        return self.z[there], self.num_nodes[index], cond

    @torch.no_grad()
    def _refill(self, number: int) -> None:
        asked = draw_requests(self.model, number, self.conds(), self.uniform)
        self.num_nodes, self.cond = asked
        self.z, _ = self.model.sample_latents(number, self.num_nodes, cond=self.cond)
        self._left = self.uses
        if self.is_flawed is not None and self.hard_share > 0:
            parts = torch.arange(number).split(2048)
            flaws = [self.is_flawed(self._decode(part)) for part in parts]
            self.flawed = torch.cat(flaws).cpu().nonzero().squeeze(1)

    def _decode(self, part: Tensor) -> GraphDistribution:
        there = part.to(self.z.device, non_blocking=True)
        cond = None if self.cond is None else self.cond[there]
        return self.model.decode(self.z[there], self.num_nodes[part], cond=cond)
