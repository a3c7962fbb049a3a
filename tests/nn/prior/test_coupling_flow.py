"""The coupling flow: its density is one, and that of its samples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch_geometric.nn import MLP, Linear

from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import CouplingFlowPrior, GaussianPrior
from pyg_topn.utils import autocast


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_flow(channels: int, num_layers: int = 4, spread: float = 0.4) -> CouplingFlowPrior:
    """A flow of double precision, far from the identity."""
    prior = CouplingFlowPrior(channels, 3, hidden_channels=8, num_layers=num_layers).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, spread)
    return prior


def last_layer(prior: CouplingFlowPrior, coupling: int) -> Linear:
    """What gives the log-scales and shifts of a coupling."""
    mlp = prior.mlps[coupling]
    assert isinstance(mlp, MLP)
    return mlp.lins[-1]


def grid(end: float, step: float) -> Tensor:
    """The points of a square, [P, 2]."""
    axis = torch.arange(-end, end, step, dtype=torch.float64) + step / 2
    return torch.cartesian_prod(axis, axis)


@torch.no_grad()
def test_starts_as_the_standard_normal() -> None:
    prior, z = CouplingFlowPrior(5, 3).double(), torch.randn(6, 5).double()
    sizes = torch.tensor([1, 2, 3, 1, 2, 3])
    expected = GaussianPrior(5).log_prob(z, sizes)
    torch.testing.assert_close(prior.log_prob(z, sizes), expected)
    drawn = prior.draw(z, sizes)  # The noise, with its channels in another order.
    assert torch.equal(drawn.sort(dim=1).values, z.sort(dim=1).values)


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 3])
def test_the_density_integrates_to_one(size: int) -> None:
    prior, step = random_flow(2, spread=0.3), 0.05
    points = grid(16, step)
    density = prior.log_prob(points, torch.full((len(points),), size)).exp()
    assert float(density.sum()) * step**2 == pytest.approx(1, abs=1e-3)
    normal = GaussianPrior(2).log_prob(points, torch.ones(len(points), dtype=torch.int64)).exp()
    assert float((density - normal).abs().sum()) * step**2 > 0.3  # Not the normal one.


@torch.no_grad()
def test_samples_follow_the_density() -> None:
    prior, step, count = random_flow(2), 0.05, 40_000
    points = grid(14, step)
    mass = prior.log_prob(points, torch.full((len(points),), 2)).exp() * step**2
    z = prior.sample(torch.full((count,), 2), seeded(0))

    def cell(where: Tensor) -> Tensor:
        """A number for each of 16 regions."""
        cuts = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
        column, row = torch.bucketize(where, cuts).unbind(dim=1)
        return 4 * column + row

    expected = torch.zeros(16, dtype=torch.float64).index_add(0, cell(points), mass)
    found = cell(z).bincount(minlength=16) / count
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=0.012)


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_log_prob_is_the_jacobian_of_draw(channels: int) -> None:
    prior, noise = random_flow(channels), torch.randn(5, channels, dtype=torch.float64)
    sizes = torch.tensor([1, 2, 3, 3, 1])
    found = prior.log_prob(prior.draw(noise, sizes), sizes)
    for k in range(5):
        size = sizes[k : k + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda row, size=size: prior.draw(row.unsqueeze(0), size)[0], noise[k]
        )
        normal = Normal(0.0, 1.0).log_prob(noise[k]).sum()
        expected = normal - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(found[k], expected)
        assert abs(float(expected - normal)) > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("channels", [2, 3, 6])
def test_the_density_goes_back_the_way_of_draw(channels: int) -> None:
    """What every coupling reads on the way back is what it read on the way there."""
    prior, read = random_flow(channels), []
    for mlp in prior.mlps:
        mlp.register_forward_hook(lambda module, args, output: read.append((module, args[0])))
    noise, sizes = torch.randn(5, channels).double(), torch.tensor([1, 2, 3, 3, 1])
    prior.log_prob(prior.draw(noise, sizes), sizes)
    there, back = read[:4], read[4:][::-1]
    assert [module for module, _ in there] == [module for module, _ in back]
    for (_, first), (_, second) in zip(there, back, strict=True):
        torch.testing.assert_close(first, second)
    kept = channels // 2
    assert torch.equal(there[0][1][:, :kept], noise[:, :kept])


@torch.no_grad()
def test_one_coupling() -> None:
    """Two channels are those of the noise, the others are normal with a known spread."""
    prior = CouplingFlowPrior(4, 3, hidden_channels=8, num_layers=1).double()
    last_layer(prior, 0).bias.copy_(torch.tensor([1.0, -3.0, 0.5, 2.0]))
    noise, sizes = torch.randn(6, 4, dtype=torch.float64), torch.full((6,), 2)
    std = torch.tensor([1, 1, math.exp(2 * math.tanh(0.5)), math.exp(2 * math.tanh(-1.5))]).double()
    mean = torch.tensor([0.0, 0.0, 0.5, 2.0], dtype=torch.float64)
    z = prior.draw(noise, sizes)
    ordered = z[:, prior.permutations[0]]
    torch.testing.assert_close(ordered, noise * std + mean)
    expected = Independent(Normal(mean, std), 1).log_prob(ordered)
    torch.testing.assert_close(prior.log_prob(z, sizes), expected)


@torch.no_grad()
def test_no_layer_can_explode() -> None:
    prior = CouplingFlowPrior(2, 3, hidden_channels=8, num_layers=2).double()
    for coupling in range(2):
        last_layer(prior, coupling).bias.copy_(torch.tensor([1e6, 0.0]))
    noise, sizes = torch.randn(6, 2, dtype=torch.float64), torch.full((6,), 2)
    z = prior.draw(noise, sizes)
    torch.testing.assert_close(z.norm(dim=1), math.exp(2) * noise.norm(dim=1))
    log_prob = GaussianPrior(2).log_prob(noise, sizes) - 4
    torch.testing.assert_close(prior.log_prob(z, sizes), log_prob)


@torch.no_grad()
@pytest.mark.parametrize("channels", [2, 3, 4, 17, 48])
@pytest.mark.parametrize("num_layers", [2, 3])
def test_two_layers_move_every_channel(channels: int, num_layers: int) -> None:
    prior, noise = random_flow(channels, num_layers), torch.randn(6, channels).double()
    z = prior.draw(noise, torch.full((6,), 2))
    unmoved = (z.unsqueeze(2) == noise.unsqueeze(1)).all(dim=0)  # [L, L]
    assert not unmoved.any()


def test_permutations_are_the_same_whatever_the_seed() -> None:
    kept = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        kept.append(CouplingFlowPrior(16, 3).permutations)
    assert torch.equal(kept[0], kept[1])
    assert torch.equal(kept[0].sort(dim=1).values, torch.arange(16).expand(8, 16))
    assert "permutations" in CouplingFlowPrior(16, 3).state_dict()


@pytest.mark.parametrize("channels", [2, 5])
def test_gradients_reach_every_parameter_and_z(channels: int) -> None:
    prior = random_flow(channels)
    z = torch.randn(6, channels, dtype=torch.float64, requires_grad=True)
    prior.log_prob(z, torch.tensor([1, 2, 3, 1, 2, 3])).sum().backward()
    for name, leaf in (*prior.named_parameters(), ("z", z)):
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_divergence_trains_posterior_and_prior() -> None:
    prior = CouplingFlowPrior(4, 3, hidden_channels=8)
    mean, log_variance = torch.randn(2, 6, 4, requires_grad=True)
    posterior = DiagonalGaussian(mean, log_variance)
    mean.retain_grad()
    log_variance.retain_grad()
    prior.divergence(posterior, posterior.rsample(), torch.full((6,), 2)).mean().backward()
    last = last_layer(prior, -1)
    for leaf in (mean, log_variance, last.weight, last.bias):
        assert leaf.grad is not None
        assert leaf.grad.ne(0).all()


def toy(sizes: Tensor) -> MixtureSameFamily:
    """Two modes, left and right, at a height that is the size."""
    height = sizes.to(torch.float32)
    side = torch.tensor([-2.0, 2.0]).expand(len(sizes), 2)
    mean = torch.stack([side, height.unsqueeze(1).expand(-1, 2)], dim=2)  # [B, modes, 2]
    weights = Categorical(torch.tensor([0.3, 0.7]).expand(len(sizes), 2))
    return MixtureSameFamily(weights, Independent(Normal(mean, 0.4), 1))


def test_learns_two_modes_by_maximum_likelihood() -> None:
    prior = CouplingFlowPrior(2, 3, hidden_channels=32, num_layers=6)
    optimizer = torch.optim.Adam(prior.parameters(), lr=5e-3)
    for _ in range(400):
        sizes = torch.randint(1, 4, (256,))
        loss = -prior.log_prob(toy(sizes).sample(), sizes).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        sizes = torch.randint(1, 4, (4_000,))
        target = toy(sizes)
        z = target.sample()
        nats = {
            "normal": -float(GaussianPrior(2).log_prob(z, sizes).mean()),
            "flow": -float(prior.log_prob(z, sizes).mean()),
            "truth": -float(target.log_prob(z).mean()),
        }
        assert nats["truth"] - 0.05 < nats["flow"] < nats["truth"] + 0.3 < nats["normal"] - 2
        drawn = prior.sample(sizes)
    assert float((drawn[:, 1] - sizes).abs().median()) < 0.5
    assert float((drawn[:, 0] > 0).float().mean()) == pytest.approx(0.7, abs=0.06)
    assert float((drawn[:, 0].abs() - 2).abs().median()) < 0.5


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"latent_channels": 1}, "'latent_channels' to be at least 2 .got 1"),
        ({"num_layers": 0}, "'num_layers' to be at least 1 .got 0"),
        ({"hidden_channels": 0}, "'hidden_channels' to be at least 1 .got 0"),
    ],
)
def test_unfit_arguments(arguments: dict[str, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        CouplingFlowPrior(**{"latent_channels": 4, "max_num_nodes": 3, **arguments})


def test_names() -> None:
    prior = CouplingFlowPrior(4, 9, num_layers=6)
    assert prior.label == "coupling flow, 6 layers"
    assert repr(prior) == "CouplingFlowPrior(4, max_num_nodes=9, num_layers=6)"


@torch.no_grad()
def test_half_precision_of_products_leaves_densities_alone() -> None:
    """A nat is what methods differ in: eight bits of every shift would take a third of one."""
    prior = random_flow(6).float()
    z, sizes = torch.randn(64, 6), torch.randint(1, 4, (64,))
    expected = prior.log_prob(z, sizes), prior.draw(z, sizes)
    with autocast("cpu", "bfloat16"):
        found = prior.log_prob(z, sizes), prior.draw(z, sizes)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
