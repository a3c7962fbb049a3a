"""The standard normal prior against torch.distributions."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.nn.prior import GaussianPrior

SIZES = torch.tensor([3, 1, 7, 10**6])


def test_samples_are_the_noise() -> None:
    expected = torch.randn(4, 3, generator=torch.Generator().manual_seed(5))
    found = GaussianPrior(3).sample(SIZES, torch.Generator().manual_seed(5))
    assert torch.equal(found, expected)


def test_log_prob() -> None:
    z = 3 * torch.randn(4, 3, dtype=torch.float64)
    standard = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    torch.testing.assert_close(GaussianPrior(3).log_prob(z, SIZES), standard.log_prob(z))


def test_divergence_has_a_closed_form() -> None:
    mean, log_variance = torch.randn(2, 4, 3, dtype=torch.float64)
    posterior = DiagonalGaussian(mean, log_variance)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
    for z in (posterior.rsample(), posterior.rsample()):  # It does not depend on the sample.
        torch.testing.assert_close(GaussianPrior(3).divergence(posterior, z, SIZES), expected)


def test_nothing_is_learnt_and_nothing_is_saved() -> None:
    prior = GaussianPrior(3)
    assert list(prior.parameters()) == []
    assert prior.state_dict() == {}
    assert prior.max_num_nodes is None
    assert prior.label == "N(0, I)"
    assert repr(prior) == "GaussianPrior(3)"


def test_unfit_arguments() -> None:
    with pytest.raises(ValueError, match="'latent_channels' to be at least 1 .got 0"):
        GaussianPrior(0)
