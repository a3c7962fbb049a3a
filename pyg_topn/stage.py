"""A stage of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("joint", "flow", "distillation", "decoder")


@dataclass(frozen=True)
class Stage:
    r"""A stage of a training run.

    Args:
        kind: ``"joint"`` trains encoder, decoder and a prior that has a density together;
            ``"flow"`` fits a rectified flow on the latent vectors of the encoder, and nothing
            else; ``"distillation"`` fits a network that takes all its steps at once;
            ``"decoder"`` trains the decoder, on the data and on samples of the prior.
        share: How much of the run it takes.
        learning_rate: At its highest; it falls to 0 along a cosine.

    Raises:
        ValueError: If there is no such kind, or a number is out of range.

    Example:
        >>> Stage("joint", 0.5, 2e-3).share
        0.5
    """

    kind: str
    share: float
    learning_rate: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Expected a stage among {', '.join(KINDS)} (got '{self.kind}')")
        if not 0 < self.share <= 1:
            raise ValueError(f"Expected 'share' above 0 and at most 1 (got {self.share})")
        if not self.learning_rate > 0:
            raise ValueError(f"Expected 'learning_rate' above 0 (got {self.learning_rate})")


def place(shares: Sequence[float], progress: float) -> tuple[int, float]:
    """Return which stage a run is in, and the share of that stage that is over.

    Args:
        shares: How much of the run each stage takes; the last takes what is left.
        progress: The share of the run that is over.

    Example:
        >>> place((0.5, 0.5), 0.75)
        (1, 0.5)
    """
    # The last stage has what is left, whatever rounding makes of it.
    begin = 0.0
    for index, share in enumerate(shares[:-1]):
        if progress < begin + share:
            return index, (progress - begin) / share
        begin += share
    return len(shares) - 1, min(1.0, (progress - begin) / shares[-1])
