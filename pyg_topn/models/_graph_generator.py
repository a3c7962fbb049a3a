"""What all models of graphs have in common: how new graphs are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.models._latents import (
    cond_channels_of,
    draw_latents,
    draw_sizes,
    given_or_drawn,
    standardise_conditions,
)
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.creation.size_predictor import SizePredictor
from pyg_topn.nn.decoder.graph_decoder import GraphDecoder
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.decoder.valency_capped import valency_capped_mode
from pyg_topn.nn.prior.base import Prior
from pyg_topn.utils._names import values_by_name


class GraphGenerator(nn.Module, ABC):
    """A model whose new graphs come from a prior, from sizes, and in one pass of a decoder."""

    sizes: SizeDistribution | SizePredictor
    prior: Prior
    vocabulary: MoleculeVocabulary | None
    conditions: tuple[str, ...] = ()  # Their names, for those who ask by name.
    arguments: dict[str, Any] | None = None  # What a builder made it from, to save it.

    @property
    @abstractmethod
    def _decoder(self) -> GraphDecoder:
        """What latent vectors are decoded with."""

    @property
    def latent_channels(self) -> int:
        """The size of a latent vector, L."""
        return self.prior.latent_channels

    @property
    def cond_channels(self) -> int:
        """The number of conditions, K; 0 if it takes none."""
        return cond_channels_of(self._decoder, self.prior)

    def standardise_conditions(self, values: Tensor) -> None:
        r"""Set the moments of the conditions, by which they are standardised.

        Args:
            values: Those of the training data, :math:`[M, K]`; NaN where unknown.

        Raises:
            ValueError: If it takes none, their number does not fit, or one is the same for all
                graphs.
        """
        standardise_conditions(self, values, self.cond_channels)

    def ask(self, wanted: Mapping[str, float]) -> Tensor:
        r"""Return what is asked of a graph as conditions, :math:`[K]`, for :meth:`sample`.

        Args:
            wanted: Values by the names in :obj:`conditions`, in any case; the rest is left open.

        Raises:
            ValueError: If a name is unknown, or two of them differ in case alone.
        """
        return values_by_name(wanted, self.conditions)

    @abstractmethod
    def _graphs_of(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None,
        cond: Tensor | None,
    ) -> GraphDistribution:
        """The distribution over graphs of latent vectors."""

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
            cond: The conditions, NaN where left open; sizes do not depend on them.

        Returns:
            The latent vectors, :math:`[B, L]`, and the sizes, :math:`[B]`.

        Raises:
            TypeError: If sizes are no tensor.
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
            cond: What is asked of the graphs, NaN where left open; drawn sizes do not depend on it.

        Returns:
            A batch in the format of the datasets.

        Raises:
            TypeError: If sizes or conditions are no tensor.
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
        distribution = self._graphs_of(z, num_nodes, generator, cond)
        if correct and self.vocabulary is not None:
            rules = self.vocabulary.valences, self.vocabulary.bond_orders
            return valency_capped_mode(distribution, *rules)
        if temperature is None:
            return distribution.mode()
        return distribution.sample(generator, temperature)
