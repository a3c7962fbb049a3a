"""Latent vectors of the data, that training draws from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pyg_topn.loader import ResidentLoader
from pyg_topn.models import GraphVAE, SetVAE
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import RectifiedFlowPrior


class DataLatents:
    """The posteriors of all graphs of a data set, from an encoder that no longer changes."""

    def __init__(
        self, posterior: DiagonalGaussian, num_nodes: Tensor, cond: Tensor | None = None
    ) -> None:
        self.posterior, self.num_nodes, self.cond = posterior, num_nodes, cond

    @classmethod
    @torch.no_grad()
    def encode(cls, model: GraphVAE | SetVAE, loader: ResidentLoader) -> DataLatents:
        """Encode the graphs of a loader, each once."""
        means, log_variances, sizes, conds = [], [], [], []
        for index in loader.indices.split(4096):
            batch = loader.gather(index)
            posterior = model.encode(batch)
            means.append(posterior.mean)
            log_variances.append(posterior.log_variance)
            sizes.append(batch.ptr.diff())
            if model.cond_channels:
                conds.append(batch.y)
        posterior = DiagonalGaussian(torch.cat(means), torch.cat(log_variances))
        return cls(posterior, torch.cat(sizes), torch.cat(conds) if conds else None)

    def standardise(self, prior: RectifiedFlowPrior) -> None:
        """Tell the moments of the latent vectors to a flow: of those that are drawn, even if means
        are what it is fitted to. A channel that tells nothing has a mean that hardly varies, by
        whose spread nobody may divide."""
        mean, variance = self.posterior.mean, self.posterior.log_variance.exp()
        spread = mean.var(dim=0, unbiased=False) + variance.mean(dim=0)
        prior.standardise(mean.mean(dim=0), spread.sqrt())

    def draw(self, count: int, noise: float = 1.0) -> tuple[Tensor, Tensor, Tensor | None]:
        """Latent vectors of graphs of the data, drawn from their posteriors, whose standard
        deviations are multiplied by the noise, the sizes, and the conditions, if there are any."""
        device = self.num_nodes.device
        index = torch.randint(self.num_nodes.numel(), (count,), device=device)
        mean, log_variance = self.posterior.mean[index], self.posterior.log_variance[index]
        rest = self.num_nodes[index], None if self.cond is None else self.cond[index]
        if noise == 0:
            return mean, *rest
        drawn = DiagonalGaussian(mean, log_variance + 2 * math.log(noise)).rsample()
        return drawn, *rest
