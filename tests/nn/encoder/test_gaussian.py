"""The normal posterior against torch.distributions."""

from __future__ import annotations

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from pyg_topn.nn.encoder import DiagonalGaussian


def test_divergence() -> None:
    mean, log_variance = torch.randn(4, 3).double(), torch.randn(4, 3).double()
    posterior = Normal(mean, (0.5 * log_variance).exp())
    prior = Normal(torch.zeros(3).double(), torch.ones(3).double())
    expected = kl_divergence(posterior, prior).sum(dim=1)
    torch.testing.assert_close(DiagonalGaussian(mean, log_variance).kl(), expected)
    zeros = torch.zeros(2, 3)
    assert DiagonalGaussian(zeros, zeros).kl().tolist() == [0, 0]


def test_log_prob() -> None:
    mean, log_variance, z = torch.randn(3, 4, 3, dtype=torch.float64)
    expected = Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(dim=1)
    found = DiagonalGaussian(mean, log_variance).log_prob(z)
    torch.testing.assert_close(found, expected)
    full = MultivariateNormal(mean, torch.diag_embed(log_variance.exp()))
    torch.testing.assert_close(found, full.log_prob(z))


def test_log_prob_is_differentiable() -> None:
    leaves = torch.randn(3, 4, 3, dtype=torch.float64).unbind()
    for leaf in leaves:
        leaf.requires_grad_()
    assert torch.autograd.gradcheck(lambda m, v, z: DiagonalGaussian(m, v).log_prob(z), leaves)


def test_moments_of_draws(generator: torch.Generator) -> None:
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -1.0]])
    posterior = DiagonalGaussian(mean.expand(50_000, 2), log_variance.expand(50_000, 2))
    z = posterior.rsample(generator)
    torch.testing.assert_close(z.mean(dim=0), mean[0], rtol=0, atol=0.02)
    torch.testing.assert_close(z.var(dim=0), log_variance[0].exp(), rtol=0, atol=0.03)


def test_draws_are_seeded_and_differentiable() -> None:
    mean = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    log_variance = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    posterior = DiagonalGaussian(mean, log_variance)
    draws = [posterior.rsample(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    draws[0].sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert torch.equal(mean.grad, torch.ones(4, 3).double())
    torch.testing.assert_close(log_variance.grad, 0.5 * draws[0].detach())


def test_no_graphs() -> None:
    posterior = DiagonalGaussian(torch.empty(0, 3), torch.empty(0, 3))
    assert posterior.rsample().shape == (0, 3)
    assert posterior.kl().shape == (0,)
    assert posterior.log_prob(posterior.rsample()).shape == (0,)
