"""DSPN: its steps against gradients by hand, through to its parameters; and an overfit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import ChamferLoss
from pyg_topn.models import DSPN
from pyg_topn.nn.creation import SizePredictor, TopNCreation
from pyg_topn.resolver import creation_resolver
from pyg_topn.utils import Layout, build_batch

CREATIONS = ["top_n", "first_n", "mlp", "iid"]
SIZES = [3, 1, 6, 6]
LIMITS = {"top_n": {"num_reference_points": 12}, "iid": {}}


def small(creation: str = "top_n", **arguments: Any) -> DSPN:
    limit = LIMITS.get(creation, {"max_num_nodes": 12})
    layer = creation_resolver(creation, latent_channels=8, out_channels=2, **limit)
    defaults = {"hidden_channels": 16, "num_pieces": 3, "num_steps": 3}
    return DSPN(2, layer, **{**defaults, **arguments})


def sets(sizes: list[int] = SIZES) -> Batch:
    num_nodes = torch.tensor(sizes, dtype=torch.int64)
    return build_batch(num_nodes, {"pos": torch.rand(sum(sizes), 2)})


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mean_loss(steps: list[Batch], target: Batch) -> Tensor:
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    return torch.stack([loss_fn(step, target) for step in steps]).mean()


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("training", [True, False])
def test_shapes(creation: str, training: bool) -> None:
    dspn, batch = small(creation).train(training), sets()
    assert dspn.encode(batch).shape == (4, 8)
    steps = dspn(batch, seeded(0))
    assert len(steps) == 4
    for step in steps:
        assert step.ptr.tolist() == batch.ptr.tolist()
        assert step.pos.shape == (16, 2)
    assert len(dspn.decode(torch.randn(2, 8), torch.tensor([12, 5]), num_steps=7)) == 8
    assert len(dspn.decode(torch.randn(2, 8), torch.tensor([12, 5]), num_steps=0)) == 1


def test_the_first_set_is_the_created_one() -> None:
    dspn, z, num_nodes = small(center=0.25, scale=0.5), torch.randn(2, 8), torch.tensor([4, 12])
    expected = 0.5 * dspn.creation(z, num_nodes).x + 0.25
    assert torch.equal(dspn.decode(z, num_nodes)[0].pos, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spread", [None, 0.25])
def test_steps_are_those_of_gradient_descent(training: bool, spread: float | None) -> None:
    """A set at a time, by finite differences of the loss of that set."""
    dspn = small(num_steps=1, step_size=3.0, spread=spread).double().train(training)
    z, sizes = torch.randn(3, 8, dtype=torch.float64), [4, 1, 6]
    before, after = (step.detach() for step in dspn.decode(z, torch.tensor(sizes)))
    parts = zip(before.pos.split(sizes), after.pos.split(sizes), z, strict=True)
    for x, moved, target in parts:
        layout = Layout(torch.tensor([len(x)]), x.device)
        slope = torch.empty_like(x)
        for at in range(x.numel()):
            ends = []
            for sign in (1, -1):
                near = x.clone()
                near.view(-1)[at] += sign * 1e-6
                seen = near if spread is None else (near - 0.5) / spread
                represented = dspn.pool(dspn.mlp(seen), layout)[0]
                ends.append(F.smooth_l1_loss(represented, target))
            slope.view(-1)[at] = (ends[0] - ends[1]).detach() / 2e-6
        torch.testing.assert_close(moved, x - 3.0 * slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("training", [True, False])
def test_moves_are_bounded(training: bool) -> None:
    dspn, batch = small(num_steps=1, step_size=1e-3, max_move=0.5).train(training), sets()
    free = small_like(dspn, num_steps=1, step_size=1e-3).train(training)
    z, num_nodes = torch.randn(4, 8), batch.ptr.diff()
    short = dspn.decode(z, num_nodes)[1].pos
    torch.testing.assert_close(short, free.decode(z, num_nodes)[1].pos)  # Hardly a difference.
    dspn.step_size = free.step_size = 1e6
    before, after = (step.pos.detach() for step in dspn.decode(z, num_nodes))
    far = free.decode(z, num_nodes)[1].pos.detach() - before
    moved = after - before
    expected = (0.5 * F.normalize(far)).where(far.norm(dim=1, keepdim=True) > 1e3, moved)
    torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-4)
    assert (moved.norm(dim=1) > 0.49).any()


def test_steps_come_nearer_to_the_representation() -> None:
    dspn, batch = small(num_steps=20, step_size=5.0).eval(), sets()
    z = dspn.encode(batch)
    gaps = [
        F.smooth_l1_loss(dspn.encode(step), z, reduction="none").mean(dim=1)
        for step in dspn.decode(z, batch.ptr.diff())
    ]
    assert (gaps[-1] < gaps[0]).all()


def test_order_of_points_does_not_matter() -> None:
    dspn, batch = small(), sets()
    shuffled = torch.cat([part[torch.randperm(len(part))] for part in batch.pos.split(SIZES)])
    other = build_batch(torch.tensor(SIZES), {"pos": shuffled})
    torch.testing.assert_close(dspn.encode(other), dspn.encode(batch))
    torch.testing.assert_close(dspn(other)[-1].pos, dspn(batch)[-1].pos)


@pytest.mark.parametrize("creation", ["top_n", "first_n", "mlp"])
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_is_as_one_by_one(creation: str, training: bool) -> None:
    dspn, batch = small(creation).train(training), sets()
    together = dspn(batch)[-1]
    for data, expected in zip(batch.to_data_list(), together.to_data_list(), strict=True):
        alone = dspn(Batch.from_data_list([data]))[-1]
        torch.testing.assert_close(alone.pos, expected.pos)


@pytest.mark.parametrize("creation", CREATIONS)
def test_gradients_reach_every_parameter(creation: str) -> None:
    dspn, batch = small(creation), sets()
    mean_loss(dspn(batch), batch).backward()
    for name, parameter in dspn.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("max_move", [None, 0.1])
def test_gradients_of_the_steps_are_right(max_move: float | None) -> None:
    creation = TopNCreation(2, 2, num_reference_points=5, angle_channels=2, hidden_channels=2)
    options: dict[str, Any] = {"num_pieces": 2, "num_steps": 2, "step_size": 4.0}
    dspn = DSPN(2, creation, 3, **options, max_move=max_move, spread=0.5).double()
    for lin in dspn.mlp.lins:  # Away from the kinks, where there is no gradient to be right.
        torch.nn.init.uniform_(lin.bias, -0.5, 0.5)
    names, values = zip(*dspn.named_parameters(), strict=True)
    pos = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    num_nodes = torch.tensor([2, 3])

    def last(pos: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        batch = build_batch(num_nodes, {"pos": pos})
        steps: list[Batch] = torch.func.functional_call(dspn, given, (batch,))
        return torch.stack([step.pos for step in steps])

    parameters = [value.detach().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(last, (pos, *parameters))


def test_evaluation_keeps_no_graph() -> None:
    dspn, batch = small().eval(), sets()
    expected = [step.pos.detach() for step in small_like(dspn)(batch)]
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with mode():
            steps = dspn(batch)
        assert not any(step.pos.requires_grad for step in steps[1:])
        for step, pos in zip(steps, expected, strict=True):
            torch.testing.assert_close(step.pos.detach(), pos)
    dspn.train()
    with torch.no_grad():
        assert not any(step.pos.requires_grad for step in dspn(batch))
    assert all(parameter.grad is None for parameter in dspn.parameters())


def test_evaluation_refuses_a_gradient_of_the_first_set_alone() -> None:
    dspn, batch = small().eval(), sets()
    loss = mean_loss(dspn(batch), batch)
    with pytest.raises(RuntimeError, match=r"Expected a DSPN in training mode .* Call 'train\(\)'"):
        loss.backward()
    z = torch.randn(1, 8, requires_grad=True)
    dspn.decode(z, torch.tensor([4]), num_steps=0)[0].pos.sum().backward()  # No step is left out.
    assert z.grad is not None


def test_the_encoder_sees_points_centred_and_scaled() -> None:
    dspn, batch = small(center=0.25, spread=0.5), sets()
    plain = small()
    plain.load_state_dict(dspn.state_dict())
    seen = build_batch(torch.tensor(SIZES), {"pos": (batch.pos - 0.25) / 0.5})
    torch.testing.assert_close(dspn.encode(batch), plain.encode(seen))


def small_like(dspn: DSPN, **arguments: Any) -> DSPN:
    """The same model in training mode."""
    other = small(**arguments)
    other.load_state_dict(dspn.state_dict())
    return other


def test_a_frozen_creation_layer() -> None:
    dspn, batch = small(), sets()
    dspn.creation.requires_grad_(False)
    steps = dspn.decode(dspn.encode(batch).detach(), batch.ptr.diff())
    assert not steps[0].pos.requires_grad
    mean_loss(steps, batch).backward()
    assert all(parameter.grad is not None for parameter in dspn.mlp.parameters())


def test_predicted_sizes() -> None:
    sizes = SizePredictor(8, 12)
    dspn, z = small(sizes=sizes), torch.randn(5, 8)
    assert torch.equal(dspn.decode(z)[-1].ptr.diff(), sizes.sample(z, mode=True))
    with pytest.raises(ValueError, match="Expected 'num_nodes', or a model with a size predictor"):
        small().decode(z)
    with pytest.raises(ValueError, match=r"sizes of at most 12 points, .* \(got 13\)"):
        small(sizes=SizePredictor(8, 13))


def test_the_same_seed_gives_the_same_sets() -> None:
    dspn, batch = small("iid"), sets()
    assert torch.equal(dspn(batch, seeded(1))[-1].pos, dspn(batch, seeded(1))[-1].pos)
    assert not torch.equal(dspn(batch, seeded(1))[-1].pos, dspn(batch, seeded(2))[-1].pos)


def test_reset_parameters_reaches_every_module() -> None:
    dspn = small(sizes=SizePredictor(8, 12))
    before = {name: value.clone() for name, value in dspn.named_parameters()}
    dspn.reset_parameters()
    for name, value in dspn.named_parameters():
        if "bias" not in name:
            assert not torch.equal(value, before[name]), name
    assert not any(lin.bias.any() for lin in dspn.mlp.lins)


def test_no_sets() -> None:
    dspn, batch = small(), sets([])
    assert dspn.encode(batch).shape == (0, 8)
    assert [step.pos.shape for step in dspn(batch)] == [(0, 2)] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, r"Expected 'in_channels' to be at least 1 \(got 0\)"),
        ({"hidden_channels": 0}, r"Expected 'hidden_channels' to be at least 1 \(got 0\)"),
        ({"num_steps": -1}, r"Expected 'num_steps' to be at least 0 \(got -1\)"),
        ({"step_size": 0.0}, r"Expected 'step_size' to be positive and finite \(got 0.0\)"),
        ({"step_size": math.inf}, r"Expected 'step_size' to be positive and finite \(got inf\)"),
        ({"scale": -1.0}, r"Expected 'scale' to be positive and finite \(got -1.0\)"),
        ({"center": math.nan}, r"Expected 'center' to be finite \(got nan\)"),
        ({"spread": 0.0}, r"Expected 'spread' to be positive and finite, or None \(got 0.0\)"),
        ({"max_move": 0.0}, r"Expected 'max_move' to be positive and finite, or None \(got 0.0\)"),
        ({"in_channels": 3}, r"makes points of size 3 \(got 2\)"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DSPN(**{"in_channels": 2, "creation": TopNCreation(8, 2, 12), **arguments})


def test_a_negative_number_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected 'num_steps' to be at least 0 \(got -2\)"):
        small().decode(torch.randn(1, 8), torch.tensor([3]), num_steps=-2)


def test_a_small_model_learns_sets_by_heart() -> None:
    angles = [torch.linspace(0, 6.0, n) for n in (5, 9, 12)]
    circles = [
        0.5 + r * torch.stack([a.cos(), a.sin()], dim=1)
        for a, r in zip(angles, (0.1, 0.25, 0.4), strict=True)
    ]
    batch = build_batch(torch.tensor([5, 9, 12]), {"pos": torch.cat(circles)})
    dspn = small(num_steps=3)
    optimizer = torch.optim.Adam(dspn.parameters(), lr=1e-2)
    first = float(mean_loss(dspn(batch), batch).detach())
    for _ in range(150):
        loss = mean_loss(dspn(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1 * first
    assert float(mean_loss(dspn.eval()(batch)[-1:], batch)) < 0.1 * first
