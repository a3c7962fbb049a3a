"""Pairs of noise and latent vectors, that a prior in one step learns from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyg_topn._prior_requests import draw_requests
from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import OneStepPrior


class TeacherPairs:
    """Noise, and where the teacher carries it, drawn a part at a time and used several times.

    The teacher takes six times as long for a pair as the student for a step on it. Pairs are kept,
    so that the pool grows while the student learns: a small one is soon known by heart.
    """

    def __init__(
        self,
        model: GraphVAE,
        prior: OneStepPrior,
        *,
        part: int = 8192,
        uses: int = 8,
        capacity: int = 2**18,
        conds: Callable[[], Tensor | None] = lambda: None,
    ) -> None:
        self.model, self.prior, self.conds = model, prior, conds
        self.part, self.uses, self.most = part, uses, max(1, capacity // part)
        self.parts: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []
        self._left = 0  # pairs to be drawn before the pool grows

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Noise and latent vectors, [B, L], sizes, [B], on the CPU, and conditions, if any."""
        if self._left <= 0:
            self.parts = [*self.parts, self._taught()][-self.most :]
            self._left = self.uses * self.part
        self._left -= count
        # Of one part each time: a gather among all would need them in one piece of memory.
        noise, z, num_nodes, cond = self.parts[int(torch.randint(len(self.parts), ()))]
        index = torch.randint(num_nodes.numel(), (count,))
        there = index.to(z.device, non_blocking=True)
        return noise[there], z[there], num_nodes[index], None if cond is None else cond[there]

    @torch.no_grad()
    def _taught(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        num_nodes, cond = draw_requests(self.model, self.part, self.conds())
        like = self.prior.mean
        noise = torch.randn(self.part, like.numel(), device=like.device, dtype=like.dtype)
        sizes = num_nodes.to(like.device, non_blocking=True)
        z = self.prior.teach(noise, sizes, cond)
        return noise, z, num_nodes, cond
