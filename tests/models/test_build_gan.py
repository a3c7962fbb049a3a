"""A graph GAN from plain numbers and names."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_topn.models import GraphGAN, build_graph_gan
from pyg_topn.nn.creation import TopNCreation
from pyg_topn.nn.decoder import relax
from pyg_topn.nn.encoder import GraphCritic
from pyg_topn.resolver import CREATIONS

HISTOGRAM = [0, 0, 1, 0, 3]


def build(**kwargs: Any) -> GraphGAN:
    small = {"latent_channels": 8, "hidden_channels": 16, "creation_channels": 16, "num_layers": 1}
    return build_graph_gan(5, (1.0, 2.0), HISTOGRAM, **{**small, "heads": 2, **kwargs})


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("options", [{}, {"plus": True}, {"num_rounds": 0}, {"batch_std": False}])
def test_every_choice_samples_graphs_that_the_critic_takes(
    creation: str, options: dict[str, Any]
) -> None:
    gan = build(creation=creation, **options)
    batch = gan.sample(50, generator=torch.Generator().manual_seed(0))
    assert batch.x.size(1) == 5
    assert batch.edge_attr.size(1) == 2
    assert set(batch.ptr.diff().tolist()) == {2, 4}
    assert gan.critic(relax(gan(batch.ptr.diff()))).shape == (50,)


def test_the_numbers_arrive() -> None:
    gan = build(critic_channels=24, critic_layers=2, critic_steps=4, pair_channels=12)
    assert isinstance(gan.critic, GraphCritic)
    assert (len(gan.critic.mlps), gan.critic.num_steps, gan.critic.batch_std) == (2, 4, True)
    assert gan.critic.norms[0].weight.numel() == 24
    assert gan.generator.pair_norm.weight.numel() == 12
    assert gan.latent_channels == 8
    assert gan.sizes.max_num_nodes == 4


@pytest.mark.parametrize(
    ("histogram", "points", "expected"),
    [([0] * 9 + [1], None, 12), ([0, 1], None, 2), ([0, 1], 7, 7)],
)
def test_the_reference_set_is_a_third_larger_than_the_largest_graph(
    histogram: list[int], points: int | None, expected: int
) -> None:
    layer = build_graph_gan(4, (1,), histogram, num_reference_points=points).generator.creation
    assert isinstance(layer, TopNCreation)
    assert layer.num_reference_points == expected


@pytest.mark.parametrize(
    "options",
    [
        {"creation": "big_bang"},
        {"num_reference_points": 3},
        {"heads": 3},
        {"latent_channels": 0},
        {"critic_channels": 0},
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected .*got "):
        build(**options)


def test_a_histogram_needs_a_size() -> None:
    with pytest.raises(ValueError, match="Expected"):
        build_graph_gan(4, (1,), [0, 0])
