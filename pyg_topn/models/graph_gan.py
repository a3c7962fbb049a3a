"""Generative adversarial network for graphs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyg_topn.models._graph_generator import GraphGenerator
from pyg_topn.models._latents import check_parts
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.decoder.graph_decoder import GraphDecoder
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.encoder.graph_critic import GraphCritic
from pyg_topn.nn.prior.base import Prior
from pyg_topn.nn.prior.gaussian import GaussianPrior


class GraphGAN(GraphGenerator):
    r"""A GAN for graphs, one-shot: the second kind of model into which a creation layer of the
    `Top-n paper <https://arxiv.org/abs/2110.02096>`_ goes. By its lemma 1 a permutation-invariant
    critic is all that a GAN needs to be equivariant; nothing is asked of the generator.

    It holds no loss: see :class:`~pyg_topn.losses.GraphGANLoss`.

    Args:
        generator: From latent vectors and sizes to a distribution over graphs, with any creation
            layer in front.
        critic: From :class:`~pyg_topn.utils.RelaxedGraphs` to a score for each, such as
            :class:`~pyg_topn.nn.encoder.GraphCritic`. Only training needs it.
        sizes: Where the sizes of new graphs come from. Not a predictor: there is no encoder that
            gives a true graph the latent vector to learn from.
        vocabulary: What node and edge types mean, for models of molecules.
        prior: Where latent vectors come from; by default :math:`\mathcal{N}(0, \mathbf{I})`.

    Raises:
        TypeError: If the sizes are not a :class:`SizeDistribution`.
        ValueError: If the modules do not fit together.

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> from pyg_topn.nn.update import SetTransformer
        >>> gan = GraphGAN(
        ...     GraphDecoder(
        ...         TopNCreation(8, 32, num_reference_points=12),
        ...         SetTransformer(16, num_layers=1, latent_channels=8),
        ...         num_node_types=4,
        ...         edge_orders=(1, 2, 3),
        ...     ),
        ...     GraphCritic(num_node_types=4, num_edge_types=3),
        ...     SizeDistribution(torch.tensor([0, 1, 2, 3])),
        ... )
        >>> batch = gan.sample(5, generator=torch.Generator().manual_seed(0))
        >>> batch.num_graphs, len(batch.to_data_list())
        (5, 5)
        >>> gan(batch.ptr.diff()).pair_index.equal(
        ...     gan.generate(torch.randn(5, 8), batch.ptr.diff()).pair_index
        ... )
        True
    """

    def __init__(
        self,
        generator: GraphDecoder,
        critic: nn.Module,
        sizes: SizeDistribution,
        vocabulary: MoleculeVocabulary | None = None,
        prior: Prior | None = None,
    ) -> None:
        super().__init__()
        prior = GaussianPrior(generator.latent_channels) if prior is None else prior
        if not isinstance(sizes, SizeDistribution):
            raise TypeError(
                f"Expected 'sizes' to be a SizeDistribution (got {type(sizes).__name__})"
            )
        check_parts(generator, generator, sizes, prior)
        _check_critic(generator, critic)
        self.generator = generator
        self.critic = critic
        self.sizes = sizes
        self.prior = prior
        self.vocabulary = vocabulary

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in (self.generator, self.critic, self.prior):
            module.reset_parameters()  # type: ignore[operator]

    def generate(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> GraphDistribution:
        r"""Return the distribution over graphs of latent vectors, of which
        :func:`~pyg_topn.nn.decoder.relax` makes graphs with a gradient.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every graph, :math:`[B]`.
            generator: Where a stochastic creation draws from.
            cond: The conditions, :math:`[B, K]` or :math:`[K]`, NaN where left open.
        """
        asked = cond if self.generator.cond_channels else None
        return self.generator(z, num_nodes, generator, asked)

    def forward(
        self,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> GraphDistribution:
        r"""Draw latent vectors and return the distribution over graphs of each, at given sizes: in
        training, those of the true graphs that the critic compares them with.

        Args:
            num_nodes: The size of every graph, :math:`[B]`.
            generator: Where to draw from.
            cond: The conditions, see :meth:`generate`.
        """
        z, num_nodes = self.sample_latents(num_nodes.numel(), num_nodes, generator, cond)
        return self.generate(z, num_nodes, generator, cond)

    @property
    def _decoder(self) -> GraphDecoder:
        return self.generator

    def _graphs_of(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None,
        cond: Tensor | None,
    ) -> GraphDistribution:
        return self.generate(z, num_nodes, generator, cond)


def _check_critic(generator: GraphDecoder, critic: nn.Module) -> None:
    if generator.neighbors is not None:
        raise ValueError(
            "Expected a generator that decides all pairs, which the critic looks at "
            f"(got one with num_neighbors={generator.neighbors.num_neighbors})"
        )
    if not isinstance(critic, GraphCritic):
        return
    made = generator.node_type_mlp.out_channels, generator.edge_orders.numel()
    seen = critic.num_node_types, critic.num_edge_types
    if made != seen:
        raise ValueError(
            "Expected a critic of the types that the generator makes, "
            f"{made[0]} of nodes and {made[1]} of edges (got {seen[0]} and {seen[1]})"
        )
