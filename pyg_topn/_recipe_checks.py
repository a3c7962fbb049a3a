"""What is checked of a recipe before a run begins: most of it would fail hours later otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pyg_topn.losses.matching import MATCHERS
from pyg_topn.losses.prior_regularizer import PENALTIES

if TYPE_CHECKING:
    from pyg_topn.recipe import Recipe

# The priors that have something to fit in a stage.
_NEEDS = {"flow": ("rectified_flow", "one_step"), "distillation": ("one_step",)}


def check_recipe(recipe: Recipe) -> None:
    """Raise a ValueError that says what was expected and what came."""
    if recipe.matcher not in MATCHERS:
        raise ValueError(f"Expected a matcher among {', '.join(MATCHERS)} (got '{recipe.matcher}')")
    for name, weight in recipe.regularizer.items():
        if name not in PENALTIES:
            raise ValueError(f"Expected penalties among {', '.join(PENALTIES)} (got '{name}')")
        if not 0 <= weight < math.inf:
            raise ValueError(f"Expected the weight of '{name}' to be at least 0 (got {weight})")
    _check_numbers(recipe)
    _check_stages(recipe)


def _check_numbers(recipe: Recipe) -> None:
    for name in ("flow_batches", "batch_size"):
        if getattr(recipe, name) < 1:
            raise ValueError(f"Expected '{name}' to be at least 1 (got {getattr(recipe, name)})")
    for name in ("prior_share", "hard_share", "flow_noise"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise ValueError(f"Expected '{name}' between 0 and 1 (got {getattr(recipe, name)})")
    if not 0 <= recipe.ema_decay < 1:
        raise ValueError(f"Expected 'ema_decay' from 0 to below 1 (got {recipe.ema_decay})")
    if not recipe.kl_warm_up > 0:
        raise ValueError(f"Expected 'kl_warm_up' above 0 (got {recipe.kl_warm_up})")
    begin, end = recipe.penalty_warm_up
    if not 0 <= begin < end:
        raise ValueError(
            "Expected 'penalty_warm_up' to be two shares, the second one larger "
            f"(got {begin} and {end})"
        )


def _check_stages(recipe: Recipe) -> None:
    total = sum(stage.share for stage in recipe.stages)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise ValueError(f"Expected 'stages' whose shares add up to 1 (got {total:g})")
    prior = recipe.model.get("prior", "gaussian")
    for stage in recipe.stages:
        needed = _NEEDS.get(stage.kind, (prior,))
        if prior not in needed:
            raise ValueError(
                f"Expected prior {' or '.join(needed)} for a stage '{stage.kind}' (got '{prior}')"
            )
