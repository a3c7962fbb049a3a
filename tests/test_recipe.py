"""Recipes: what belongs together comes together."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pyg_topn.losses import GraphVAELoss
from pyg_topn.losses.matching import MATCHERS, matcher_resolver
from pyg_topn.models import build_graph_vae
from pyg_topn.recipe import RECIPES, Recipe, plain, recipe
from pyg_topn.resolver import CREATIONS, PRIORS
from pyg_topn.stage import Stage


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("matcher", [None, *MATCHERS])
def test_every_recipe_makes_a_model_and_a_loss(
    name: str, creation: str, matcher: str | None
) -> None:
    chosen = recipe(name, creation, matcher)
    assert chosen.model["creation"] == creation
    assert chosen.matcher == (matcher or RECIPES[name].matcher)
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2], **chosen.model)
    assert vae.sample(2).num_graphs == 2
    GraphVAELoss(matcher_resolver(chosen.matcher), (1, 2, 3), chosen.weights)


@pytest.mark.parametrize("name", RECIPES)
def test_the_readout_goes_with_the_matcher(name: str) -> None:
    assert recipe(name, matcher="canonical").model["readout"] == "canonical"
    assert recipe(name, matcher="atom_score").model["readout"] == "pna"
    assert recipe(name, matcher="none").model["readout"] == "pna"


def test_the_paper_is_as_printed() -> None:
    paper = recipe("paper")
    assert (paper.matcher, paper.ema_decay) == ("atom_score", 0.0)
    assert paper.stages == (Stage("joint", 1.0, 2e-3),)
    assert paper.model == {"creation": "top_n", "readout": "pna", "num_rounds": 0}
    assert paper.weights == {"kl": 0.002}  # all terms of D.3, the others with a weight of 1
    assert paper.regularizer == {}


def test_the_default_learns_a_canonical_order() -> None:
    default = recipe()
    assert (default.matcher, default.model["readout"]) == ("canonical", "canonical")
    assert all(weight > 0 for weight in default.regularizer.values())
    assert default.kl_ramp(1.0) == default.penalty_ramp(1.0) == 1.0
    assert default.ema_decay > 0


def test_recipes_do_not_change() -> None:
    before = {name: dataclasses.asdict(chosen) for name, chosen in RECIPES.items()}
    recipe("paper", "mlp", "canonical").model["creation"] = "iid"
    recipe("default").weights["kl"] = 9.0
    recipe("default").regularizer["valency"] = 9.0
    assert {name: dataclasses.asdict(chosen) for name, chosen in RECIPES.items()} == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().matcher = "none"  # type: ignore[misc]


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"a recipe among default, paper \(got 'soup'\)"):
        recipe("soup")
    with pytest.raises(ValueError, match=r"among top_n, first_n, mlp, iid \(got 'big_bang'\)"):
        recipe(creation="big_bang")
    with pytest.raises(ValueError, match=r"a matcher among atom_score, .*none \(got 'tinder'\)"):
        recipe(matcher="tinder")
    with pytest.raises(ValueError, match=r"gaussian, coupling_flow, .* \(got 'beta'\)"):
        recipe(prior="beta")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("prior", PRIORS)
def test_stages_go_with_the_prior(name: str, prior: str) -> None:
    chosen = recipe(name, prior=prior)
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2], **chosen.model)
    kinds = [stage.kind for stage in chosen.stages]
    if prior == "rectified_flow":
        assert kinds == ["joint", "flow", "decoder"]
        assert "rectified flow" in vae.prior.label
    elif prior == "one_step":
        assert kinds == ["joint", "flow", "distillation", "decoder"]
        assert vae.prior.label.endswith("guidance 3, distilled to one step")
    else:
        assert kinds == ["joint"]
    assert sum(stage.share for stage in chosen.stages) == pytest.approx(1)
    assert set(chosen.regularizer) == set(RECIPES[name].regularizer)
    if name == "default" and prior in ("gaussian", "coupling_flow"):
        assert chosen.regularizer == {"valency": 0.25, "connectivity": 1.0}
        assert (chosen.weights["kl"], chosen.prior_share) == (0.5, 0.25)
        assert chosen.penalty_warm_up == (0.25, 0.75)
    if prior == RECIPES[name].model.get("prior", "gaussian"):
        assert chosen.regularizer == RECIPES[name].regularizer


def test_the_place_in_a_run() -> None:
    chosen = Recipe(
        model={"prior": "rectified_flow"},
        stages=(Stage("joint", 0.5, 1.0), Stage("flow", 0.3, 1.0), Stage("decoder", 0.2, 1.0)),
    )
    places = [chosen.stage_at(progress) for progress in (0.0, 0.25, 0.5, 0.65, 0.8, 0.9, 1.0, 1.5)]
    assert [stage.kind for stage, _ in places] == ["joint"] * 2 + ["flow"] * 2 + ["decoder"] * 4
    expected = [0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 1.0, 1.0]
    assert [share for _, share in places] == pytest.approx(expected)


def test_other_changes() -> None:
    stages = (Stage("joint", 1.0, 1e-3),)
    chosen = recipe(
        "default", model={"num_reference_points": 20}, weights={"node": 2.0}, stages=stages
    )
    own = RECIPES["default"]
    expected = {**own.model, "creation": "top_n", "readout": "canonical"}
    assert chosen.model == {**expected, "num_reference_points": 20}
    assert chosen.weights == {**own.weights, "node": 2.0}
    assert chosen.stages == stages
    assert chosen.regularizer == own.regularizer
    with pytest.raises(ValueError, match=r"fields among model, .*ema_decay \(got 'layers'\)"):
        recipe("default", layers=3)


def test_changes_as_plain_types() -> None:
    changes = {"stages": (Stage("joint", 1.0, 1e-3),), "batch_size": 3}
    stage = {"kind": "joint", "share": 1.0, "learning_rate": 1e-3}
    assert plain(changes) == {"stages": [stage], "batch_size": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regularizer": {"conectivity": 1.0}}, r"penalties among valency, connectivity \(got"),
        ({"regularizer": {"valency": -1.0}}, r"weight of 'valency' to be at least 0 \(got -1.0\)"),
        ({"matcher": "tinder"}, r"a matcher among .* \(got 'tinder'\)"),
        ({"batch_size": 0}, r"'batch_size' to be at least 1 \(got 0\)"),
        ({"flow_noise": -1.0}, r"'flow_noise' between 0 and 1 \(got -1.0\)"),
        ({"hard_share": 2.0}, r"'hard_share' between 0 and 1 \(got 2.0\)"),
        ({"ema_decay": 1.0}, r"'ema_decay' from 0 to below 1 \(got 1.0\)"),
        ({"kl_warm_up": 0.0}, r"'kl_warm_up' above 0 \(got 0.0\)"),
        ({"penalty_warm_up": (0.5, 0.5)}, r"'penalty_warm_up' .* larger \(got 0.5 and 0.5\)"),
        ({"stages": ()}, r"'stages' whose shares add up to 1 \(got 0\)"),
        ({"stages": (Stage("joint", 0.9, 1.0),) * 2}, r"'stages' .* \(got 1.8\)"),
        ({"stages": (Stage("flow", 1.0, 1.0),)}, r"rectified_flow .*stage 'flow' \(got 'gaussian'"),
    ],
)
def test_what_would_fail_in_the_middle_of_a_run_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)


@pytest.mark.parametrize("name", ["creation", "prior", "readout"])
def test_what_goes_with_others_is_no_change_of_the_model(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' not among changes of 'model'"):
        recipe(model={name: "mlp"})
