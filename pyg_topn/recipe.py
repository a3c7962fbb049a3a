"""What recipes of a training run differ in, by name, in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pyg_topn._recipe_checks import check_recipe
from pyg_topn.losses.matching import MATCHERS
from pyg_topn.resolver import CREATIONS, PRIORS
from pyg_topn.stage import Stage, place


@dataclass(frozen=True)
class Recipe:
    r"""The named arguments of a training run.

    Args:
        model: Arguments of :func:`~pyg_topn.models.build_graph_vae`.
        matcher: How the target is aligned with the prediction.
        weights: Weights of the terms of :class:`~pyg_topn.losses.GraphVAELoss`.
        regularizer: Weights of the penalties of :class:`~pyg_topn.losses.PriorRegularizer` on
            samples of the prior; empty for none.
        prior_share: Graphs decoded from the prior, as a share of a batch.
        hard_share: In a stage of the decoder, the share of those that is drawn among samples whose
            most likely graph broke a rule.
        flow_batches: The batch that a flow is fitted with, in batches of graphs.
        flow_noise: What latent vectors of the data are drawn with to fit a flow, in standard
            deviations of their posteriors; 0 for the means.
        stages: What is trained, and how long, one stage after another.
        batch_size: Graphs a step.
        kl_warm_up: The share of the first stage in which the weight of the divergence grows: the
            decoder learns to read the latent vector first.
        penalty_warm_up: Between which shares of a stage the weight of the penalties grows: they
            ask for valid graphs, which is easiest for a decoder that ignores the latent vector.
        ema_decay: Of the exponential moving average of the weights; 0 for none.

    What all runs have in common is in the training itself: Adam, a learning rate that grows over
    100 steps and falls along a cosine in every stage, and gradients clipped to a norm of 5.

    Raises:
        ValueError: If a name is unknown, a number is out of range, or stages do not fit the prior.

    Example:
        >>> recipe("default", creation="first_n").model["creation"]
        'first_n'
    """

    model: dict[str, Any] = field(default_factory=dict)
    matcher: str = "canonical"
    weights: dict[str, float] = field(default_factory=dict)
    regularizer: dict[str, float] = field(default_factory=dict)
    prior_share: float = 0.25
    hard_share: float = 0.5
    flow_batches: int = 2
    flow_noise: float = 0.0
    stages: tuple[Stage, ...] = (Stage("joint", 1.0, 2e-3),)
    batch_size: int = 512
    kl_warm_up: float = 0.5
    penalty_warm_up: tuple[float, float] = (0.25, 0.75)
    ema_decay: float = 0.998

    def __post_init__(self) -> None:
        for name in ("model", "weights", "regularizer"):  # A recipe's own, not another's.
            object.__setattr__(self, name, dict(getattr(self, name)))
        object.__setattr__(self, "stages", tuple(self.stages))
        check_recipe(self)

    def stage_at(self, progress: float) -> tuple[Stage, float]:
        """Return the stage at a share of the run, and the share of that stage."""
        index, over = place([stage.share for stage in self.stages], progress)
        return self.stages[index], over

    def kl_ramp(self, progress: float) -> float:
        """Return the weight of the divergence, as a share of its last, at a share of a stage."""
        return min(1.0, 0.02 + progress / self.kl_warm_up)

    def penalty_ramp(self, progress: float) -> float:
        """Return the weight of the penalties, as a share of its last, at a share of a stage."""
        begin, end = self.penalty_warm_up
        return min(1.0, max(0.0, (progress - begin) / (end - begin)))


_AUXILIARY = ("formula", "edge_count", "edge_type_share", "valency")

_FLOW = {"prior_steps": 8, "prior_guidance": 3.0}

# What goes with a prior that is fitted after the encoder.
_STAGES = {
    "rectified_flow": (
        Stage("joint", 0.4, 2e-3),
        Stage("flow", 0.3, 2e-3),
        Stage("decoder", 0.3, 1e-3),
    ),
    # Samples of the prior cost the stage of the decoder less, so it is the shorter one.
    "one_step": (
        Stage("joint", 0.4, 2e-3),
        Stage("flow", 0.25, 2e-3),
        Stage("distillation", 0.15, 1e-3),
        Stage("decoder", 0.2, 1e-3),
    ),
}

_DEFAULT = Recipe(
    weights={"kl": 0.5, **dict.fromkeys(_AUXILIARY, 0.0)},
    regularizer={"valency": 0.25, "connectivity": 1.0},
    batch_size=256,
)

RECIPES = {
    # The best one found: targets in a canonical order, an encoder that knows positions, rounds in
    # which nodes and edges see each other, a weak divergence whose latent vectors a flow learns,
    # guided by a smaller one, and penalties on samples of that flow.
    "default": replace(
        _DEFAULT,
        model={"prior": "rectified_flow", **_FLOW},
        weights={**_DEFAULT.weights, "kl": 0.15},
        regularizer={"valency": 0.5, "connectivity": 1.0},
        prior_share=0.5,
        stages=_STAGES["rectified_flow"],
        kl_warm_up=0.25,
        penalty_warm_up=(0.0, 0.2),
    ),
    # The paper as printed: D.3. It prints no weights; that of the divergence is what the authors'
    # released configuration gives it beside the edges. With a weight of 1 the latent vector is
    # ignored, and no edge is ever likely.
    "paper": Recipe(
        model={"readout": "pna", "num_rounds": 0},
        matcher="atom_score",
        weights={"kl": 0.002},
        ema_decay=0.0,
    ),
}


def recipe(
    name: str = "default",
    creation: str = "top_n",
    matcher: str | None = None,
    prior: str | None = None,
    **changes: Any,
) -> Recipe:
    r"""Return a recipe with a creation layer, a matcher and a prior.

    Args:
        name: ``"default"`` or ``"paper"``.
        creation: The creation layer.
        matcher: The matcher, if not the recipe's own. Unless targets are in a canonical order,
            an encoder that knows positions in it has nothing to gain, so the readout goes with it.
        prior: The prior, if not the recipe's own. The stages and the weight of the divergence go
            with it: a rectified flow needs an encoder that keeps nearly everything, a prior that
            is trained along needs one that does not.
        **changes: Fields of :class:`Recipe` that take the place of the recipe's; those of
            ``model`` and ``weights`` are added to what is there.

    Raises:
        ValueError: If there is no such recipe, creation layer, matcher, prior or field.

    Example:
        >>> recipe(model={"num_reference_points": 20}, regularizer={}).regularizer
        {}
    """
    if name not in RECIPES:
        raise ValueError(f"Expected a recipe among {', '.join(RECIPES)} (got '{name}')")
    for kind, value, known in (
        ("creation layer", creation, CREATIONS),
        ("matcher", matcher, MATCHERS),
        ("prior", prior, PRIORS),
    ):
        if value is not None and value not in known:
            raise ValueError(f"Expected a {kind} among {', '.join(known)} (got '{value}')")
    chosen = RECIPES[name]
    own = chosen.model.get("prior", "gaussian")
    if prior is not None and prior != own:
        chosen = _with_prior(chosen, prior)
    matcher = matcher or chosen.matcher
    readout = "canonical" if matcher == "canonical" else "pna"
    model = {**chosen.model, "creation": creation, "readout": readout}
    return _changed(replace(chosen, model=model, matcher=matcher), changes)


def _changed(chosen: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other fields."""
    known = [each.name for each in fields(Recipe)]
    for name in changes:
        if name not in known:
            raise ValueError(f"Expected fields among {', '.join(known)} (got '{name}')")
    for name in ("creation", "prior", "readout"):
        if name in changes.get("model", {}):
            raise ValueError(
                f"Expected '{name}' not among changes of 'model': what goes with it would not "
                "change (got one). Choose a creation layer, a prior or a matcher instead."
            )
    added = {
        name: {**getattr(chosen, name), **changes[name]}
        for name in ("model", "weights")
        if name in changes
    }
    return replace(chosen, **{**changes, **added})


def plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of a recipe as plain JSON types, to compare and to keep."""
    text = json.dumps(dict(changes), default=asdict)
    return dict(json.loads(text))


def _with_prior(chosen: Recipe, prior: str) -> Recipe:
    """The recipe with another prior, and with what goes with it."""
    is_flow = prior in _STAGES
    source = RECIPES["default"] if is_flow else _DEFAULT
    own = {name: value for name, value in chosen.model.items() if name not in _FLOW}
    flow = _FLOW if is_flow else {}
    return replace(
        chosen,
        model={**own, "prior": prior, **flow},
        weights={**chosen.weights, "kl": source.weights["kl"]},
        stages=_STAGES.get(prior, _DEFAULT.stages),
        # How penalties come in goes with the prior; a recipe without any stays without.
        regularizer=source.regularizer if chosen.regularizer else {},
        prior_share=source.prior_share,
        kl_warm_up=source.kl_warm_up,
        penalty_warm_up=source.penalty_warm_up,
    )
