"""Every term of the loss of the set VAE, its weights, and what it must not depend on."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from pyg_topn.losses import (
    HungarianLoss,
    MinDistanceRegularizer,
    NeighborRegularizer,
    SetVAELoss,
    WassersteinLoss,
)
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.utils import build_batch

SIZES = torch.tensor([4, 1, 7])


def random_sets(scale: float = 1.5) -> Batch:
    return build_batch(SIZES, {"pos": scale * torch.randn(12, 3)})


def random_posterior() -> DiagonalGaussian:
    return DiagonalGaussian(torch.randn(3, 5), torch.randn(3, 5))


def test_terms_and_their_sum() -> None:
    prediction, target, posterior = random_sets(), random_sets(), random_posterior()
    terms = SetVAELoss(weights={"min_distance": 7.0, "neighbor": 0.5})(
        prediction, target, posterior
    )
    expected = {
        "reconstruction": WassersteinLoss()(prediction, target),
        "min_distance": MinDistanceRegularizer()(prediction),
        "neighbor": NeighborRegularizer()(prediction),
        "kl": posterior.kl().mean(),
    }
    for name, value in expected.items():
        assert float(value) > 0
        torch.testing.assert_close(terms[name], value)
    total = (
        expected["reconstruction"]
        + 0.003 * expected["kl"]
        + 7 * expected["min_distance"]
        + 0.5 * expected["neighbor"]
    )
    torch.testing.assert_close(terms["loss"], total)
    assert set(terms) == {*expected, "loss"}


def test_numbers_reach_the_regularisers() -> None:
    prediction = random_sets()
    loss = SetVAELoss(min_distance=2.0, neighbor_distance=3.0, max_valency=2)
    terms = loss(prediction, random_sets())
    torch.testing.assert_close(terms["min_distance"], MinDistanceRegularizer(2.0)(prediction))
    torch.testing.assert_close(terms["neighbor"], NeighborRegularizer(3.0, 2)(prediction))


def test_another_distance_and_divergence() -> None:
    prediction, target = random_sets(), random_sets()
    loss = SetVAELoss(HungarianLoss("smooth_l1"), {"min_distance": 0.0, "neighbor": 0.0})
    terms = loss(prediction, target, random_posterior(), torch.tensor([1.0, 2.0, 6.0]))
    assert set(terms) == {"reconstruction", "kl", "loss"}
    torch.testing.assert_close(
        terms["reconstruction"], HungarianLoss("smooth_l1")(prediction, target)
    )
    assert float(terms["kl"]) == pytest.approx(3.0)
    assert "kl" not in loss(prediction, target)


def test_the_order_of_points_does_not_matter() -> None:
    prediction, target = random_sets(), random_sets()
    ends = SIZES.cumsum(0).tolist()
    perm = torch.cat(
        [start + torch.randperm(end - start) for start, end in zip([0, *ends], ends, strict=False)]
    )
    loss = SetVAELoss()
    expected = loss(prediction, target)["loss"]
    for one, other in ((True, False), (False, True)):
        first = build_batch(SIZES, {"pos": prediction.pos[perm] if one else prediction.pos})
        second = build_batch(SIZES, {"pos": target.pos[perm] if other else target.pos})
        torch.testing.assert_close(loss(first, second)["loss"], expected)


def test_no_sets() -> None:
    empty = build_batch(torch.empty(0, dtype=torch.int64), {"pos": torch.empty(0, 3)})
    posterior = DiagonalGaussian(torch.empty(0, 5), torch.empty(0, 5))
    assert {float(term) for term in SetVAELoss()(empty, empty, posterior).values()} == {0.0}


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"among reconstruction, kl, .*\(got 1.0 of 'edge'\)"):
        SetVAELoss(weights={"edge": 1.0})
    with pytest.raises(ValueError, match=r"weights >= 0 .*\(got -1.0 of 'kl'\)"):
        SetVAELoss(weights={"kl": -1.0})
    with pytest.raises(ValueError, match=r"with reduction='mean' \(got 'sum'\)"):
        SetVAELoss(WassersteinLoss(reduction="sum"))
    with pytest.raises(ValueError, match=r"'min_distance' to be positive"):
        SetVAELoss(min_distance=0.0)


def test_it_says_what_it_is() -> None:
    text = repr(SetVAELoss())
    assert "WassersteinLoss(p=2, reduction='mean')" in text
    assert "'kl': 0.003" in text
