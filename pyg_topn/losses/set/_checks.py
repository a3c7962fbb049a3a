"""Arguments of the losses, checked; and what is made of one value a set."""

from __future__ import annotations

from torch import Tensor

REDUCTIONS = ("mean", "sum", "none")


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Check that an argument is one of a few values."""
    if isinstance(value, bool) or value not in choices:  # True is equal to 1.
        names = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"Expected '{name}' to be one of {names} (got {value!r})")


def check_positive(name: str, value: float) -> None:
    """Check that a number is above 0, and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(f"Expected '{name}' to be positive and finite (got {value})")


def reduced(values: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of one value a set, [B], or the values; the mean of none is 0."""
    if reduction == "none":
        return values
    return values.sum() / (max(values.numel(), 1) if reduction == "mean" else 1)
