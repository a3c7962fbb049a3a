"""The prior in one step: what it learns from its teacher, and that it does."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

from pyg_topn.nn.prior import OneStepPrior, RectifiedFlowPrior

SIZES = torch.tensor([3, 1, 7, 2])
MEAN, STD = torch.tensor([1.0, -2.0, 30.0]), torch.tensor([0.5, 2.0, 10.0])


def random_prior(seed: int = 0) -> OneStepPrior:
    prior = OneStepPrior(3, 7, hidden_channels=8, num_layers=2, guidance=2.0)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    prior.standardise(MEAN, STD)
    return prior


def test_the_teacher_is_a_rectified_flow() -> None:
    prior = random_prior()
    teacher = RectifiedFlowPrior(3, 7, hidden_channels=8, num_layers=2, guidance=2.0)
    state = {k: v for k, v in prior.state_dict().items() if not k.startswith(("student", "has"))}
    teacher.load_state_dict(state)
    noise, z = torch.randn(4, 3), torch.randn(4, 3)
    assert torch.equal(prior.teach(noise, SIZES), teacher.draw(noise, SIZES))
    losses = [
        each.loss(z, SIZES, torch.Generator().manual_seed(0)).item() for each in (prior, teacher)
    ]
    assert losses[0] == losses[1]


def test_latent_vectors_take_one_evaluation() -> None:
    prior, asked = random_prior(), []
    prior.student.register_forward_hook(lambda module, args, out: asked.append((args, out)))
    for network in (prior.velocity, prior.guide):
        network.register_forward_hook(lambda *_: pytest.fail("the teacher was asked"))
    noise = torch.randn(4, 3)
    found = prior.draw(noise, SIZES)
    (((z, time, sizes, cond), out),) = asked
    assert torch.equal(z, noise)
    assert time.tolist() == [0, 0, 0, 0]
    assert torch.equal(sizes, SIZES)
    assert cond is None
    torch.testing.assert_close(found, (noise + out) * STD + MEAN)


def test_a_forgotten_teacher_is_not_needed_to_draw() -> None:
    whole, noise = random_prior(), torch.randn(4, 3)
    prior = copy.deepcopy(whole)
    prior.forget_teacher()
    prior.forget_teacher()  # Nothing happens twice.
    assert whole.has_teacher
    assert not prior.has_teacher
    assert prior.label == whole.label
    assert torch.equal(prior.draw(noise, SIZES), whole.draw(noise, SIZES))
    kept = {name.split(".")[0] for name in prior.state_dict()}
    assert kept == {"mean", "std", "student", "has_begun"}
    fresh = OneStepPrior(3, 7, 8, 2, has_teacher=False, guidance=2.0)
    fresh.load_state_dict(prior.state_dict())
    assert torch.equal(fresh.draw(noise, SIZES), whole.draw(noise, SIZES))
    fresh.reset_parameters()
    assert not torch.equal(fresh.draw(noise, SIZES), whole.draw(noise, SIZES))
    for ask in (
        lambda: prior.teach(noise, SIZES),
        lambda: prior.loss(noise, SIZES),
        prior.begin_distillation,
    ):
        with pytest.raises(ValueError, match=r"a prior with a teacher \(got one .* forgotten\)"):
            ask()


def test_the_loss_is_the_error_where_latent_vectors_are_standardised() -> None:
    prior = random_prior()
    noise, z = torch.randn(4, 3), torch.randn(4, 3, requires_grad=True)
    loss = prior.distillation_loss(noise, z, SIZES)
    expected = ((prior.draw(noise, SIZES) - z) / STD).square().mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert z.grad is None
    moved = {name.split(".")[0] for name, leaf in prior.named_parameters() if leaf.grad is not None}
    assert moved == {"student"}


def test_a_perfect_student_has_no_loss() -> None:
    """A teacher that moves at a constant velocity is one that a student can copy."""
    prior = random_prior().double()
    with torch.no_grad():
        for network in (prior.velocity, prior.guide):
            network.out_lin.weight.zero_()
            network.out_lin.bias.fill_(2.0)
    prior.begin_distillation()
    noise = torch.randn(4, 3, dtype=torch.float64)
    z = prior.teach(noise, SIZES)
    torch.testing.assert_close(prior.draw(noise, SIZES), z)
    assert prior.distillation_loss(noise, z, SIZES).item() == pytest.approx(0, abs=1e-20)


def test_the_student_starts_as_the_teacher_and_only_once() -> None:
    prior = random_prior()
    assert not torch.equal(prior.student.in_lin.weight, prior.velocity.in_lin.weight)
    prior.begin_distillation()
    for own, taught in zip(prior.student.parameters(), prior.velocity.parameters(), strict=True):
        assert torch.equal(own, taught)
    torch.nn.init.ones_(prior.student.in_lin.weight)
    again = random_prior(1)
    again.load_state_dict(prior.state_dict())  # As a run does that goes on.
    again.begin_distillation()
    assert bool((again.student.in_lin.weight == 1).all())
    again.reset_parameters()
    assert not bool(again.has_begun)
    noise = torch.randn(4, 3)
    assert torch.equal(again.draw(noise, SIZES), noise)


@pytest.mark.parametrize(
    ("noise", "z", "num_nodes", "match"),
    [
        (torch.zeros(4, 2), torch.zeros(4, 3), SIZES, r"'z' of shape \[4, 3\] .got \[4, 2\]"),
        (torch.zeros(4, 3), torch.zeros(3, 3), SIZES, r"'z' of shape \[4, 3\] .got \[3, 3\]"),
        (torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([8]), "at most 7 everywhere .got 8"),
    ],
)
def test_the_loss_checks_its_arguments(
    noise: Tensor, z: Tensor, num_nodes: Tensor, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        random_prior().distillation_loss(noise, z, num_nodes)


def test_conditions_reach_the_student() -> None:
    prior = OneStepPrior(3, 7, hidden_channels=8, num_layers=1, cond_channels=2)
    noise = torch.randn(4, 3)
    with pytest.raises(ValueError, match="of shape \\[4, 2\\]"):
        prior.distillation_loss(noise, noise, SIZES, torch.zeros(4, 3))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, 0.5)
    cond = torch.randn(4, 2)
    losses = [prior.distillation_loss(noise, noise, SIZES, each) for each in (None, cond)]
    assert not torch.allclose(*losses)


def test_no_graphs() -> None:
    none = torch.empty(0, 3)
    loss = random_prior().distillation_loss(none, none, torch.empty(0, dtype=torch.int64))
    assert loss.item() == 0


def test_names_and_arguments() -> None:
    prior = OneStepPrior(3, 7, num_steps=5, guidance=2.5)
    assert prior.label == "rectified flow, 5 Heun steps, guidance 2.5, distilled to one step"
    assert repr(prior) == "OneStepPrior(3, max_num_nodes=7, num_steps=5)"
    with pytest.raises(TypeError, match="width"):
        OneStepPrior(3, 7, width=3)
    with pytest.raises(ValueError, match="'guidance' to be at least 1 and finite"):
        OneStepPrior(3, 7, guidance=math.inf)


def test_a_student_learns_what_its_teacher_does(generator: torch.Generator) -> None:
    """Sizes 1 and 2 are carried to different places, and noise is narrowed."""
    prior = OneStepPrior(2, 2, hidden_channels=32, num_layers=1)
    optimizer = torch.optim.Adam(prior.velocity.parameters(), lr=3e-3)
    for _ in range(300):
        sizes = torch.randint(1, 3, (256,), generator=generator)
        data = 3.0 * sizes.unsqueeze(1) + 0.1 * torch.randn(256, 2, generator=generator)
        optimizer.zero_grad()
        prior.loss(data, sizes, generator).backward()
        optimizer.step()
    untaught = copy.deepcopy(prior)
    prior.begin_distillation()
    optimizer = torch.optim.Adam(prior.student.parameters(), lr=3e-3)
    for _ in range(200):
        sizes = torch.randint(1, 3, (256,), generator=generator)
        noise = torch.randn(256, 2, generator=generator)
        optimizer.zero_grad()
        prior.distillation_loss(noise, prior.teach(noise, sizes), sizes).backward()
        optimizer.step()
    noise, sizes = torch.randn(1000, 2, generator=generator), torch.arange(1000) % 2 + 1
    error = (prior.draw(noise, sizes) - prior.teach(noise, sizes)).square().mean().sqrt()
    before = (untaught.draw(noise, sizes) - prior.teach(noise, sizes)).square().mean().sqrt()
    assert error.item() < 0.1
    assert error.item() < 0.1 * before.item()
