"""A graph VAE from plain numbers and names."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_topn.models import build_graph_vae
from pyg_topn.nn.creation import SizeDistribution, SizePredictor, TopNCreation
from pyg_topn.nn.prior import (
    CouplingFlowPrior,
    GaussianPrior,
    OneStepPrior,
    Prior,
    RectifiedFlowPrior,
)
from pyg_topn.resolver import CREATIONS, PRIORS

HISTOGRAM = [0, 0, 1, 0, 3]


def build(**kwargs: Any) -> Any:
    small = {"latent_channels": 8, "hidden_channels": 16, "creation_channels": 16, "num_layers": 1}
    return build_graph_vae(5, (1.0, 2.0), HISTOGRAM, **{**small, "heads": 2, **kwargs})


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("readout", ["canonical", "pna"])
@pytest.mark.parametrize("options", [{}, {"plus": True}, {"num_rounds": 0}])
def test_every_choice_samples_graphs_of_the_given_types_and_sizes(
    creation: str, readout: str, options: dict[str, Any]
) -> None:
    model = build(creation=creation, readout=readout, **options)
    batch = model.sample(50, generator=torch.Generator().manual_seed(0))
    assert batch.x.size(1) == 5
    assert batch.edge_attr.size(1) == 2
    assert set(batch.ptr.diff().tolist()) == {2, 4}


def test_a_sample_can_be_encoded_and_decoded_again() -> None:
    model = build(readout="pna")
    output = model(model.sample(6))
    assert output.posterior.mean.shape == (6, 8)
    output.posterior.mean.sum().backward()
    assert all(p.grad is not None for p in model.encoder.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("histogram", "points", "expected"),
    [([0] * 9 + [1], None, 12), ([0, 1], None, 2), ([0, 1], 7, 7)],
)
def test_the_reference_set_is_a_third_larger_than_the_largest_graph(
    histogram: list[int], points: int | None, expected: int
) -> None:
    layer = build_graph_vae(4, (1,), histogram, num_reference_points=points).decoder.creation
    assert isinstance(layer, TopNCreation)
    assert layer.num_reference_points == expected


def test_sizes_are_drawn_or_predicted() -> None:
    drawn, predicted = build().sizes, build(predict_size=True).sizes
    assert isinstance(drawn, SizeDistribution)
    assert isinstance(predicted, SizePredictor)
    assert drawn.max_num_nodes == predicted.max_num_nodes == 4
    torch.testing.assert_close(
        drawn.histogram / drawn.histogram.sum(),
        torch.tensor([0, 0, 0.25, 0, 0.75], dtype=drawn.histogram.dtype),
    )


KINDS = {
    "gaussian": GaussianPrior,
    "coupling_flow": CouplingFlowPrior,
    "rectified_flow": RectifiedFlowPrior,
    "one_step": OneStepPrior,
}


@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_samples_graphs_of_the_given_sizes(prior: str) -> None:
    model = build(prior=prior)
    assert type(model.prior) is KINDS[prior]
    assert model.prior.latent_channels == 8
    assert model.prior.max_num_nodes == (None if prior == "gaussian" else 4)
    batch = model.sample(50, generator=torch.Generator().manual_seed(0))
    assert batch.num_graphs == 50
    assert set(batch.ptr.diff().tolist()) == {2, 4}


def test_the_prior_is_that_of_the_paper_unless_another_is_named() -> None:
    assert type(build().prior) is GaussianPrior


def num_parameters(prior: Prior) -> int:
    return sum(parameter.numel() for parameter in prior.parameters())


def test_width_and_depth_of_a_flow() -> None:
    default, small = build(prior="coupling_flow").prior, CouplingFlowPrior(8, 4, 16, 3)
    assert num_parameters(default) == num_parameters(CouplingFlowPrior(8, 4))
    built = build(prior="coupling_flow", prior_channels=16, prior_layers=3).prior
    assert num_parameters(built) == num_parameters(small)
    assert built.num_layers == 3
    deep = build(prior="rectified_flow", prior_layers=2).prior
    assert num_parameters(deep) == num_parameters(RectifiedFlowPrior(8, 4, num_layers=2))
    wide = build(prior="rectified_flow", prior_channels=32).prior
    assert num_parameters(wide) == num_parameters(RectifiedFlowPrior(8, 4, 32))


@pytest.mark.parametrize(
    "options",
    [
        {"creation": "big_bang"},
        {"prior": "big_bang"},
        {"prior": "coupling_flow", "predict_size": True},
        {"prior": "rectified_flow", "predict_size": True},
        {"prior": "coupling_flow", "prior_channels": 0},
        {"prior": "rectified_flow", "prior_layers": 0},
        {"readout": "vote"},
        {"num_reference_points": 3},
        {"num_reference_points": 0},
        {"heads": 3},
        {"latent_channels": 0},
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected .*got "):
        build(**options)


def test_a_histogram_needs_a_size() -> None:
    with pytest.raises(ValueError, match="Expected"):
        build_graph_vae(4, (1,), [0, 0])


def test_the_size_of_a_flow() -> None:
    flow = build_graph_vae(
        4,
        (1, 2, 3),
        [0, 1],
        prior="rectified_flow",
        prior_channels=24,
        prior_layers=3,
        prior_steps=5,
        prior_guidance=2.5,
    ).prior
    assert (flow.num_steps, flow.guidance, len(flow.velocity.blocks)) == (5, 2.5, 3)
    assert flow.velocity.in_lin.out_features == 24
    with pytest.raises(TypeError, match="num_steps"):
        build_graph_vae(4, (1, 2, 3), [0, 1], prior="coupling_flow", prior_steps=5)
    with pytest.raises(TypeError, match="hidden_channels"):
        build_graph_vae(4, (1, 2, 3), [0, 1], prior_channels=24)


def test_a_prior_in_one_step_without_its_teacher() -> None:
    arguments = {"prior": "one_step", "prior_channels": 16, "latent_channels": 8}
    whole = build_graph_vae(4, (1, 2, 3), [0, 1, 2], **arguments)
    less = build_graph_vae(4, (1, 2, 3), [0, 1, 2], prior_teacher=False, **arguments)
    gone = whole.state_dict().keys() - less.state_dict().keys()
    assert less.state_dict().keys() < whole.state_dict().keys()
    assert {name.split(".")[1] for name in gone} == {"velocity"}
    assert less.sample(3).num_graphs == 3
    with pytest.raises(TypeError, match="has_teacher"):
        build_graph_vae(4, (1, 2, 3), [0, 1, 2], prior_teacher=False)
