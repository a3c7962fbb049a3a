"""Latent vectors of the data, that training draws from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pyg_topn.loader import ResidentLoader
from pyg_topn.models import GraphVAE
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import RectifiedFlowPrior


class DataLatents:
    """The posteriors of all graphs of a data set, from an encoder that no longer changes."""

    def __init__(self, posterior: DiagonalGaussian, num_nodes: Tensor) -> None:
        self.posterior, self.num_nodes = posterior, num_nodes

    @classmethod
    @torch.no_grad()
    def encode(cls, model: GraphVAE, loader: ResidentLoader) -> DataLatents:
        """Encode the graphs of a loader, each once."""
        means, log_variances, sizes = [], [], []
        for index in loader.indices.split(4096):
            batch = loader.gather(index)
            posterior = model.encode(batch)
            means.append(posterior.mean)
            log_variances.append(posterior.log_variance)
            sizes.append(batch.ptr.diff())
        return cls(DiagonalGaussian(torch.cat(means), torch.cat(log_variances)), torch.cat(sizes))

    def standardise(self, prior: RectifiedFlowPrior) -> None:
        """Tell the moments of the latent vectors to a flow."""
        mean, variance = self.posterior.mean, self.posterior.log_variance.exp()
        spread = mean.var(dim=0, unbiased=False) + variance.mean(dim=0)
        prior.standardise(mean.mean(dim=0), spread.sqrt())

    def draw(self, count: int, noise: float = 1.0) -> tuple[Tensor, Tensor]:
        """Latent vectors of graphs of the data, drawn from their posteriors, whose standard
        deviations are multiplied by the noise, and the sizes."""
        device = self.num_nodes.device
        index = torch.randint(self.num_nodes.numel(), (count,), device=device)
        mean, log_variance = self.posterior.mean[index], self.posterior.log_variance[index]
        if noise == 0:
            return mean, self.num_nodes[index]
        drawn = DiagonalGaussian(mean, log_variance + 2 * math.log(noise)).rsample()
        return drawn, self.num_nodes[index]
