"""The contract that every prior keeps."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import (
    CouplingFlowPrior,
    GaussianPrior,
    OneStepPrior,
    Prior,
    RectifiedFlowPrior,
)

LATENT, LARGEST = 4, 7
SIZES = torch.tensor([3, 1, 7, 2])
NONE = torch.empty(0, dtype=torch.int64)

PRIORS: dict[str, Callable[[], Prior]] = {
    "gaussian": lambda: GaussianPrior(LATENT),
    "coupling_flow": lambda: CouplingFlowPrior(LATENT, LARGEST, hidden_channels=8, num_layers=3),
    "rectified_flow": lambda: RectifiedFlowPrior(
        LATENT, LARGEST, hidden_channels=8, num_layers=2, num_steps=3
    ),
    "one_step": lambda: OneStepPrior(LATENT, LARGEST, hidden_channels=8, num_layers=2),
}
WITH_DENSITY = ["gaussian", "coupling_flow"]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomised(prior: Prior) -> Prior:
    """The prior as if it were trained: flows start as the identity."""
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, 0.5)
    return prior


@pytest.fixture(params=PRIORS)
def prior(request: pytest.FixtureRequest) -> Prior:
    return randomised(PRIORS[request.param]())


class Shifted(Prior):
    """N(n, I), without a density."""

    label = "N(n, I)"

    def draw(self, noise: Tensor, num_nodes: Tensor) -> Tensor:
        self.had_grad = torch.is_grad_enabled()
        return noise + num_nodes.unsqueeze(1)


class ShiftedWithDensity(Shifted):
    """N(n, I)."""

    def log_density(self, z: Tensor, num_nodes: Tensor) -> Tensor:
        return normal(num_nodes).log_prob(z)


def normal(num_nodes: Tensor) -> Independent:
    mean = num_nodes.unsqueeze(1).expand(-1, LATENT).double()
    return Independent(Normal(mean, 1.0), 1)


def test_the_contract_is_abstract() -> None:
    with pytest.raises(TypeError, match=r"abstract.*draw.*label"):
        Prior(LATENT)  # type: ignore[abstract]


def test_a_variant_implements_draw() -> None:
    prior = Shifted(LATENT, LARGEST)
    expected = torch.randn(4, LATENT, generator=seeded(0)) + SIZES.unsqueeze(1)
    assert torch.equal(prior.sample(SIZES, seeded(0)), expected)
    assert not prior.had_grad
    assert (prior.latent_channels, prior.max_num_nodes) == (LATENT, LARGEST)
    assert prior.is_conditional
    assert not Shifted(LATENT).is_conditional
    assert Shifted(LATENT).sample(torch.tensor([10**6])).min() > 10**6 - 10


def test_a_variant_without_a_density_says_so() -> None:
    prior, z = Shifted(LATENT, LARGEST), torch.zeros(4, LATENT)
    with pytest.raises(NotImplementedError, match="^Shifted has no tractable density$"):
        prior.log_prob(z, SIZES)
    with pytest.raises(NotImplementedError, match="^Shifted has no tractable density$"):
        prior.divergence(DiagonalGaussian(z, z), z, SIZES)


def test_divergence_is_estimated_from_one_sample() -> None:
    prior = ShiftedWithDensity(LATENT, LARGEST)
    mean, log_variance, z = torch.randn(3, 4, LATENT, dtype=torch.float64)
    posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    expected = posterior.log_prob(z) - normal(SIZES).log_prob(z)
    found = prior.divergence(DiagonalGaussian(mean, log_variance), z, SIZES)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_the_estimate_has_no_bias(name: str) -> None:
    """A fresh prior is N(0, I), from which the divergence is known in closed form."""
    prior, count = PRIORS[name]().double(), 40_000
    posterior = DiagonalGaussian(
        torch.tensor([1.0, -0.5, 0.0, 2.0], dtype=torch.float64).expand(count, LATENT),
        torch.tensor([-1.0, 0.0, 0.5, -2.0], dtype=torch.float64).expand(count, LATENT),
    )
    sizes = torch.full((count,), 5)
    with torch.no_grad():
        estimate = Prior.divergence(prior, posterior, posterior.rsample(seeded(0)), sizes)
    error = float(estimate.std()) / count**0.5
    assert error < 0.02
    assert float(estimate.mean()) == pytest.approx(float(posterior.kl()[0]), abs=4 * error)


def test_samples_have_the_shape_and_type_of_the_module(prior: Prior) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        z = prior.to(dtype).sample(SIZES)
        assert (z.shape, z.dtype) == ((4, LATENT), dtype)
        assert z.isfinite().all()
        assert not z.requires_grad


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_densities_have_the_shape_and_type_of_the_vectors(name: str) -> None:
    prior = randomised(PRIORS[name]()).double()
    found = prior.log_prob(torch.randn(4, LATENT, dtype=torch.float64), SIZES)
    assert (found.shape, found.dtype) == ((4,), torch.float64)
    assert prior.log_prob(torch.empty(0, LATENT, dtype=torch.float64), NONE).shape == (0,)


def test_samples_lie_where_the_module_lies(prior: Prior) -> None:
    """Wherever the noise was drawn: where the generator lies, or else where the module lies."""
    prior, state = prior.to("meta"), torch.get_rng_state()
    for generator in (None, seeded(0)):
        z = prior.sample(SIZES, generator)
        assert (z.device.type, z.shape) == ("meta", (4, LATENT))
    assert torch.equal(torch.get_rng_state(), state)


def test_seeded(prior: Prior) -> None:
    draws = [prior.sample(SIZES, seeded(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not (draws[0] == draws[2]).any()


def test_the_global_seed_counts_only_without_a_generator(prior: Prior) -> None:
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(prior.sample(SIZES))
    assert torch.equal(draws[0], draws[1])
    assert not (draws[0] == draws[2]).any()
    state = torch.get_rng_state()
    prior.sample(SIZES, seeded(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_graphs(prior: Prior) -> None:
    assert prior.sample(NONE, seeded(0)).shape == (0, LATENT)


def test_a_batch_is_its_graphs_one_by_one(prior: Prior) -> None:
    noise = torch.randn(4, LATENT)
    alone = [prior.draw(noise[g : g + 1], SIZES[g : g + 1]) for g in range(4)]
    torch.testing.assert_close(prior.draw(noise, SIZES), torch.cat(alone))


def test_sizes_matter_to_conditional_priors_only(prior: Prior) -> None:
    first = prior.sample(torch.full((4,), 3), seeded(0))
    second = prior.sample(torch.full((4,), 5), seeded(0))
    assert prior.is_conditional == (not isinstance(prior, GaussianPrior))
    assert torch.equal(first, second) == (not prior.is_conditional)


def test_copies_draw_the_same(prior: Prior) -> None:
    expected = prior.sample(SIZES, seeded(0))
    fresh = copy.deepcopy(prior)
    fresh.reset_parameters()
    assert torch.equal(fresh.sample(SIZES, seeded(0)), expected) == (not prior.is_conditional)
    fresh.load_state_dict(prior.state_dict())
    for other in (fresh, copy.deepcopy(prior), pickle.loads(pickle.dumps(prior))):
        assert torch.equal(other.sample(SIZES, seeded(0)), expected)
        assert repr(other) == repr(prior)
        assert other.label == prior.label


def test_reset_reaches_every_parameter(prior: Prior) -> None:
    states = []
    for _ in range(2):
        with torch.no_grad():
            for parameter in prior.parameters():
                parameter.fill_(7.0)
        torch.manual_seed(7)
        prior.reset_parameters()
        for name, parameter in prior.named_parameters():
            assert (parameter != 7.0).all(), name
        states.append(copy.deepcopy(prior.state_dict()))
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


@pytest.mark.parametrize("name", PRIORS)
def test_a_fresh_prior_is_normal(name: str) -> None:
    for prior in (PRIORS[name](), randomised(PRIORS[name]())):
        prior.reset_parameters()
        z = prior.sample(torch.full((4_000,), 3), seeded(0))
        noise = torch.randn(4_000, LATENT, generator=seeded(0))
        assert torch.equal(z.sort(dim=1).values, noise.sort(dim=1).values)


@pytest.mark.parametrize(
    ("num_nodes", "error", "match"),
    [
        ([3], TypeError, "'num_nodes' to be a Tensor .got list"),
        (torch.tensor([3.0]), ValueError, "dtype torch.int64 .got dtype torch.float32"),
        (torch.tensor([3], dtype=torch.int32), ValueError, "got dtype torch.int32"),
        (torch.tensor([[3]]), ValueError, r"shape \(1, 1\)"),
        (torch.tensor([3, 0]), ValueError, "at least 1 everywhere .got 0"),
    ],
)
def test_unfit_sizes(prior: Prior, num_nodes: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        prior.sample(num_nodes)
    with pytest.raises(error, match=match):
        prior.log_prob(torch.zeros(1, LATENT), num_nodes)


def test_too_large(prior: Prior) -> None:
    sizes = torch.tensor([2, 8])
    if not prior.is_conditional:
        assert prior.sample(sizes).shape == (2, LATENT)
        return
    assert prior.max_num_nodes == LARGEST
    with pytest.raises(ValueError, match="at most 7 everywhere .got 8"):
        prior.sample(sizes)
    with pytest.raises(ValueError, match="at most 7 everywhere .got 8"):
        prior.log_prob(torch.zeros(2, LATENT), sizes)


@pytest.mark.parametrize("shape", [(3, LATENT), (4, LATENT + 1), (4, 1), (LATENT,), (4, 1, LATENT)])
def test_unfit_vectors(prior: Prior, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Expected 'z' of shape \[4, 4\] .got \["):
        prior.log_prob(torch.zeros(shape), SIZES)


@pytest.mark.parametrize("kind", [Shifted, CouplingFlowPrior, RectifiedFlowPrior])
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0, 7), "'latent_channels' to be at least 1 .got 0"),
        ((4, 0), "'max_num_nodes' to be at least 1 .got 0"),
    ],
)
def test_unfit_arguments(
    kind: Callable[..., Prior], arguments: tuple[int, int], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        kind(*arguments)


def test_the_example_of_the_page_runs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "priors.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(import .*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    kinds = [kind for kind in names.values() if isinstance(kind, type) and Prior in kind.__bases__]
    assert [isinstance(names["vae"].prior, kind) for kind in kinds] == [True]
