"""Logits as columns: the same numbers, and the same gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_topn.utils.few_classes import log_softmax_of_few, softmax_of_few, to_few_classes


def gradients(value: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    weight = torch.linspace(-1, 1, value.numel(), dtype=value.dtype).view_as(value)
    return torch.autograd.grad(
        (value * weight).sum(), leaves, retain_graph=True, materialize_grads=True
    )


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("classes", [1, 4])
def test_the_same_as_by_rows(rows: int, classes: int) -> None:
    x = torch.randn(rows, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(classes, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(classes, dtype=torch.float64, requires_grad=True)
    leaves = [x, weight, bias]
    logits, expected = to_few_classes(x, weight, bias), F.linear(x, weight, bias)
    torch.testing.assert_close(logits, expected)
    for ours, theirs in (
        (logits, expected),
        (softmax_of_few(logits), expected.softmax(1)),
        (softmax_of_few(expected), expected.softmax(1)),  # Rows do as well.
        (log_softmax_of_few(logits), expected.log_softmax(1)),
    ):
        assert ours.shape == (rows, classes)
        torch.testing.assert_close(ours, theirs)
        for found, known in zip(gradients(ours, leaves), gradients(theirs, leaves), strict=True):
            torch.testing.assert_close(found, known)


def test_logits_are_columns() -> None:
    logits = to_few_classes(torch.randn(7, 5), torch.randn(4, 5), torch.zeros(4))
    assert logits.t().is_contiguous()
