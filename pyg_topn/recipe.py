"""Everything that a training run is made of, by name, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pyg_topn.losses.matching import MATCHERS
from pyg_topn.resolver import CREATIONS


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
        learning_rate: At its highest.
        batch_size: Graphs a step.
        kl_warm_up: The share of the run in which the weight of the divergence grows: the decoder
            learns to read the latent vector first.
        penalty_warm_up: Between which shares of the run the weight of the penalties grows: they
            ask for valid graphs, which is easiest for a decoder that ignores the latent vector.
        ema_decay: Of the exponential moving average of the weights; 0 for none.

    Example:
        >>> recipe("default", creation="first_n").model["creation"]
        'first_n'
    """

    model: dict[str, Any] = field(default_factory=dict)
    matcher: str = "canonical"
    weights: dict[str, float] = field(default_factory=dict)
    regularizer: dict[str, float] = field(default_factory=dict)
    prior_share: float = 0.25
    learning_rate: float = 2e-3
    batch_size: int = 512
    kl_warm_up: float = 0.5
    penalty_warm_up: tuple[float, float] = (0.25, 0.75)
    ema_decay: float = 0.998

    def kl_ramp(self, progress: float) -> float:
        """Return the weight of the divergence, as a share of its last, at a share of the run."""
        return min(1.0, 0.02 + progress / self.kl_warm_up)

    def penalty_ramp(self, progress: float) -> float:
        """Return the weight of the penalties, as a share of its last, at a share of the run."""
        begin, end = self.penalty_warm_up
        return min(1.0, max(0.0, (progress - begin) / (end - begin)))


_AUXILIARY = ("formula", "edge_count", "edge_type_share", "valency")

RECIPES = {
    # The best one found: targets in a canonical order, an encoder that knows positions, rounds in
    # which nodes and edges see each other, and penalties on samples of the prior.
    "default": Recipe(
        weights={"kl": 0.5, **dict.fromkeys(_AUXILIARY, 0.0)},
        regularizer={"valency": 0.25, "connectivity": 1.0},
        batch_size=256,
    ),
    # The paper as printed: D.3.
    "paper": Recipe(
        model={"readout": "pna", "num_rounds": 0},
        matcher="atom_score",
        learning_rate=2e-3,
        ema_decay=0.0,
    ),
}


def recipe(name: str = "default", creation: str = "top_n", matcher: str | None = None) -> Recipe:
    r"""Return a recipe with a creation layer and a matcher.

    Args:
        name: ``"default"`` or ``"paper"``.
        creation: The creation layer.
        matcher: The matcher, if not the recipe's own. Unless targets are in a canonical order,
            an encoder that knows positions in it has nothing to gain, so the readout goes with it.

    Raises:
        ValueError: If there is no such recipe, creation layer or matcher.
    """
    if name not in RECIPES:
        raise ValueError(f"Expected a recipe among {', '.join(RECIPES)} (got '{name}')")
    if creation not in CREATIONS:
        raise ValueError(
            f"Expected a creation layer among {', '.join(CREATIONS)} (got '{creation}')"
        )
    chosen = RECIPES[name]
    if matcher is not None and matcher not in MATCHERS:
        raise ValueError(f"Expected a matcher among {', '.join(MATCHERS)} (got '{matcher}')")
    matcher = matcher or chosen.matcher
    readout = "canonical" if matcher == "canonical" else "pna"
    return replace(
        chosen, model={**chosen.model, "creation": creation, "readout": readout}, matcher=matcher
    )
