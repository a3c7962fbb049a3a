"""Recipes of training runs on sets: what is asked for is checked before any work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from pyg_topn.set_recipe import SetRecipe


def test_what_is_given_is_kept() -> None:
    recipe = SetRecipe("mlp", schedule="plateau", weights={"kl": 0.1})
    assert asdict(recipe)["weights"] == {"kl": 0.1}
    assert (recipe.creation, recipe.schedule, recipe.p) == ("mlp", "plateau", 2)


def test_a_flow_takes_a_part_of_the_run() -> None:
    assert SetRecipe().stages == (1.0,)
    assert SetRecipe(prior="rectified_flow", flow_share=0.25).stages == (0.75, 0.25)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"creation": "big_bang"}, r"Expected a creation layer among top_n, .*\(got 'big_bang'\)"),
        ({"schedule": "linear"}, r"Expected a schedule among cosine, .*\(got 'linear'\)"),
        ({"learning_rate": 0.0}, r"Expected 'learning_rate' above 0 \(got 0\.0\)"),
        ({"prior": "coupling_flow"}, r"Expected a prior among gaussian, .*\(got 'coupling_flow'\)"),
        ({"flow_share": 0.0}, r"Expected 'flow_share' between 0 and 1 \(got 0\.0\)"),
        ({"learning_rate": float("inf")}, r"Expected 'learning_rate' above 0 \(got inf\)"),
        ({"flow_batch": 0}, r"Expected 'flow_batch' to be an integer of at least 1 \(got 0\)"),
        ({"flow_batch": 2.5}, r"Expected 'flow_batch' to be an integer .*\(got 2\.5\)"),
        ({"batch_size": 8.0}, r"Expected 'batch_size' to be an integer .*\(got 8\.0\)"),
        ({"flow_noise": 1.5}, r"Expected 'flow_noise' between 0 and 1 \(got 1\.5\)"),
        ({"num_sets": 1}, r"Expected 'num_sets' to be an integer of at least 2 \(got 1\)"),
        ({"model": {"creation": "iid"}}, r"Expected 'creation' not among .* a field of its own"),
        ({"model": {"prior": "rectified_flow"}}, r"Expected 'prior' not among .*\(got one\)"),
        ({"model": {"size_histogram": [0, 1]}}, r"Expected 'size_histogram' not among"),
        ({"model": {"predict_size": True}}, r"Expected 'predict_size' not among .* is trained"),
        ({"model": {"cond_channels": 1}}, r"Expected 'cond_channels' not among .* conditions"),
    ],
)
def test_what_is_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SetRecipe(**arguments)
