"""What the losses that add up named terms do alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from pyg_topn.nn.encoder.gaussian import DiagonalGaussian


def check_weights(weights: Mapping[str, float], terms: Collection[str]) -> None:
    """Check that weights are not negative and belong to terms."""
    for term, weight in weights.items():
        if term not in terms or not weight >= 0:
            raise ValueError(
                f"Expected weights >= 0 of terms among {', '.join(terms)} "
                f"(got {weight} of '{term}')"
            )


def divergence_term(
    posterior: DiagonalGaussian | None, divergence: Tensor | None
) -> dict[str, Tensor]:
    """The mean divergence as ``"kl"``, from N(0, I) if no other is given; nothing without both."""
    if divergence is None and posterior is not None:
        divergence = posterior.kl()
    if divergence is None:
        return {}
    return {"kl": divergence.sum() / max(divergence.numel(), 1)}
