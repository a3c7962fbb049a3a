"""i.i.d. creation: seeded noise of the right distribution."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.nn.creation import IIDCreation

SIZES = torch.tensor([3, 1, 200])


def test_seeded() -> None:
    layer, z = IIDCreation(4, 5), torch.randn(3, 4)
    results = [layer(z, SIZES, torch.Generator().manual_seed(seed)).x for seed in (0, 0, 1)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert not torch.equal(layer(z, SIZES).x, layer(z, SIZES).x)


def test_equation() -> None:
    layer, z = IIDCreation(4, 5, noise_channels=2), torch.randn(3, 4)
    batch = layer(z, SIZES, torch.Generator().manual_seed(0))
    noise = torch.randn(204, 2, generator=torch.Generator().manual_seed(0))
    expected = noise @ layer.noise_lin.weight.t() + (z @ layer.latent_lin.weight.t())[batch.batch]
    torch.testing.assert_close(batch.x, expected)


def test_points_are_standard_normal() -> None:
    layer = IIDCreation(1, 2)
    torch.nn.init.eye_(layer.noise_lin.weight)
    x = layer(torch.zeros(1, 1), torch.tensor([20_000]), torch.Generator().manual_seed(0)).x
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(2), rtol=0, atol=0.03)
    torch.testing.assert_close(x.t().cov(), torch.eye(2), rtol=0, atol=0.04)


def test_unbounded() -> None:
    assert IIDCreation(4, 5).max_num_nodes is None
    assert IIDCreation(4, 5)(torch.randn(1, 4), torch.tensor([1000])).num_nodes == 1000


def test_unfit_arguments() -> None:
    with pytest.raises(ValueError, match=r"'noise_channels' to be at least 1 .got 0"):
        IIDCreation(4, 5, noise_channels=0)
    with pytest.raises(ValueError, match=r"'latent_channels' to be at least 1 .got 0"):
        IIDCreation(0, 5)
