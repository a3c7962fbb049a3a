"""TSPN: shapes, invariance, gradients, sizes; and a small one that learns a few sets by heart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Batch

from pyg_topn.losses import ChamferLoss
from pyg_topn.models import TSPN
from pyg_topn.nn.creation import SizePredictor, TopNCreation
from pyg_topn.resolver import creation_resolver
from pyg_topn.utils import build_batch

CREATIONS = ["top_n", "first_n", "mlp", "iid"]
SIZES = [3, 1, 6, 6]
LIMITS = {"top_n": {"num_reference_points": 12}, "iid": {}}


def small(creation: str = "top_n", channels: int = 2, **arguments: Any) -> TSPN:
    limit = LIMITS.get(creation, {"max_num_nodes": 12})
    layer = creation_resolver(creation, latent_channels=8, out_channels=16, **limit)
    return TSPN(channels, layer, **{"num_layers": 1, "heads": 2, "num_pieces": 3, **arguments})


def trained(tspn: TSPN) -> TSPN:
    """As if it had been trained: the output is not the centre."""
    torch.nn.init.normal_(tspn.out_lin.weight)
    return tspn


def sets(sizes: list[int] = SIZES, name: str = "pos", channels: int = 2) -> Batch:
    num_nodes = torch.tensor(sizes, dtype=torch.int64)
    return build_batch(num_nodes, {name: torch.rand(sum(sizes), channels)})


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("creation", CREATIONS)
def test_shapes(creation: str) -> None:
    tspn, batch = small(creation), sets()
    assert tspn.encode(batch).shape == (4, 8)
    output = tspn(batch, seeded(0))
    assert output.ptr.tolist() == batch.ptr.tolist()
    assert output.pos.shape == (16, 2)
    decoded = tspn.decode(torch.randn(2, 8), torch.tensor([12, 5]))
    assert [data.pos.shape for data in decoded.to_data_list()] == [(12, 2), (5, 2)]


def test_points_of_any_size_and_name() -> None:
    tspn = small(channels=3)
    batch = sets(name="x", channels=3)
    assert tspn(batch).pos.shape == (16, 3)
    assert torch.equal(
        tspn.encode(batch), tspn.encode(build_batch(torch.tensor(SIZES), {"pos": batch.x}))
    )


@pytest.mark.parametrize("center", [0.5, -2.0])
def test_all_points_start_at_the_centre(center: float) -> None:
    tspn = small(center=center)
    assert torch.equal(tspn(sets()).pos, torch.full((16, 2), center))
    trained(tspn).reset_parameters()
    assert torch.equal(tspn(sets()).pos, torch.full((16, 2), center))


def test_the_encoder_sees_points_centred_and_scaled() -> None:
    tspn, batch, plain = small(center=0.25, spread=0.5), sets(), small()
    plain.load_state_dict(tspn.state_dict())
    seen = build_batch(torch.tensor(SIZES), {"pos": (batch.pos - 0.25) / 0.5})
    torch.testing.assert_close(tspn.encode(batch), plain.encode(seen))


def test_order_of_points_does_not_matter() -> None:
    tspn, batch = trained(small()), sets()
    shuffled = torch.cat([part[torch.randperm(len(part))] for part in batch.pos.split(SIZES)])
    other = build_batch(torch.tensor(SIZES), {"pos": shuffled})
    torch.testing.assert_close(tspn.encode(other), tspn.encode(batch))
    torch.testing.assert_close(tspn(other).pos, tspn(batch).pos)


@pytest.mark.parametrize("creation", ["top_n", "first_n", "mlp"])
def test_a_batch_is_as_one_by_one(creation: str) -> None:
    tspn, batch = trained(small(creation)), sets()
    together = tspn(batch)
    for data, expected in zip(batch.to_data_list(), together.to_data_list(), strict=True):
        alone = tspn(Batch.from_data_list([data]))
        torch.testing.assert_close(alone.pos, expected.pos)


@pytest.mark.parametrize("creation", CREATIONS)
def test_gradients_reach_every_parameter(creation: str) -> None:
    tspn, batch = trained(small(creation, sizes=SizePredictor(8, 12))), sets()
    assert tspn.sizes is not None
    z = tspn.encode(batch)
    loss = ChamferLoss(point_reduction="mean")(tspn.decode(z, batch.ptr.diff()), batch)
    (loss + tspn.sizes.loss(z, batch.ptr.diff())).backward()
    for name, parameter in tspn.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_predicted_sizes() -> None:
    sizes = SizePredictor(8, 12)
    tspn, z = small(sizes=sizes), torch.randn(5, 8)
    assert torch.equal(tspn.decode(z).ptr.diff(), sizes.sample(z, mode=True))
    with pytest.raises(ValueError, match="Expected 'num_nodes', or a model with a size predictor"):
        small().decode(z)
    with pytest.raises(ValueError, match=r"sizes of at most 12 points, .* \(got 13\)"):
        small(sizes=SizePredictor(8, 13))
    assert small("iid", sizes=SizePredictor(8, 99)).sizes is not None


def test_a_detached_size_predictor_leaves_the_encoder_alone() -> None:
    sizes = SizePredictor(8, 12, detach=True)
    tspn, batch = small(sizes=sizes), sets()
    sizes.loss(tspn.encode(batch), batch.ptr.diff()).backward()
    assert all(parameter.grad is None for parameter in tspn.encoder.parameters())
    assert all(parameter.grad is not None for parameter in sizes.parameters())


def test_the_same_seed_gives_the_same_sets() -> None:
    tspn, batch = trained(small("iid")), sets()
    assert torch.equal(tspn(batch, seeded(1)).pos, tspn(batch, seeded(1)).pos)
    assert not torch.equal(tspn(batch, seeded(1)).pos, tspn(batch, seeded(2)).pos)


def test_reset_parameters_reaches_every_module() -> None:
    tspn = small(sizes=SizePredictor(8, 12))
    before = {name: value.clone() for name, value in tspn.named_parameters()}
    tspn.reset_parameters()
    constant = ("norm", "bias", "out_lin")
    for name, value in tspn.named_parameters():
        if not any(word in name for word in constant):
            assert not torch.equal(value, before[name]), name


def test_no_sets() -> None:
    tspn = small()
    batch = sets([])
    assert tspn.encode(batch).shape == (0, 8)
    assert tspn(batch).pos.shape == (0, 2)


@pytest.mark.parametrize("name", ["in_channels", "num_layers"])
def test_numbers_below_one_are_refused(name: str) -> None:
    arguments: dict[str, Any] = {"in_channels": 2, name: 0}
    with pytest.raises(ValueError, match=rf"Expected '{name}' to be at least 1 \(got 0\)"):
        TSPN(creation=TopNCreation(8, 16, 12), **arguments)


@pytest.mark.parametrize(
    ("batch", "got"),
    [
        (sets(channels=3), r"torch.float32 of shape \[16, 3\]"),
        (Batch(pos=torch.ones(4), ptr=torch.tensor([0, 4])), r"torch.float32 of shape \[4\]"),
        (
            Batch(pos=torch.ones(4, 2).long(), ptr=torch.tensor([0, 4])),
            r"torch.int64 of shape \[4, 2\]",
        ),
        (
            Batch(pos=torch.ones(4, 2).double(), ptr=torch.tensor([0, 4])),
            r"torch.float64 of shape \[4, 2\]",
        ),
    ],
)
def test_other_points_are_refused(batch: Batch, got: str) -> None:
    message = (
        r"Expected the points of the batch to be torch.float32 of shape \[N, 2\] "
        rf"\(got {got}\)"
    )
    with pytest.raises(ValueError, match=message):
        small().encode(batch)


def test_batches_that_are_none_are_refused() -> None:
    pos, ptr = torch.ones(4, 2), torch.tensor([0, 4])
    with pytest.raises(ValueError, match=r"points as 'pos' or 'x' \(got neither\)"):
        small().encode(Batch(ptr=ptr))
    with pytest.raises(ValueError, match=r"'ptr' of the batch to ascend from 0 to its 4 points"):
        small().encode(Batch(pos=pos, ptr=ptr + 1))
    with pytest.raises(ValueError, match="to be a Batch with a vector 'ptr'"):
        small().encode(Batch(pos=pos))
    with pytest.raises(ValueError, match=r"'batch' of the batch to fit its 'ptr'"):
        small().encode(Batch(pos=pos, ptr=ptr, batch=torch.ones(4).long()))
    pos[2, 1] = torch.nan
    with pytest.raises(ValueError, match=r"finite points in the batch \(got NaN .* row 2\)"):
        small()(Batch(pos=pos, ptr=ptr))


def test_autocast_takes_half_precision() -> None:
    batch = sets()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = small().encode(build_batch(torch.tensor(SIZES), {"pos": batch.pos.bfloat16()}))
    assert found.shape == (4, 8)


def test_empty_sets_are_refused() -> None:
    batch = Batch(pos=torch.ones(4, 2), ptr=torch.tensor([0, 2, 2, 4]))
    with pytest.raises(ValueError, match=r"at least one point in the batch \(got 0 in set 1\)"):
        small().encode(batch)


def test_a_small_model_learns_sets_by_heart() -> None:
    angles = [torch.linspace(0, 6.0, n) for n in (5, 9, 12)]
    circles = [
        0.5 + r * torch.stack([a.cos(), a.sin()], dim=1)
        for a, r in zip(angles, (0.1, 0.25, 0.4), strict=True)
    ]
    batch = build_batch(torch.tensor([5, 9, 12]), {"pos": torch.cat(circles)})
    tspn = small(sizes=SizePredictor(8, 12, detach=True))
    optimizer = torch.optim.Adam(tspn.parameters(), lr=5e-3)
    loss_fn = ChamferLoss(point_reduction="mean")
    first = float(loss_fn(tspn(batch), batch).detach())
    for _ in range(250):
        z = tspn.encode(batch)
        loss = loss_fn(tspn.decode(z, batch.ptr.diff()), batch)
        optimizer.zero_grad()
        (loss + tspn.sizes.loss(z, batch.ptr.diff())).backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05 * first
    assert tspn.decode(tspn.encode(batch)).ptr.tolist() == batch.ptr.tolist()
