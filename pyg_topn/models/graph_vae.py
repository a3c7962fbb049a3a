"""Variational autoencoder for graphs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.models._graph_generator import GraphGenerator
from pyg_topn.models._latents import check_parts
from pyg_topn.models.graph_vae_output import GraphVAEOutput
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.creation.size_predictor import SizePredictor
from pyg_topn.nn.decoder.graph_decoder import GraphDecoder
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.encoder.graph_encoder import GraphEncoder
from pyg_topn.nn.prior.base import Prior
from pyg_topn.nn.prior.gaussian import GaussianPrior
from pyg_topn.utils.layout import Layout


class GraphVAE(GraphGenerator):
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

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            if not isinstance(module, SizeDistribution):
                module.reset_parameters()  # type: ignore[operator]

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

    @property
    def _decoder(self) -> GraphDecoder:
        return self.decoder

    def _graphs_of(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None,
        cond: Tensor | None,
    ) -> GraphDistribution:
        return self.decode(z, num_nodes, generator, cond)
