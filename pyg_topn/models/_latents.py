"""What every model with a latent vector does alike: draw vectors and sizes, check its parts."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from pyg_topn.nn.creation.size_distribution import SizeDistribution
from pyg_topn.nn.creation.size_predictor import SizePredictor
from pyg_topn.nn.encoder.condition_encoder import ConditionEncoder, check_condition
from pyg_topn.nn.prior.base import Prior

Sizes = SizeDistribution | SizePredictor


class _Encoder(Protocol):
    @property
    def latent_channels(self) -> int: ...


class _Decoder(Protocol):
    @property
    def latent_channels(self) -> int: ...

    @property
    def max_num_nodes(self) -> int | None: ...

    @property
    def cond_channels(self) -> int: ...


def check_count(num_graphs: int, num_nodes: Tensor | None) -> None:
    """Check that there are as many sizes as graphs, if any are given."""
    if num_graphs < 0:
        raise ValueError(f"Expected 'num_graphs' to be at least 0 (got {num_graphs})")
    if num_nodes is None:
        return
    if not isinstance(num_nodes, Tensor):
        raise TypeError(f"Expected 'num_nodes' to be a Tensor (got {type(num_nodes).__name__})")
    if num_nodes.numel() != num_graphs:
        raise ValueError(f"Expected {num_graphs} sizes (got {num_nodes.numel()})")


def draw_sizes(sizes: Sizes, z: Tensor, generator: torch.Generator | None) -> Tensor:
    """The size of a graph for every latent vector, [B], on the CPU."""
    if isinstance(sizes, SizePredictor):
        return sizes.sample(z, generator).cpu()
    return sizes.sample(z.size(0), generator).cpu()


def draw_latents(
    prior: Prior,
    sizes: Sizes,
    num_graphs: int,
    num_nodes: Tensor | None,
    generator: torch.Generator | None,
    cond: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Latent vectors, [B, L], and sizes, [B], in the order that they depend on each other."""
    check_count(num_graphs, num_nodes)
    cond = cond if prior.cond_channels else None  # Else the decoder alone takes them.
    if num_nodes is None and isinstance(sizes, SizePredictor):
        z = prior.sample(torch.ones(num_graphs, dtype=torch.int64), generator, cond)
        return z, draw_sizes(sizes, z, generator)
    if num_nodes is None:
        num_nodes = draw_sizes(sizes, torch.empty(num_graphs, 0), generator)
    return prior.sample(num_nodes, generator, cond), num_nodes


def given_or_drawn(
    prior: Prior,
    sizes: Sizes,
    num_graphs: int,
    num_nodes: Tensor | None,
    generator: torch.Generator | None,
    z: Tensor | None,
    cond: Tensor | None = None,
    cond_channels: int = 0,
) -> tuple[Tensor, Tensor]:
    """Latent vectors, [B, L], and sizes, [B]; of these, what is not given is drawn."""
    check_count(num_graphs, num_nodes)
    if cond is not None:
        check_condition(cond, num_graphs, cond_channels)
    if z is None:
        return draw_latents(prior, sizes, num_graphs, num_nodes, generator, cond)
    if z.size(0) != num_graphs:
        raise ValueError(f"Expected {num_graphs} latent vectors (got {z.size(0)})")
    return z, draw_sizes(sizes, z, generator) if num_nodes is None else num_nodes


def check_parts(encoder: _Encoder, decoder: _Decoder, sizes: Sizes, prior: Prior) -> None:
    """Check that the parts of a model fit together."""
    if encoder.latent_channels != decoder.latent_channels:
        raise ValueError(
            "Expected encoder and decoder to share the size of the latent vector "
            f"(got {encoder.latent_channels} and {decoder.latent_channels})"
        )
    limit = decoder.max_num_nodes
    if limit is not None and sizes.max_num_nodes > limit:
        raise ValueError(
            f"Expected sizes of at most {limit} nodes, the most that the decoder can create "
            f"(got {sizes.max_num_nodes})"
        )
    if 0 < prior.cond_channels != decoder.cond_channels > 0:
        raise ValueError(
            "Expected prior and decoder to take the same conditions "
            f"(got {prior.cond_channels} and {decoder.cond_channels})"
        )
    _check_prior(prior, decoder.latent_channels, sizes)


def _check_prior(prior: Prior, latent_channels: int, sizes: Sizes) -> None:
    if prior.latent_channels != latent_channels:
        raise ValueError(
            "Expected prior and decoder to share the size of the latent vector "
            f"(got {prior.latent_channels} and {latent_channels})"
        )
    if prior.max_num_nodes is None:
        return
    if isinstance(sizes, SizePredictor):
        raise ValueError(
            "Expected sizes that do not depend on the latent vector, since the prior of latent "
            "vectors depends on sizes (got a SizePredictor)"
        )
    if sizes.max_num_nodes > prior.max_num_nodes:
        raise ValueError(
            f"Expected sizes of at most {prior.max_num_nodes} nodes, the most that the prior knows "
            f"(got {sizes.max_num_nodes})"
        )


def cond_channels_of(decoder: _Decoder, prior: Prior) -> int:
    """The number of conditions that a model takes, whether decoder, prior or both see them."""
    return max(decoder.cond_channels, prior.cond_channels)


def standardise_conditions(model: nn.Module, values: Tensor, cond_channels: int) -> None:
    """Tell the moments of conditions, [M, K], to every module that embeds them."""
    if cond_channels == 0:
        raise ValueError("Expected a model with conditions (got one that was built without)")
    if values.dim() != 2 or values.size(1) != cond_channels:
        raise ValueError(
            f"Expected 'values' of {cond_channels} conditions, of shape [M, {cond_channels}] "
            f"(got {list(values.shape)})"
        )
    known = values.to(torch.float64)
    mean = known.nanmean(dim=0)
    std = (known - mean).square().nanmean(dim=0).sqrt()
    for module in model.modules():
        if isinstance(module, ConditionEncoder):
            module.standardise(mean.to(module.mean), std.to(module.std))
