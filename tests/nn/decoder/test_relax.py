"""Draws with a gradient."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.nn.decoder import GraphDistribution, perturb, relax
from pyg_topn.utils import Layout, RelaxedGraphs, candidate_layout


def random_distribution(*sizes: int) -> GraphDistribution:
    layout = Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))
    pairs = layout.pair_index.size(1)
    return GraphDistribution(torch.randn(sum(sizes), 3), torch.randn(pairs, 4), layout)


def test_soft_weights_are_those_of_the_softmax() -> None:
    distribution = random_distribution(3, 1, 4)
    graphs = relax(distribution, temperature=0.5, hard=False)
    expected = torch.exp(2 * distribution.node_logits)
    torch.testing.assert_close(graphs.nodes, expected / expected.sum(dim=1, keepdim=True))
    expected = torch.exp(2 * distribution.pair_logits)
    torch.testing.assert_close(graphs.pairs, expected / expected.sum(dim=1, keepdim=True))


def test_hard_weights_are_exactly_those_of_the_most_likely_graphs() -> None:
    distribution = random_distribution(3, 1, 9)
    graphs = relax(distribution, temperature=0.7)
    mode = RelaxedGraphs.from_batch(distribution.mode(), canonical=False)
    assert torch.equal(graphs.nodes, mode.nodes)
    assert torch.equal(graphs.pairs, mode.pairs)


def test_the_gradient_is_that_of_the_softmax_either_way() -> None:
    gradients = []
    for hard in (True, False):
        torch.manual_seed(1)
        distribution = random_distribution(3, 4)
        logits = (
            distribution.node_logits.requires_grad_(),
            distribution.pair_logits.requires_grad_(),
        )
        graphs = relax(distribution, temperature=2.0, hard=hard)
        weight = torch.randn_like(graphs.nodes), torch.randn_like(graphs.pairs)
        total = (weight[0] * graphs.nodes).sum() + (weight[1] * graphs.pairs).sum()
        gradients.append(torch.autograd.grad(total, logits))
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second)
        assert float(first.abs().min()) > 0


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_noise_draws_from_the_distribution(scale: float) -> None:
    """The maximum of perturbed logits is a draw from their softmax; 4 standard deviations."""
    layout = Layout(torch.full((20_000,), 2), torch.device("cpu"))
    node_logits, pair_logits = torch.tensor([0.0, 1.0, -1.0]), torch.tensor([0.0, 2.0, 1.0, -1.0])
    distribution = GraphDistribution(
        node_logits.expand(40_000, 3), pair_logits.expand(20_000, 4), layout
    )
    noisy = perturb(distribution, torch.Generator().manual_seed(0), scale)
    for drawn, logits, count in (
        (noisy.node_logits, node_logits, 40_000),
        (noisy.pair_logits, pair_logits, 20_000),
    ):
        share = drawn.argmax(dim=1).bincount(minlength=logits.numel()) / count
        p = (logits / scale).softmax(dim=0)
        assert bool(((share - p).abs() < 4 * (p * (1 - p) / count).sqrt()).all())


def test_the_seed_decides() -> None:
    distribution = random_distribution(5, 5)
    first, again, other = (
        perturb(distribution, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first.pair_logits, again.pair_logits)
    assert not torch.equal(first.pair_logits, other.pair_logits)
    torch.manual_seed(3)
    free = perturb(distribution)
    torch.manual_seed(3)
    assert torch.equal(free.node_logits, perturb(distribution).node_logits)


def test_noise_lets_the_gradient_through() -> None:
    distribution = random_distribution(3)
    logits = distribution.pair_logits.requires_grad_()
    perturb(distribution).pair_logits.sum().backward()
    assert torch.equal(logits.grad, torch.ones(3, 4))


def test_what_does_not_fit_is_refused() -> None:
    distribution = random_distribution(2, 3)
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=rf"to be positive \(got {temperature}\)"):
            relax(distribution, temperature)
    with pytest.raises(ValueError, match=r"'scale' to be at least 0 \(got -0.5\)"):
        perturb(distribution, scale=-0.5)
    few = candidate_layout(distribution.layout, torch.tensor([[0], [1]]))
    sparse = GraphDistribution(torch.randn(5, 3), torch.randn(1, 4), few)
    with pytest.raises(ValueError, match=r"all pairs \(got one that leaves some out\)"):
        relax(sparse)


def test_no_graphs() -> None:
    graphs = relax(perturb(random_distribution()))
    assert graphs.nodes.shape == (0, 3)
    assert graphs.pairs.shape == (0, 4)
