"""Losses on sets by name."""

from __future__ import annotations

from typing import Any

import pytest

from pyg_topn.losses.set import (
    SET_LOSSES,
    ChamferLoss,
    HungarianLoss,
    SinkhornLoss,
    WassersteinLoss,
    set_loss_resolver,
)

KINDS = {
    "chamfer": ChamferLoss,
    "hungarian": HungarianLoss,
    "sinkhorn": SinkhornLoss,
    "wasserstein": WassersteinLoss,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_name_has_its_loss(name: str) -> None:
    loss = set_loss_resolver(name, reduction="sum")
    assert type(loss) is KINDS[name]
    assert loss.reduction == "sum"


def test_every_name_is_tested() -> None:
    assert SET_LOSSES == KINDS


def test_a_loss_is_returned_as_it_is() -> None:
    loss = ChamferLoss()
    assert set_loss_resolver(loss) is loss


@pytest.mark.parametrize("query", ["tailor", "", "Chamfer"])
def test_unknown_names_are_refused_with_those_there_are(query: str) -> None:
    pattern = rf"among chamfer, hungarian, sinkhorn, wasserstein \(got '{query}'\)"
    with pytest.raises(ValueError, match=pattern):
        set_loss_resolver(query)


@pytest.mark.parametrize("query", [None, 3, ChamferLoss])
def test_other_types_are_refused(query: Any) -> None:
    with pytest.raises(TypeError, match="Expected a loss on sets or its name"):
        set_loss_resolver(query)


def test_errors_of_the_loss_come_through() -> None:
    with pytest.raises(TypeError, match="blur"):
        set_loss_resolver("sinkhorn", blur=0.1)
    with pytest.raises(ValueError, match="'epsilon' to be positive"):
        set_loss_resolver("sinkhorn", epsilon=0.0)
