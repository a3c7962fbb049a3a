"""Rows of few classes, of which there is one for every pair of nodes.

A softmax over four numbers that lie side by side works on one row at a time; over four long columns
it works on as many rows as fit into a register. So logits are kept as columns where that is free,
and read as columns everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor


def to_few_classes(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Return logits of few classes, :math:`[P, C]`, the values of a linear layer, as columns in
    memory.

    Args:
        x: The input, :math:`[P, D]`.
        weight: The weights, :math:`[C, D]`.
        bias: The biases, :math:`[C]`.

    Example:
        >>> logits = to_few_classes(torch.ones(5, 2), torch.ones(3, 2), torch.zeros(3))
        >>> logits.shape, logits.stride()
        (torch.Size([5, 3]), (1, 5))
    """
    return torch.addmm(bias.unsqueeze(1), weight, x.t()).t()


def softmax_of_few(logits: Tensor) -> Tensor:
    r"""Return the probabilities of few classes, :math:`[P, C]`.

    Args:
        logits: The logits, :math:`[P, C]`.

    Example:
        >>> softmax_of_few(torch.zeros(2, 4))
        tensor([[0.2500, 0.2500, 0.2500, 0.2500],
                [0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return logits.t().softmax(dim=0).t()


def log_softmax_of_few(logits: Tensor) -> Tensor:
    r"""Return the logarithms of the probabilities of few classes, :math:`[P, C]`.

    Args:
        logits: The logits, :math:`[P, C]`.

    Example:
        >>> log_softmax_of_few(torch.zeros(1, 1))
        tensor([[0.]])
    """
    return logits.t().log_softmax(dim=0).t()
