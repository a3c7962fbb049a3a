"""Tests for the encoder of conditions."""

from __future__ import annotations

import math

import pytest
import torch

from pyg_topn.nn.encoder import ConditionEncoder
from pyg_topn.nn.encoder.condition_encoder import check_condition

NAN = math.nan


def learnt(cond_channels: int = 2, dropout: float = 0.0) -> ConditionEncoder:
    """An encoder whose last layer is not zero any more."""
    encoder = ConditionEncoder(cond_channels, 8, dropout=dropout)
    torch.nn.init.normal_(encoder.mlp.lins[-1].weight)
    return encoder


def test_it_starts_at_zero() -> None:
    cond = torch.tensor([[1.0, -3.0], [NAN, 2.0]])
    assert torch.equal(ConditionEncoder(2, 8)(cond), torch.zeros(2, 8))


def test_units_do_not_matter_once_standardised() -> None:
    encoder = learnt()
    plain = encoder(torch.tensor([[1.0, -0.5]]))
    encoder.standardise(torch.tensor([10.0, 0.0]), torch.tensor([2.0, 4.0]))
    torch.testing.assert_close(encoder(torch.tensor([[12.0, -2.0]])), plain)


def test_what_is_left_open_is_told_from_the_mean() -> None:
    encoder = learnt()
    mean, left_open = encoder(torch.tensor([[0.0, 1.0], [NAN, 1.0]]))
    assert not torch.allclose(mean, left_open)
    assert bool(left_open.isfinite().all())


def test_gradients_are_finite_and_reach_every_parameter() -> None:
    encoder = learnt()
    encoder(torch.tensor([[0.3, NAN], [1.0, 2.0]])).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


def test_a_share_is_hidden_in_training_and_none_otherwise() -> None:
    encoder, cond = ConditionEncoder(2, 8, dropout=0.2), torch.ones(20_000, 2)
    hidden = encoder.hide(cond).isnan()
    assert float(hidden.all(dim=1).float().mean()) == pytest.approx(0.2 + 0.8 * 0.04, abs=0.01)
    assert float(hidden[:, 0].float().mean()) == pytest.approx(1 - 0.8 * 0.8, abs=0.01)
    assert torch.equal(encoder.eval().hide(cond), cond)
    assert torch.equal(ConditionEncoder(2, 8, dropout=0.0).hide(cond), cond)


def test_numbers_out_of_range() -> None:
    for name in ("cond_channels", "out_channels", "hidden_channels"):
        numbers = {"cond_channels": 2, "out_channels": 8, "hidden_channels": 8, name: 0}
        with pytest.raises(ValueError, match=f"Expected '{name}' to be at least 1 \\(got 0\\)"):
            ConditionEncoder(**numbers)
    with pytest.raises(ValueError, match="Expected 'dropout' to be at least 0 and below 1"):
        ConditionEncoder(2, 8, dropout=1.0)


def test_moments_that_do_not_fit() -> None:
    encoder, ones = ConditionEncoder(2, 8), torch.ones(2)
    with pytest.raises(ValueError, match="Expected 'mean' to be finite, of shape \\[2\\]"):
        encoder.standardise(torch.ones(3), ones)
    with pytest.raises(ValueError, match="Expected 'std' to be finite, of shape \\[2\\]"):
        encoder.standardise(ones, torch.tensor([1.0, NAN]))
    with pytest.raises(ValueError, match="Expected 'std' to be positive \\(got \\[1.0, 0.0\\]\\)"):
        encoder.standardise(ones, torch.tensor([1.0, 0.0]))


def test_conditions_are_checked() -> None:
    assert check_condition(None, 3, 0) is None
    none = check_condition(None, 3, 2)
    assert none is not None
    assert none.shape == (3, 2)
    assert bool(none.isnan().all())
    same = check_condition(torch.tensor([1.0, NAN]), 3, 2)
    assert same is not None
    assert same.shape == (3, 2)
    with pytest.raises(TypeError, match="Expected 'cond' to be a Tensor \\(got list\\)"):
        check_condition([1.0], 1, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Expected no condition, the model was built without"):
        check_condition(torch.ones(1), 1, 0)
    with pytest.raises(ValueError, match="floating point of shape \\[3, 2\\] .*\\(2, 2\\)"):
        check_condition(torch.ones(2, 2), 3, 2)
    with pytest.raises(ValueError, match="floating point of shape .*int64"):
        check_condition(torch.ones(3, 2, dtype=torch.int64), 3, 2)
    with pytest.raises(ValueError, match="Expected 'cond' to be finite, or NaN where left open"):
        check_condition(torch.tensor([math.inf, 1.0]), 3, 2)


def test_repr() -> None:
    assert repr(ConditionEncoder(2, 8)) == "ConditionEncoder(2, 8, dropout=0.1)"
