"""Models of sets from plain numbers and names."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_topn.models import DSPN, TSPN, SetVAE, build_dspn, build_set_vae, build_tspn
from pyg_topn.nn.creation import SizeDistribution, SizePredictor, TopNCreation
from pyg_topn.resolver import CREATIONS
from pyg_topn.utils import build_batch

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


@pytest.mark.parametrize(
    ("query", "limit"), [("topn", 8), ("TopNCreation", 8), ("firstn", 4), ("MLP", 4), ("IID", None)]
)
def test_names_are_those_of_the_resolver(query: str, limit: int | None) -> None:
    assert build_tspn(4, creation=query).creation.max_num_nodes == limit


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"at most 3 nodes, the most that the decoder.*\(got 4\)"):
        build(num_reference_points=3)
    with pytest.raises(ValueError, match="none"):
        build(creation="none")


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize(("build_one", "width"), [(build_tspn, 16), (build_dspn, 2)])
def test_autoencoders_decode_what_they_encode(build_one: Any, width: int, creation: str) -> None:
    net = build_one(9, creation=creation, latent_channels=8, hidden_channels=16)
    assert isinstance(net, TSPN | DSPN)
    batch = build_batch(torch.tensor([3, 9]), {"pos": torch.rand(12, 2)})
    decoded = net(batch)
    last = decoded[-1] if isinstance(decoded, list) else decoded
    assert last.ptr.tolist() == [0, 3, 12]
    assert net.creation.out_channels == width
    limits = {"top_n": 18, "first_n": 9, "mlp": 9, "iid": None}
    assert net.creation.max_num_nodes == limits[creation]
    sizes = net.sizes
    assert sizes is not None
    assert (sizes.max_num_nodes, sizes.detach) == (9, True)


def test_options_of_autoencoders() -> None:
    tspn = build_tspn(9, 3, num_reference_points=12, num_layers=2, center=0.0, num_pieces=5)
    assert (tspn.in_channels, tspn.center, tspn.pool.num_pieces) == (3, 0.0, 5)
    assert (tspn.encoder.num_layers, tspn.latent_channels) == (2, 256)
    assert tspn.creation.max_num_nodes == 12
    dspn = build_dspn(9, 3, num_steps=4, step_size=2.0, size_channels=32)
    assert (dspn.in_channels, dspn.num_steps, dspn.step_size) == (3, 4, 2.0)
    assert dspn.latent_channels == 64
    with pytest.raises(ValueError, match=r"sizes of at most 8 points.*\(got 9\)"):
        build_dspn(9, num_reference_points=8)
    with pytest.raises(ValueError, match="Expected a creation layer among"):
        build_tspn(9, creation="none")
