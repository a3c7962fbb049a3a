"""Creation layers and priors by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_topn.nn.creation import FirstNCreation, IIDCreation, MLPCreation, TopNCreation
from pyg_topn.nn.prior import CouplingFlowPrior, GaussianPrior, OneStepPrior, RectifiedFlowPrior
from pyg_topn.resolver import (
    CREATIONS,
    PRIORS,
    creation_name,
    creation_resolver,
    prior_resolver,
)

CASES = {
    "top_n": (TopNCreation, {"num_reference_points": 12}),
    "first_n": (FirstNCreation, {"max_num_nodes": 9}),
    "mlp": (MLPCreation, {"max_num_nodes": 9}),
    "iid": (IIDCreation, {}),
}
PRIOR_CASES = {
    "gaussian": (GaussianPrior, {}),
    "coupling_flow": (CouplingFlowPrior, {"max_num_nodes": 9, "num_layers": 3}),
    "rectified_flow": (RectifiedFlowPrior, {"max_num_nodes": 9, "num_steps": 5}),
    "one_step": (OneStepPrior, {"max_num_nodes": 9, "guidance": 2.0}),
}


@pytest.mark.parametrize("name", CREATIONS)
def test_every_name_has_its_layer(name: str) -> None:
    kind, kwargs = CASES[name]
    layer = creation_resolver(name, latent_channels=8, out_channels=16, **kwargs)
    assert type(layer) is kind
    batch = layer(torch.randn(2, 8), torch.tensor([3, 1]))
    assert batch.x.shape == (4, 16)


def test_every_name_is_tested() -> None:
    assert set(CASES) == set(CREATIONS)


def test_a_class_name_will_do() -> None:
    assert isinstance(
        creation_resolver("MLPCreation", latent_channels=8, out_channels=16, max_num_nodes=9),
        MLPCreation,
    )


@pytest.mark.parametrize("name", CREATIONS)
def test_what_is_resolved_has_one_name(name: str) -> None:
    kind, kwargs = CASES[name]
    for query in (name, name.upper(), name.replace("_", "-"), kind.__name__):
        assert creation_name(query) == name
        channels = {"latent_channels": 8, "out_channels": 16}
        assert isinstance(creation_resolver(query, **channels, **kwargs), kind)
    assert creation_name("big_bang") == "big_bang"


def test_a_layer_is_returned_as_it_is() -> None:
    layer = IIDCreation(8, 16)
    assert creation_resolver(layer) is layer


@pytest.mark.parametrize("query", ["big_bang", "", "Creation"])
def test_unknown_names_are_refused_with_those_there_are(query: str) -> None:
    with pytest.raises(ValueError, match=rf"among top_n, first_n, mlp, iid \(got '{query}'\)"):
        creation_resolver(query, latent_channels=8, out_channels=16)


@pytest.mark.parametrize("query", [None, 3, TopNCreation])
def test_other_types_are_refused(query: Any) -> None:
    with pytest.raises(TypeError, match="Expected a creation layer or its name"):
        creation_resolver(query)


def test_errors_of_the_layer_come_through() -> None:
    with pytest.raises(TypeError, match="colour"):
        creation_resolver("iid", latent_channels=8, out_channels=16, colour="red")
    with pytest.raises(ValueError, match="Expected"):
        creation_resolver("top_n", latent_channels=8, out_channels=16, num_reference_points=0)


@pytest.mark.parametrize("name", PRIORS)
def test_every_name_has_its_prior(name: str) -> None:
    kind, kwargs = PRIOR_CASES[name]
    prior = prior_resolver(name, latent_channels=8, **kwargs)
    assert type(prior) is kind
    assert prior.latent_channels == 8
    assert all(getattr(prior, key) == value for key, value in kwargs.items())
    assert prior.sample(torch.tensor([3, 1])).shape == (2, 8)


def test_every_name_of_a_prior_is_tested() -> None:
    assert set(PRIOR_CASES) == set(PRIORS)


def test_a_prior_is_returned_as_it_is() -> None:
    prior = GaussianPrior(8)
    assert prior_resolver(prior) is prior


@pytest.mark.parametrize("query", ["big_bang", "", "Prior"])
def test_unknown_priors_are_refused_with_those_there_are(query: str) -> None:
    names = "gaussian, coupling_flow, rectified_flow, one_step"
    with pytest.raises(ValueError, match=rf"a prior among {names} \(got '{query}'\)"):
        prior_resolver(query, latent_channels=8)


@pytest.mark.parametrize("query", [None, 3, GaussianPrior])
def test_other_types_are_no_priors(query: Any) -> None:
    with pytest.raises(TypeError, match="Expected a prior or its name .got (NoneType|int|ABCMeta)"):
        prior_resolver(query)


def test_errors_of_the_prior_come_through() -> None:
    with pytest.raises(TypeError, match="max_num_nodes"):
        prior_resolver("gaussian", latent_channels=8, max_num_nodes=9)
    with pytest.raises(TypeError, match="max_num_nodes"):
        prior_resolver("coupling_flow", latent_channels=8)
    with pytest.raises(ValueError, match="'max_num_nodes' to be at least 1 .got 0"):
        prior_resolver("rectified_flow", latent_channels=8, max_num_nodes=0)
