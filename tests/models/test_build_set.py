"""A set VAE from plain numbers and names."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_topn.models import SetVAE, build_set_vae
from pyg_topn.nn.creation import SizeDistribution, SizePredictor, TopNCreation
from pyg_topn.resolver import CREATIONS

HISTOGRAM = [0, 0, 1, 0, 3]


def build(**kwargs: Any) -> SetVAE:
    small = {"latent_channels": 8, "hidden_channels": 16, "creation_channels": 16, "num_layers": 1}
    return build_set_vae(HISTOGRAM, **{**small, "heads": 2, **kwargs})


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("options", [{}, {"film": True}, {"point_channels": 2}])
def test_every_choice_samples_sets_of_the_given_sizes(
    creation: str, options: dict[str, Any]
) -> None:
    batch = build(creation=creation, **options).sample(
        50, generator=torch.Generator().manual_seed(0)
    )
    assert batch.pos.size(1) == options.get("point_channels", 3)
    assert set(batch.ptr.diff().tolist()) == {2, 4}


@pytest.mark.parametrize(("points", "expected"), [(None, 4), (7, 7)])
def test_the_reference_set_is_as_large_as_the_largest_set(
    points: int | None, expected: int
) -> None:
    layer = build(num_reference_points=points, order="cosine").decoder.creation
    assert isinstance(layer, TopNCreation)
    assert layer.num_reference_points == expected
    assert layer.order == "cosine"


def test_film_and_sizes() -> None:
    assert build().decoder.update.latent_channels is None
    assert build(film=True).decoder.update.latent_channels == 8
    assert isinstance(build().sizes, SizeDistribution)
    predicted = build(predict_size=True).sizes
    assert isinstance(predicted, SizePredictor)
    assert predicted.max_num_nodes == 4


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"at most 3 nodes, the most that the decoder.*\(got 4\)"):
        build(num_reference_points=3)
    with pytest.raises(ValueError, match="none"):
        build(creation="none")
