"""Latent vectors of the prior, that training draws from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyg_topn._latent_batch import LatentBatch
from pyg_topn._prior_requests import draw_requests
from pyg_topn.models import GraphVAE
from pyg_topn.nn.decoder import GraphDistribution


class PriorLatents:
    """Samples of a prior, drawn many at once and used several times.

    The steps of a flow cost as much as the decoder that is trained on the samples, and the same
    sample tells a decoder that has changed something new. Some sizes are drawn uniformly: those
    that are rare in the data are to be learnt too. A share of every draw comes from those samples
    alone whose graph was flawed when they were drawn: the rest have little left to teach.

    Flawed samples are kept for longer than the others, up to a number, and as they become rare new
    samples are drawn sooner: a decoder that is shown the same few hundreds of times learns them by
    heart and is no better on others.
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
        hard_uses: int = 32,
        num_kept: int = 2048,
        conds: Callable[[], Tensor | None] = lambda: None,
    ) -> None:
        self.model, self.is_flawed, self.hard_share = model, is_flawed, hard_share
        self.conds, self.hard_uses, self.num_kept = conds, hard_uses, num_kept
        self.size, self.uses, self.uniform = size, uses, uniform
        self.samples: LatentBatch | None = None
        self.flawed: LatentBatch | None = None
        self._order = torch.empty(0, dtype=torch.int64)
        self._left = 0

    def draw(self, count: int) -> LatentBatch:
        """Latent vectors, sizes and conditions, the flawed ones last."""
        samples = self.samples
        if samples is None or self._order.numel() < count:
            if samples is None or self._left == 0 or samples.num_nodes.numel() < count:
                samples = self.samples = self._new(max(self.size, count))
            self._left -= 1
            self._order = torch.randperm(samples.num_nodes.numel())
        index, self._order = self._order[:count], self._order[count:]
        if self.flawed is None:
            return samples.take(index)
        hard = int(count * self.hard_share)
        chosen = torch.randint(self.flawed.num_nodes.numel(), (hard,))
        return samples.take(index[hard:]).joined(self.flawed.take(chosen))

    @torch.no_grad()
    def _new(self, number: int) -> LatentBatch:
        num_nodes, cond = draw_requests(self.model, number, self.conds(), self.uniform)
        z, _ = self.model.sample_latents(number, num_nodes, cond=cond)
        samples = LatentBatch(z, num_nodes, cond)
        self._left = self.uses
        if self.is_flawed is not None and self.hard_share > 0:
            self._keep_flawed(samples, self.is_flawed)
        return samples

    def _keep_flawed(
        self, samples: LatentBatch, is_flawed: Callable[[GraphDistribution], Tensor]
    ) -> None:
        parts = [samples.take(part) for part in torch.arange(len(samples.num_nodes)).split(2048)]
        flaws = [is_flawed(self.model.decode(z, sizes, cond=cond)) for z, sizes, cond in parts]
        flawed = torch.cat(flaws).cpu().nonzero().squeeze(1)
        if flawed.numel():
            newest_first = samples.take(flawed).joined(self.flawed)
            self.flawed = newest_first.take(
                torch.arange(len(newest_first.num_nodes))[: self.num_kept]
            )
        # The passes after which as many hard samples were drawn as every new one is worth.
        passes = self.hard_uses * flawed.numel() / (self.hard_share * len(samples.num_nodes))
        self._left = min(self.uses, max(1, round(passes)))
