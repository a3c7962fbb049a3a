"""Draws from categorical distributions that do not wait for the device."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_categorical(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    r"""Draw a class from every row of logits.

    The draws are those of :func:`torch.multinomial` with the same generator. On a device, where
    that function waits in order to look whether the probabilities are valid, nothing is looked at.

    Args:
        logits: The logits, :math:`[M, K]`.
        generator: Where to draw from.

    Returns:
        The classes, :math:`[M]`, ``torch.int64``.

    Raises:
        RuntimeError: If logits on the CPU are not finite.

    Example:
        >>> draw_categorical(torch.tensor([[0.0, 99.0], [99.0, 0.0]]))
        tensor([1, 0])
    """
    if logits.size(0) == 0:
        return torch.empty(0, dtype=torch.int64, device=logits.device)
    probabilities = logits.softmax(dim=-1)
    if probabilities.is_cpu:
        return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)
    return _first_of_race(probabilities, generator)


def _first_of_race(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """The class whose exponential clock, with its probability as rate, rings first.

    This is how multinomial makes a single draw, without its checks.
    """
    noise = torch.empty_like(probabilities).exponential_(generator=generator)
    return (probabilities / noise).argmax(dim=-1)
