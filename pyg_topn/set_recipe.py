"""What a training run on sets is made of, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyg_topn.resolver import CREATIONS

SCHEDULES = ("cosine", "plateau", "constant")
SET_PRIORS = ("gaussian", "rectified_flow")


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
        model: Arguments of :func:`~pyg_topn.models.build_set_vae`.
        data: Arguments of :class:`~pyg_topn.datasets.SyntheticMolecules`.
        num_sets: How many sets to train on.
        prior: ``"gaussian"``, as in the paper, or ``"rectified_flow"``, which is fitted to latent
            vectors of the data in the last part of a run.
        flow_share: How much of a run that part takes.
        flow_batch: Latent vectors a step of it.
        flow_noise: What latent vectors of the data are drawn with to fit a flow, in standard
            deviations of their posteriors; 0 for the means.

    Raises:
        ValueError: If there is no such creation layer, schedule or prior, or a number is out of
            range.

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
        if not self.learning_rate > 0:
            raise ValueError(f"Expected 'learning_rate' above 0 (got {self.learning_rate})")
        if self.num_sets < 2:
            raise ValueError(f"Expected 'num_sets' to be at least 2 (got {self.num_sets})")
        if not 0 < self.flow_share < 1:
            raise ValueError(f"Expected 'flow_share' between 0 and 1 (got {self.flow_share})")
        if self.flow_batch < 1:
            raise ValueError(f"Expected 'flow_batch' to be at least 1 (got {self.flow_batch})")
        if not 0 <= self.flow_noise <= 1:
            raise ValueError(f"Expected 'flow_noise' between 0 and 1 (got {self.flow_noise})")

    @property
    def stages(self) -> tuple[float, ...]:
        """The shares of a run: of the model, and of its prior if that is fitted afterwards."""
        return (1.0,) if self.prior == "gaussian" else (1 - self.flow_share, self.flow_share)
