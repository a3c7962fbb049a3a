"""Variational autoencoder for graphs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.models._latents import (
    check_parts,
    cond_channels_of,
    draw_latents,
    draw_sizes,
    given_or_drawn,
    standardise_conditions,
)
from pyg_topn.models.graph_vae_output import GraphVAEOutput
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.creation.size_predictor import SizePredictor
from pyg_topn.nn.decoder.graph_decoder import GraphDecoder
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.decoder.valency_capped import valency_capped_mode
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.encoder.graph_encoder import GraphEncoder
from pyg_topn.nn.prior.base import Prior
from pyg_topn.nn.prior.gaussian import GaussianPrior
from pyg_topn.utils._names import values_by_name
from pyg_topn.utils.layout import Layout


class GraphVAE(nn.Module):
    r"""The variational autoencoder for graphs of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (section 5.4, D.3), one-shot: all nodes and
    edges are decoded at once, in one pass.

    Args:
        encoder: From graphs to a posterior over latent vectors.
        decoder: From latent vectors and sizes to a distribution over graphs.
        sizes: Where the sizes of new graphs come from: a :class:`SizeDistribution` (figure 1a of
            the paper) or a :class:`SizePredictor` that reads them off the latent vector (1b).
        vocabulary: What node and edge types mean, for models of molecules.
        prior: Where the latent vectors of new graphs come from; by default
            :math:`\mathcal{N}(0, \mathbf{I})`, as in the paper.

    Raises:
        ValueError: If the modules do not fit together.

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> from pyg_topn.nn.update import SetTransformer
        >>> vae = GraphVAE(
        ...     GraphEncoder(in_channels=4, edge_channels=3, latent_channels=8),
        ...     GraphDecoder(
        ...         TopNCreation(8, 32, num_reference_points=12),
        ...         SetTransformer(16, num_layers=1, latent_channels=8),
        ...         num_node_types=4,
        ...         edge_orders=(1, 2, 3),
        ...     ),
        ...     SizeDistribution(torch.tensor([0, 1, 2, 3])),
        ... )
        >>> batch = vae.sample(5, generator=torch.Generator().manual_seed(0))
        >>> batch.num_graphs, len(batch.to_data_list())
        (5, 5)
        >>> vae(batch).posterior.mean.shape
        torch.Size([5, 8])
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        decoder: GraphDecoder,
        sizes: SizeDistribution | SizePredictor,
        vocabulary: MoleculeVocabulary | None = None,
        prior: Prior | None = None,
    ) -> None:
        super().__init__()
        prior = GaussianPrior(decoder.latent_channels) if prior is None else prior
        check_parts(encoder, decoder, sizes, prior)
        self.encoder = encoder
        self.decoder = decoder
        self.sizes = sizes
        self.prior = prior
        self.vocabulary = vocabulary
        self.conditions: tuple[str, ...] = ()  # Their names, for those who ask by name.

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
            ValueError: If their number does not fit, or one is the same for all graphs.
        """
        standardise_conditions(self, values)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            if not isinstance(module, SizeDistribution):
                module.reset_parameters()  # type: ignore[operator]

    def ask(self, wanted: Mapping[str, float]) -> Tensor:
        r"""Return what is asked of a graph as conditions, :math:`[K]`, for :meth:`sample`.

        Args:
            wanted: Values by the names in :obj:`conditions`, in any case; the rest is left open.

        Raises:
            ValueError: If a name is unknown.
        """
        return values_by_name(wanted, self.conditions)

    def encode(self, batch: Batch) -> DiagonalGaussian:
        r"""Return the posterior over the latent vectors of graphs.

        Args:
            batch: The graphs, in the format of the datasets.
        """
        return self.encoder(batch)

    def decode(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
        *,
        pairs: Tensor | None = None,
    ) -> GraphDistribution:
        r"""Return the distribution over graphs of latent vectors.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`.
            generator: Where a stochastic creation draws from.
            cond: The conditions, :math:`[B, K]` or :math:`[K]`, NaN where left open.
            pairs: Pairs of slots that must have logits, see :meth:`GraphDecoder.forward`.
        """
        asked = cond if self.decoder.cond_channels else None
        return self.decoder(z, num_nodes, generator, asked, pairs=pairs)

    def forward(
        self,
        batch: Batch,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
        *,
        pairs: Tensor | None = None,
    ) -> GraphVAEOutput:
        r"""Encode graphs, draw a latent vector for each and decode it at the true size.

        Args:
            batch: The graphs, in the format of the datasets.
            generator: Where to draw from.
            cond: The conditions that are true of them, :math:`[B, K]`, NaN where unknown.
            pairs: Pairs of slots that must have logits for a loss, if only those of nearest
                neighbours are decided: see :func:`~pyg_topn.losses.target_pairs`.
        """
        posterior = self.encode(batch)
        z = posterior.rsample(generator)
        num_nodes = Layout.from_batch(batch).num_nodes
        distribution = self.decode(z, num_nodes, generator, cond, pairs=pairs)
        return GraphVAEOutput(distribution, posterior, z)

    def sample_sizes(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        r"""Draw the size of a graph for every latent vector, :math:`[B]`, on the CPU."""
        return draw_sizes(self.sizes, z, generator)

    def sample_latents(
        self,
        num_graphs: int,
        num_nodes: Tensor | None = None,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        r"""Draw latent vectors from the prior, and sizes, in the order that they depend on each
        other.

        Args:
            num_graphs: How many, :math:`B`.
            num_nodes: The sizes, :math:`[B]`, if they are given.
            generator: Where to draw from.
            cond: The conditions, see :meth:`decode`; sizes do not depend on them.

        Returns:
            The latent vectors, :math:`[B, L]`, and the sizes, :math:`[B]`.

        Raises:
            ValueError: If there are not as many sizes as graphs.
        """
        return draw_latents(self.prior, self.sizes, num_graphs, num_nodes, generator, cond)

    @torch.no_grad()
    def sample(
        self,
        num_graphs: int,
        num_nodes: Tensor | None = None,
        generator: torch.Generator | None = None,
        temperature: float | None = None,
        z: Tensor | None = None,
        correct: bool = False,
        cond: Tensor | None = None,
    ) -> Batch:
        r"""Generate graphs in one pass.

        Args:
            num_graphs: How many, :math:`B`.
            num_nodes: Their sizes, :math:`[B]`; drawn if not given.
            generator: Where latent vectors, sizes and graphs are drawn from.
            temperature: If given, graphs are drawn from the decoded distribution at this
                temperature; by default the most likely one is taken.
            z: The latent vectors, :math:`[B, L]`; drawn from the prior if not given.
            correct: Whether to keep every atom within the largest valency of its type, by
                :func:`~pyg_topn.nn.decoder.valency_capped_mode`. What is measured of such graphs
                is to be reported as corrected, apart from the rest.
            cond: What is asked of the graphs, see :meth:`decode`; drawn sizes do not depend on it.

        Returns:
            A batch in the format of the datasets.

        Raises:
            ValueError: If sizes or latent vectors do not fit, or a correction is asked for without
                a vocabulary or together with a temperature.
        """
        if correct and (self.vocabulary is None or temperature is not None):
            raise ValueError(
                "Expected a vocabulary and no temperature for a correction "
                f"(got {self.vocabulary} and {temperature})"
            )
        sources = self.prior, self.sizes
        asked = cond, self.cond_channels
        z, num_nodes = given_or_drawn(*sources, num_graphs, num_nodes, generator, z, *asked)
        distribution = self.decode(z, num_nodes, generator, cond)
        if correct and self.vocabulary is not None:
            rules = self.vocabulary.valences, self.vocabulary.bond_orders
            return valency_capped_mode(distribution, *rules)
        if temperature is None:
            return distribution.mode()
        return distribution.sample(generator, temperature)
