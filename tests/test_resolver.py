"""Creation layers by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_topn.nn.creation import FirstNCreation, IIDCreation, MLPCreation, TopNCreation
from pyg_topn.nn.prior import CouplingFlowPrior, GaussianPrior, Prior, RectifiedFlowPrior
from pyg_topn.resolver import CREATIONS, PRIORS, creation_resolver, prior_resolver

CASES = {
    "top_n": (TopNCreation, {"num_reference_points": 12}),
    "first_n": (FirstNCreation, {"max_num_nodes": 9}),
    "mlp": (MLPCreation, {"max_num_nodes": 9}),
    "iid": (IIDCreation, {}),
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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gaussian", GaussianPrior),
        ("coupling_flow", CouplingFlowPrior),
        ("rectified_flow", RectifiedFlowPrior),
    ],
)
def test_every_name_has_its_prior(name: str, kind: type[Prior]) -> None:
    sizes = {} if name == "gaussian" else {"max_num_nodes": 9}
    prior = prior_resolver(name, latent_channels=8, **sizes)
    assert type(prior) is kind
    assert prior.sample(torch.tensor([3, 1])).shape == (2, 8)
    assert prior_resolver(prior) is prior
    assert name in PRIORS


def test_unknown_priors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"among gaussian, coupling_flow, .* \(got 'beta'\)"):
        prior_resolver("beta", latent_channels=8)
    with pytest.raises(TypeError, match=r"a prior or its name \(got int\)"):
        prior_resolver(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hidden_channels"):
        prior_resolver("gaussian", latent_channels=8, hidden_channels=3)
