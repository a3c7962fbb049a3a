"""The rectified flow: what it is fitted to, how it is integrated, and that it learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import RectifiedFlowPrior

SIZES = torch.tensor([3, 1, 7, 2])
MEAN, STD = torch.tensor([1.0, -2.0, 30.0]), torch.tensor([0.5, 2.0, 10.0])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Field(nn.Module):
    """A velocity that is known, and what it was asked."""

    def __init__(self, function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.asked: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(
        self, z: Tensor, time: Tensor, num_nodes: Tensor, cond: Tensor | None = None
    ) -> Tensor:
        self.asked.append((z, time, num_nodes))
        return self.function(z, time.unsqueeze(1), num_nodes.unsqueeze(1))


def flow_along(
    function: Callable[[Tensor, Tensor, Tensor], Tensor], num_steps: int = 4
) -> RectifiedFlowPrior:
    prior = RectifiedFlowPrior(3, 7, hidden_channels=8, num_steps=num_steps).double()
    prior.velocity = Field(function)  # type: ignore[assignment]
    return prior


def random_flow() -> RectifiedFlowPrior:
    prior = RectifiedFlowPrior(3, 7, hidden_channels=8, num_layers=2)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, 0.5)
    return prior


def test_at_first_nothing_moves() -> None:
    prior = RectifiedFlowPrior(3, 7)
    noise = torch.randn(4, 3, generator=seeded(0))
    assert torch.equal(prior.velocity(noise, torch.rand(4), SIZES), torch.zeros(4, 3))
    assert torch.equal(prior.sample(SIZES, seeded(0)), noise)
    prior.standardise(MEAN, STD)
    torch.testing.assert_close(prior.sample(SIZES, seeded(0)), noise * STD + MEAN)


def test_heuns_method() -> None:
    """Exact where the velocity is linear in time, a known factor a step where it is the place."""
    noise = torch.randn(4, 3, dtype=torch.float64)
    still = flow_along(lambda z, time, size: size + 0 * z, num_steps=1)
    torch.testing.assert_close(still.draw(noise, SIZES), noise + SIZES.unsqueeze(1))
    faster = flow_along(lambda z, time, size: 2 * time + 0 * z, num_steps=3)
    torch.testing.assert_close(faster.draw(noise, SIZES), noise + 1)
    growing = flow_along(lambda z, time, size: z, num_steps=4)
    torch.testing.assert_close(growing.draw(noise, SIZES), noise * (1 + 1 / 4 + 1 / 32) ** 4)
    assert isinstance(growing.velocity, Field)
    times = [float(time[0]) for _, time, _ in growing.velocity.asked]
    assert times == [0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1]


def test_twice_the_steps_leave_a_quarter_of_the_error() -> None:
    noise, errors = torch.ones(1, 3, dtype=torch.float64), []
    for num_steps in (8, 16, 32):
        prior = flow_along(lambda z, time, size: z, num_steps)
        found = float(prior.draw(noise, SIZES[:1])[0, 0])
        errors.append(math.e - found)
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def test_the_loss_is_the_error_of_the_velocity_on_straight_lines() -> None:
    prior = flow_along(lambda z, time, size: 0.1 * size + 0 * z)
    prior.standardise(MEAN.double(), STD.double())
    z = torch.randn(4, 3, dtype=torch.float64) * STD + MEAN
    found = prior.loss(z, SIZES, seeded(0))
    assert isinstance(prior.velocity, Field)
    ((between, time, sizes),) = prior.velocity.asked
    generator = seeded(0)
    noise = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    end = (z - MEAN) / STD
    assert torch.equal(sizes, SIZES)
    assert ((time >= 0) & (time < 1)).all()
    assert len(set(time.tolist())) == 4
    share = time.unsqueeze(1)
    torch.testing.assert_close(between, (1 - share) * noise + share * end)
    expected = (0.1 * SIZES.unsqueeze(1) - (end - noise)).square().mean()
    torch.testing.assert_close(found, expected)


def test_no_gradient_reaches_the_latent_vectors() -> None:
    prior, z = random_flow(), torch.randn(4, 3, requires_grad=True)
    prior.loss(z, SIZES).backward()
    assert z.grad is None
    for name, leaf in prior.named_parameters():
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_the_same_seed_gives_the_same_loss() -> None:
    prior, z = random_flow(), torch.randn(4, 3)
    losses = [prior.loss(z, SIZES, seeded(seed)).item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    state = torch.get_rng_state()
    prior.loss(z, SIZES, seeded(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_graphs() -> None:
    prior = random_flow()
    loss = prior.loss(torch.empty(0, 3), torch.empty(0, dtype=torch.int64))
    assert loss.item() == 0
    loss.backward()


@pytest.mark.parametrize(
    ("z", "num_nodes", "match"),
    [
        (torch.zeros(4, 2), SIZES, r"'z' of shape \[4, 3\] .got \[4, 2\]"),
        (torch.zeros(4, 1), SIZES, r"'z' of shape \[4, 3\] .got \[4, 1\]"),
        (torch.zeros(3, 3), SIZES, r"'z' of shape \[4, 3\] .got \[3, 3\]"),
        (torch.zeros(1, 3), torch.tensor([8]), "at most 7 everywhere .got 8"),
        (torch.zeros(1, 3), torch.tensor([1.0]), "dtype torch.int64"),
    ],
)
def test_the_loss_checks_its_arguments(z: Tensor, num_nodes: Tensor, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        RectifiedFlowPrior(3, 7).loss(z, num_nodes)


def test_moments_are_saved_and_forgotten() -> None:
    prior, other = random_flow(), random_flow()
    prior.standardise(MEAN.double(), STD.double())
    other.load_state_dict(prior.state_dict())
    assert torch.equal(other.mean, MEAN)
    assert torch.equal(other.std, STD)
    other.reset_parameters()
    assert other.mean.tolist() == [0, 0, 0]
    assert other.std.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("mean", "std", "match"),
    [
        (MEAN[:2], STD, r"'mean' of shape \[3\] .got \[2\]"),
        (MEAN, STD.unsqueeze(0), r"'std' of shape \[3\] .got \[1, 3\]"),
        (MEAN, torch.tensor(1.0), r"'std' of shape \[3\] .got \[\]"),
        (MEAN, torch.tensor([1.0, 0.0, 1.0]), "'std' to be positive .got a deviation of 0"),
        (MEAN, torch.tensor([1.0, -1.0, 1.0]), "'std' to be positive"),
        (MEAN, torch.tensor([1.0, torch.nan, 1.0]), "'std' to be finite .got nan"),
        (MEAN, torch.tensor([1.0, torch.inf, 1.0]), "'std' to be finite"),
        (torch.tensor([1.0, torch.nan, 1.0]), STD, "'mean' to be finite"),
    ],
)
def test_unfit_moments_leave_those_there_are(mean: Tensor, std: Tensor, match: str) -> None:
    prior = RectifiedFlowPrior(3, 7)
    with pytest.raises(ValueError, match=match):
        prior.standardise(mean, std)
    assert prior.mean.tolist() == [0, 0, 0]
    assert prior.std.tolist() == [1, 1, 1]


def test_there_is_no_density() -> None:
    with pytest.raises(NotImplementedError, match="^RectifiedFlowPrior has no tractable density$"):
        RectifiedFlowPrior(3, 7).log_prob(torch.zeros(4, 3), SIZES)


def test_the_divergence_is_that_from_the_standard_normal() -> None:
    mean, log_variance = torch.randn(2, 4, 3)
    posterior = DiagonalGaussian(mean, log_variance)
    found = random_flow().divergence(posterior, posterior.rsample(), SIZES)
    assert torch.equal(found, posterior.kl())


# By size: the left and the right mode of 1, the only mode of 2. Far from 0, on scales that differ.
MODES = torch.tensor([[[10.0, 0.5], [14.0, -0.5]], [[12.0, 0.0], [12.0, 0.0]]])
SPREAD = torch.tensor([0.4, 0.05])


def toy(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    sizes = torch.randint(1, 3, (count,), generator=generator)
    mode = MODES[sizes - 1, torch.randint(2, (count,), generator=generator)]
    return mode + SPREAD * torch.randn(count, 2, generator=generator), sizes


def test_learns_modes_that_depend_on_the_size(generator: torch.Generator) -> None:
    prior = RectifiedFlowPrior(2, 2, hidden_channels=64, num_layers=2)
    z, _ = toy(4_000, generator)
    prior.standardise(z.mean(dim=0), z.std(dim=0))
    optimizer = torch.optim.Adam(prior.parameters(), lr=3e-3)
    for _ in range(600):
        optimizer.zero_grad()
        prior.loss(*toy(512, generator), generator).backward()
        optimizer.step()
    count = 2_000
    for size in (1, 2):
        drawn = prior.sample(torch.full((count,), size), generator)
        apart = ((drawn.unsqueeze(1) - MODES[size - 1]) / SPREAD).norm(dim=2)  # [count, 2]
        near = apart.amin(dim=1) < 4
        assert float(near.float().mean()) > 0.9
        left = float((drawn[near, 0] < 12).float().mean())
        assert left == pytest.approx(0.5, abs=0.1)
        if size == 2:
            torch.testing.assert_close(drawn.mean(dim=0), MODES[1, 0], rtol=0, atol=0.1)
            ratio = drawn.std(dim=0) / SPREAD
            assert 0.8 < float(ratio.min()) <= float(ratio.max()) < 1.4


def test_guidance_goes_on_from_the_smaller_perceptron_past_the_larger() -> None:
    """By Heun's method, exact for velocities that depend on nothing but the size."""
    prior = RectifiedFlowPrior(3, 7, hidden_channels=8, num_steps=2, guidance=3.0).double()
    prior.velocity = Field(lambda z, time, size: size + 0 * z)  # type: ignore[assignment]
    prior.guide = Field(lambda z, time, size: size - 1 + 0 * z)  # type: ignore[assignment]
    noise = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(prior.draw(noise, SIZES), noise + SIZES.unsqueeze(1) - 1 + 3)


