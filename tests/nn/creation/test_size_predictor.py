"""Sizes predicted from latent vectors."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from pyg_topn.nn.creation import SizePredictor

Z = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def sure_of(*sizes: int) -> SizePredictor:
    """A predictor that is all but certain of a size for each unit vector."""
    predictor = SizePredictor(2, max_num_nodes=6, hidden_channels=2)
    with torch.no_grad():
        for leaf in predictor.parameters():
            leaf.zero_()
        torch.nn.init.eye_(predictor.mlp.lins[0].weight)
        for i, size in enumerate(sizes):
            predictor.mlp.lins[1].weight[size - 1, i] = 50.0
    return predictor


def test_sizes_start_at_one(generator: torch.Generator) -> None:
    predictor = sure_of(1, 6)
    assert predictor.sample(Z, mode=True).tolist() == [1, 6]
    assert predictor.sample(Z, generator).tolist() == [1, 6]
    assert predictor.loss(Z, torch.tensor([1, 6])).item() == pytest.approx(0, abs=1e-6)
    assert predictor.loss(Z, torch.tensor([6, 1])).item() == pytest.approx(50)


def test_draws_follow_the_logits(generator: torch.Generator) -> None:
    predictor, z = SizePredictor(2, max_num_nodes=3), torch.randn(1, 2)
    drawn = predictor.sample(z.expand(20_000, 2), generator)
    share = drawn.bincount(minlength=4)[1:] / 20_000
    torch.testing.assert_close(share, predictor(z).softmax(1)[0], rtol=0, atol=0.02)
    assert not drawn.requires_grad


def test_seeded() -> None:
    predictor, z = SizePredictor(2, max_num_nodes=9), torch.randn(50, 2)
    drawn = [predictor.sample(z, torch.Generator().manual_seed(s)).tolist() for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("mode", [True, False])
def test_no_graphs(mode: bool) -> None:
    drawn = SizePredictor(2, max_num_nodes=9).sample(torch.empty(0, 2), mode=mode)
    assert (drawn.shape, drawn.dtype) == ((0,), torch.int64)


@pytest.mark.parametrize("detach", [True, False])
def test_the_loss_trains(detach: bool) -> None:
    predictor = SizePredictor(2, max_num_nodes=6, detach=detach)
    z = Z.clone().requires_grad_()
    loss = predictor.loss(z, torch.tensor([2, 5]))
    logits = predictor(z).log_softmax(1)
    torch.testing.assert_close(loss, -(logits[0, 1] + logits[1, 4]) / 2)
    loss.backward()
    assert all(leaf.grad is not None and leaf.grad.ne(0).any() for leaf in predictor.parameters())
    assert (z.grad is None) == detach


def test_copies() -> None:
    predictor = SizePredictor(2, max_num_nodes=6)
    fresh = copy.deepcopy(predictor)
    fresh.reset_parameters()
    assert not torch.equal(fresh(Z), predictor(Z))
    fresh.load_state_dict(predictor.state_dict())
    for other in (fresh, pickle.loads(pickle.dumps(predictor))):
        assert torch.equal(other(Z), predictor(Z))


def test_unfit_input() -> None:
    with pytest.raises(ValueError, match=r"'max_num_nodes' to be at least 1 .got 0"):
        SizePredictor(2, max_num_nodes=0)
    predictor = SizePredictor(2, max_num_nodes=6)
    for sizes, match in (([1, 7], "at most 6 everywhere .got 7"), ([0, 1], "at least 1")):
        with pytest.raises(ValueError, match=match):
            predictor.loss(Z, torch.tensor(sizes))
