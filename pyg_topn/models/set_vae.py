"""Variational autoencoder for sets of points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.models._latents import (
    check_count,
    check_parts,
    cond_channels_of,
    given_or_drawn,
    standardise_conditions,
)
from pyg_topn.models.set_vae_output import SetVAEOutput
from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.creation.size_predictor import SizePredictor
from pyg_topn.nn.decoder.set_decoder import SetDecoder
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.encoder.set_encoder import SetEncoder
from pyg_topn.nn.prior.base import Prior
from pyg_topn.nn.prior.gaussian import GaussianPrior
from pyg_topn.utils.layout import Layout


class SetVAE(nn.Module):
    r"""The variational autoencoder for sets of the `Top-n paper
    <https://arxiv.org/abs/2110.02096>`_ (section 5.3, D.2), one-shot: all points are decoded at
    once. Sets of all sizes are trained on and generated in one batch; the paper has batches of one
    size and generates one set at a time.

    Args:
        encoder: From sets to a posterior over latent vectors.
        decoder: From latent vectors and sizes to sets.
        sizes: Where the sizes of new sets come from: a :class:`SizeDistribution`, as in the
            paper, or a :class:`SizePredictor` that reads them off the latent vector.
        prior: Where the latent vectors of new sets come from; by default
            :math:`\mathcal{N}(0, \mathbf{I})`, as in the paper.

    Raises:
        ValueError: If the modules do not fit together.

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> from pyg_topn.nn.update import SetTransformer
        >>> vae = SetVAE(
        ...     SetEncoder(3, latent_channels=8),
        ...     SetDecoder(TopNCreation(8, 32, num_reference_points=4), SetTransformer(16)),
        ...     SizeDistribution(torch.tensor([0, 1, 2, 3])),
        ... )
        >>> batch = vae.sample(5, generator=torch.Generator().manual_seed(0))
        >>> batch.num_graphs, batch.pos.size(1)
        (5, 3)
        >>> vae(batch).posterior.mean.shape
        torch.Size([5, 8])
    """

    arguments: dict[str, Any] | None = None  # What a builder made it from, to save it.

    def __init__(
        self,
        encoder: SetEncoder,
        decoder: SetDecoder,
        sizes: SizeDistribution | SizePredictor,
        prior: Prior | None = None,
    ) -> None:
        super().__init__()
        prior = GaussianPrior(decoder.latent_channels) if prior is None else prior
        if encoder.in_channels != decoder.out_channels:
            raise ValueError(
                "Expected encoder and decoder to share the number of coordinates "
                f"(got {encoder.in_channels} and {decoder.out_channels})"
            )
        check_parts(encoder, decoder, sizes, prior)
        self.encoder = encoder
        self.decoder = decoder
        self.sizes = sizes
        self.prior = prior

    @property
    def latent_channels(self) -> int:
        """The size of a latent vector, L."""
        return self.decoder.latent_channels

    @property
    def cond_channels(self) -> int:
        """The number of conditions, K; 0 if it takes none."""
        return cond_channels_of(self.decoder, self.prior)

    def standardise_conditions(self, values: Tensor) -> None:
        r"""Set the moments of the conditions, by which they are standardised.

        Args:
            values: Those of the training data, :math:`[M, K]`; NaN where unknown.

        Raises:
            ValueError: If it takes none, their number does not fit, or one is the same for all
                graphs.
        """
        standardise_conditions(self, values, self.cond_channels)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            if not isinstance(module, SizeDistribution):
                module.reset_parameters()  # type: ignore[operator]

    def encode(self, batch: Batch) -> DiagonalGaussian:
        r"""Return the posterior over the latent vectors of sets.

        Args:
            batch: The sets: points :math:`[N, C]` as :obj:`pos`, or as :obj:`x` where there is no
                :obj:`pos`.
        """
        return self.encoder(batch)

    def decode(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> Batch:
        r"""Return the sets of latent vectors, a batch with :obj:`pos`.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every set, :math:`[B]`.
            generator: Where a stochastic creation draws from.
            cond: The conditions, :math:`[B, K]` or :math:`[K]`, NaN where left open.
        """
        return self.decoder(z, num_nodes, generator, cond if self.decoder.cond_channels else None)

    def forward(
        self,
        batch: Batch,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> SetVAEOutput:
        r"""Encode sets, draw a latent vector for each and decode it at the true size.

        Args:
            batch: The sets, see :meth:`encode`.
            generator: Where to draw from.
            cond: The conditions that are true of them, :math:`[B, K]`, NaN where unknown.
        """
        posterior = self.encode(batch)
        z = posterior.rsample(generator)
        num_nodes = Layout.from_batch(batch).num_nodes
        return SetVAEOutput(self.decode(z, num_nodes, generator, cond), posterior, z)

    @torch.no_grad()
    def sample(
        self,
        num_graphs: int,
        num_nodes: Tensor | None = None,
        generator: torch.Generator | None = None,
        z: Tensor | None = None,
        cond: Tensor | None = None,
    ) -> Batch:
        r"""Generate sets in one pass.

        Args:
            num_graphs: How many, :math:`B`.
            num_nodes: Their sizes, :math:`[B]`; drawn if not given. They may exceed those of the
                training data where the creation can make as many points: a prior that depends on
                sizes takes them for the largest that it knows.
            generator: Where latent vectors, sizes and points are drawn from.
            z: The latent vectors, :math:`[B, L]`; drawn from the prior if not given.
            cond: What is asked of the sets, see :meth:`decode`; drawn sizes do not depend on it.

        Returns:
            A batch with :obj:`pos` :math:`[N, C]`.

        Raises:
            TypeError: If sizes or conditions are no tensor.
            ValueError: If sizes or latent vectors do not fit.
        """
        check_count(num_graphs, num_nodes)
        limit = self.prior.max_num_nodes
        if z is None and num_nodes is not None and limit is not None:
            told = cond if self.prior.cond_channels else None
            z = self.prior.sample(num_nodes.clamp(max=limit), generator, told)
        sources = self.prior, self.sizes
        asked = cond, self.cond_channels
        z, num_nodes = given_or_drawn(*sources, num_graphs, num_nodes, generator, z, *asked)
        return self.decode(z, num_nodes, generator, cond)
