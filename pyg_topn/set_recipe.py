"""What a training run on sets is made of, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyg_topn.resolver import CREATIONS

SCHEDULES = ("cosine", "plateau", "constant")
SET_PRIORS = ("gaussian", "rectified_flow")

# Arguments of the model that are not a matter of `model`, and why.
_SETTLED = {
    "creation": "it is a field of its own",
    "prior": "it is a field of its own, and a flow has to be fitted",
    "size_histogram": "it is that of the data",
    "predict_size": "no predictor of sizes is trained",
    "cond_channels": "the data have no conditions",
}


@dataclass(frozen=True)
class SetRecipe:
    r"""The named arguments of a training run of a set VAE.

    Args:
        creation: The creation layer.
        learning_rate: At its highest.
        schedule: ``"cosine"``: the rate grows during a twentieth of the run, and falls to 0 along a
            cosine. ``"plateau"``: it is halved when the reconstruction of an epoch has not improved
            for 750 of them, as in the paper. ``"constant"``.
        batch_size: Sets a step.
        p: The order of the Wasserstein distance that is minimised: 2 as in the paper, or 1.
        weights: Weights of the terms of :class:`~pyg_topn.losses.SetVAELoss` that are to have
            others.
        model: Arguments of :func:`~pyg_topn.models.build_set_vae`, but for the creation layer and
            the prior, which have fields of their own, and what follows from the data.
        data: Arguments of :class:`~pyg_topn.datasets.SyntheticMolecules`.
        num_sets: How many sets to train on.
        prior: ``"gaussian"``, as in the paper, or ``"rectified_flow"``, which is fitted to latent
            vectors of the data in the last part of a run.
        flow_share: How much of a run that part takes.
        flow_batch: Latent vectors a step of it.
        flow_noise: What latent vectors of the data are drawn with to fit a flow, in standard
            deviations of their posteriors; 0 for the means.

    Raises:
        ValueError: If there is no such creation layer, schedule or prior, a number is out of
            range, or :obj:`model` holds what is settled elsewhere.

    Example:
        >>> SetRecipe("first_n", weights={"neighbor": 10.0}).learning_rate
        0.002
    """

    creation: str = "top_n"
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    batch_size: int = 64
    p: int = 2
    weights: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, int] = field(default_factory=dict)
    num_sets: int = 2000
    prior: str = "gaussian"
    flow_share: float = 0.3
    flow_batch: int = 512
    flow_noise: float = 1.0

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("creation layer", self.creation, CREATIONS),
            ("schedule", self.schedule, SCHEDULES),
            ("prior", self.prior, SET_PRIORS),
        ):
            if value not in known:
                raise ValueError(f"Expected a {kind} among {', '.join(known)} (got '{value}')")
        self._check_numbers()
        for name in self.model:
            if name in _SETTLED:
                raise ValueError(
                    f"Expected '{name}' not among the arguments of 'model': {_SETTLED[name]} "
                    "(got one)"
                )

    def _check_numbers(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"Expected 'learning_rate' above 0 (got {self.learning_rate})")
        for name, least in (("batch_size", 1), ("num_sets", 2), ("flow_batch", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"Expected '{name}' to be an integer of at least {least} (got {value})"
                )
        if not 0 < self.flow_share < 1:
            raise ValueError(f"Expected 'flow_share' between 0 and 1 (got {self.flow_share})")
        if not 0 <= self.flow_noise <= 1:
            raise ValueError(f"Expected 'flow_noise' between 0 and 1 (got {self.flow_noise})")

    @property
    def stages(self) -> tuple[float, ...]:
        """The shares of a run: of the model, and of its prior if that is fitted afterwards."""
        return (1.0,) if self.prior == "gaussian" else (1 - self.flow_share, self.flow_share)
