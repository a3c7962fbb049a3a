"""A trained model whose flow is to be distilled."""

from __future__ import annotations

import os
from dataclasses import replace

from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import OneStepPrior, RectifiedFlowPrior
from pyg_topn.pretrained import load
from pyg_topn.recipe import Recipe

OWN = ("prior.student.", "prior.has_begun")  # What a teacher does not have.


def without_its_stages(chosen: Recipe) -> Recipe:
    """The recipe for a teacher that is trained already: what comes after its stages."""
    if chosen.model.get("prior") != "one_step":
        raise ValueError(
            "Expected prior 'one_step' with a teacher, which it learns from "
            f"(got '{chosen.model.get('prior', 'gaussian')}')"
        )
    left = [stage for stage in chosen.stages if stage.kind in ("distillation", "decoder")]
    whole = sum(stage.share for stage in left)
    return replace(chosen, stages=tuple(replace(each, share=each.share / whole) for each in left))


def read_teacher(teacher: str | os.PathLike[str]) -> GraphVAE:
    """Load a model that has a flow to be distilled."""
    known = load(teacher)
    if not isinstance(known, GraphVAE) or not isinstance(known.prior, RectifiedFlowPrior):
        prior = known.prior.label if isinstance(known, GraphVAE) else "no prior that is a flow"
        raise ValueError(
            "Expected a teacher that is a graph VAE with a rectified flow "
            f"(got {known.__class__.__name__} in '{teacher}', {prior})"
        )
    if isinstance(known.prior, OneStepPrior) and not known.prior.has_teacher:
        raise ValueError(
            "Expected a teacher with a rectified flow "
            f"(got one in '{teacher}' of which only the distilled step is left)"
        )
    return known


def learn_from(model: GraphVAE, known: GraphVAE) -> None:
    """Take everything but the student from a teacher."""
    state = known.state_dict()
    if not isinstance(known.prior, OneStepPrior):
        state.update({k: v for k, v in model.state_dict().items() if k.startswith(OWN)})
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[1].strip()
        raise ValueError(
            f"Expected a teacher of the shape of the model (got another: {reason}). "
            "Give the creation layer, the conditions and the recipe that it was trained with."
        ) from None
