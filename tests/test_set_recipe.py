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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"creation": "big_bang"}, r"Expected a creation layer among top_n, .*\(got 'big_bang'\)"),
        ({"schedule": "linear"}, r"Expected a schedule among cosine, .*\(got 'linear'\)"),
        ({"learning_rate": 0.0}, r"Expected 'learning_rate' above 0 \(got 0\.0\)"),
        ({"num_sets": 1}, r"Expected 'num_sets' to be at least 2 \(got 1\)"),
    ],
)
def test_what_is_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SetRecipe(**arguments)