def test_without_guidance_there_is_no_second_perceptron() -> None:
    assert RectifiedFlowPrior(3, 7).guide is None
    guided = RectifiedFlowPrior(3, 7, guidance=2.0, guide_channels=5, guide_layers=1)
    assert guided.guide is not None
    assert (guided.guide.in_lin.out_features, len(guided.guide.blocks)) == (5, 1)
    assert guided.label == "rectified flow, 8 Heun steps, guidance 2"


def test_both_perceptrons_are_fitted_to_the_same_lines() -> None:
    prior = RectifiedFlowPrior(3, 7, hidden_channels=8, guidance=2.0)
    z = torch.randn(4, 3)
    larger = Field(lambda z, time, size: 0.1 * size + 0 * z)
    smaller = Field(lambda z, time, size: 0.3 * size + 0 * z)
    prior.velocity, prior.guide = larger, smaller  # type: ignore[assignment]
    both = prior.loss(z, SIZES, seeded(0))
    for mine, other in zip(larger.asked[0], smaller.asked[0], strict=True):
        assert torch.equal(mine, other)
    alone = RectifiedFlowPrior(3, 7)
    parts = []
    for network in (larger, smaller):
        alone.velocity = network  # type: ignore[assignment]
        parts.append(alone.loss(z, SIZES, seeded(0)))
    torch.testing.assert_close(both, parts[0] + parts[1])


