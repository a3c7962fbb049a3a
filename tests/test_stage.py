"""Stages of a training run."""

from __future__ import annotations

import dataclasses

import pytest

from pyg_topn.stage import KINDS, Stage


@pytest.mark.parametrize("kind", KINDS)
def test_stages_do_not_change(kind: str) -> None:
    stage = Stage(kind, 0.5, 1e-3)
    assert (stage.kind, stage.share, stage.learning_rate) == (kind, 0.5, 1e-3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stage.share = 0.4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "share", "rate", "message"),
    [
        ("third", 0.5, 1e-3, r"a stage among joint, flow, distillation, decoder \(got 'third'\)"),
        ("joint", 0.0, 1e-3, r"'share' above 0 and at most 1 \(got 0.0\)"),
        ("joint", 1.5, 1e-3, r"'share' above 0 and at most 1 \(got 1.5\)"),
        ("joint", 0.5, 0.0, r"'learning_rate' above 0 \(got 0.0\)"),
        ("joint", 0.5, float("nan"), r"'learning_rate' above 0 \(got nan\)"),
    ],
)
def test_bad_stages(kind: str, share: float, rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stage(kind, share, rate)
