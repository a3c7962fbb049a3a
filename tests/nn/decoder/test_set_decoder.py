"""The set decoder gives sets of the sizes that are asked for, each on its own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from pyg_topn.nn.creation import Creation
from pyg_topn.nn.decoder import SetDecoder
from pyg_topn.nn.update import SetTransformer
from pyg_topn.resolver import CREATIONS, creation_resolver

SIZES = torch.tensor([5, 1, 12, 2, 9])


def creation_of(name: str) -> Creation:
    bound = {"top_n": {"num_reference_points": 12}, "iid": {}}.get(name, {"max_num_nodes": 12})
    return creation_resolver(name, latent_channels=8, out_channels=16, **bound)


def small(name: str = "top_n", film: bool = False) -> SetDecoder:
    update = SetTransformer(16, num_layers=2, heads=2, latent_channels=8 if film else None)
    return SetDecoder(creation_of(name), update)


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("name", CREATIONS)
def test_shapes(name: str, film: bool) -> None:
    decoder = small(name, film)
    batch = decoder(torch.randn(5, 8), SIZES)
    assert batch.pos.shape == (29, 3)
    assert torch.equal(batch.ptr.diff(), SIZES)
    assert [data.num_nodes for data in batch.to_data_list()] == SIZES.tolist()
    assert decoder.latent_channels == 8
    assert decoder.max_num_nodes == (None if name == "iid" else 12)


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("name", ["top_n", "first_n", "mlp"])
def test_a_batch_is_its_sets_one_by_one(name: str, film: bool) -> None:
    decoder, z = small(name, film), torch.randn(5, 8)
    alone = [decoder(z[i : i + 1], SIZES[i : i + 1]).pos for i in range(5)]
    torch.testing.assert_close(decoder(z, SIZES).pos, torch.cat(alone), rtol=1e-4, atol=1e-5)


class GivenPoints(Creation):
    """Returns the points that it was given."""

    points: Tensor

    def reset_parameters(self) -> None:
        pass

    def create(
        self, z: Tensor, batch: Tensor, ptr: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        return self.points


@pytest.mark.parametrize("film", [False, True])
def test_equivariant_behind_the_creation(film: bool) -> None:
    creation = GivenPoints(8, 16)
    update = SetTransformer(16, num_layers=2, heads=2, latent_channels=8 if film else None)
    decoder, z, points = SetDecoder(creation, update), torch.randn(5, 8), torch.randn(29, 16)
    perm = torch.cat(
        [
            start + torch.randperm(int(n))
            for start, n in zip(SIZES.cumsum(0) - SIZES, SIZES, strict=True)
        ]
    )
    creation.points = points
    expected = decoder(z, SIZES).pos[perm]
    creation.points = points[perm]
    torch.testing.assert_close(decoder(z, SIZES).pos, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("name", CREATIONS)
def test_gradients_reach_every_parameter_and_z(name: str, film: bool) -> None:
    decoder, z = small(name, film), torch.randn(5, 8, requires_grad=True)
    decoder(z, SIZES).pos.square().sum().backward()
    for key, leaf in [*decoder.named_parameters(), ("z", z)]:
        assert leaf.grad is not None, key
        assert leaf.grad.isfinite().all(), key
        assert leaf.grad.ne(0).any(), key


def test_noise_comes_from_the_generator() -> None:
    decoder, z = small("iid"), torch.randn(5, 8)
    draws = [decoder(z, SIZES, torch.Generator().manual_seed(s)).pos for s in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_no_sets() -> None:
    batch = small()(torch.empty(0, 8), torch.empty(0, dtype=torch.int64))
    assert batch.pos.shape == (0, 3)
    assert batch.num_graphs == 0


def test_reset_reaches_every_matrix() -> None:
    decoder = small(film=True)
    fresh = copy.deepcopy(decoder)
    fresh.reset_parameters()
    for name, parameter in decoder.named_parameters():
        if parameter.dim() == 2:
            assert not torch.equal(parameter, fresh.get_parameter(name)), name


def test_unfit_parts_and_sizes() -> None:
    with pytest.raises(ValueError, match=r"size of the latent vector \(got 8 and 7\)"):
        SetDecoder(creation_of("iid"), SetTransformer(16, latent_channels=7))
    with pytest.raises(ValueError, match=r"at most 12 everywhere \(got 13\)"):
        small()(torch.randn(1, 8), torch.tensor([13]))