def test_both_perceptrons_learn_and_are_reset() -> None:
    prior = RectifiedFlowPrior(3, 7, hidden_channels=8, num_layers=1, guidance=2.0)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, 0.5)
    prior.loss(torch.randn(4, 3), SIZES).backward()
    for name, leaf in prior.named_parameters():
        assert leaf.grad is not None, name
        assert leaf.grad.ne(0).any(), name
    prior.reset_parameters()
    noise = torch.randn(4, 3)
    assert torch.equal(prior.draw(noise, SIZES), noise)


def test_the_loss_in_half_precision_is_the_same_but_for_rounding() -> None:
    prior, z = random_flow(), torch.randn(4, 3)
    exact = prior.loss(z, SIZES, seeded(0))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = prior.loss(z, SIZES, seeded(0))
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0)


@pytest.mark.parametrize(
    "name",
    ["hidden_channels", "num_layers", "num_steps", "guidance", "guide_channels", "guide_layers"],
)
@pytest.mark.parametrize("value", [0, math.inf, math.nan])
def test_unfit_arguments(name: str, value: float) -> None:
    arguments: dict[str, Any] = {"latent_channels": 3, "max_num_nodes": 7, name: value}
    with pytest.raises(ValueError, match=rf"'{name}' to be at least 1 and finite .got {value}"):
        RectifiedFlowPrior(**arguments)


def test_half_a_step_is_none() -> None:
    with pytest.raises(TypeError, match=r"'num_steps' to be an integer .got 2.5"):
        RectifiedFlowPrior(3, 7, num_steps=2.5)  # type: ignore[arg-type]
    assert RectifiedFlowPrior(3, 7, guidance=2.5).guidance == 2.5


def test_names() -> None:
    prior = RectifiedFlowPrior(3, 7, num_steps=5)
    assert prior.label == "rectified flow, 5 Heun steps"
    assert repr(prior) == "RectifiedFlowPrior(3, max_num_nodes=7, num_steps=5)"
