"""The update is permutation equivariant and keeps the sets of a batch apart."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from pyg_topn.nn.update import SetTransformer
from pyg_topn.utils import Layout

SIZES = [3, 1, 5, 2]
Z = torch.linspace(-1, 1, 12).view(4, 3)


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


@pytest.fixture(params=[3, None], ids=["latent", "no latent"])
def update(request: pytest.FixtureRequest) -> SetTransformer:
    layer = SetTransformer(8, num_layers=2, heads=2, latent_channels=request.param)
    if layer.film is not None:
        torch.nn.init.normal_(layer.film.weight)  # So that the latent vector counts.
    return layer


def updated(update: SetTransformer, x: Tensor, sizes: list[int], z: Tensor | None = None) -> Tensor:
    z = None if update.film is None else (Z if z is None else z)
    return update(x, layout_of(sizes), z)


def test_permutation_equivariant(update: SetTransformer) -> None:
    x = torch.randn(11, 8)
    parts = torch.arange(11).split(SIZES)
    perm = torch.cat([part[torch.randperm(part.numel())] for part in parts])
    torch.testing.assert_close(
        updated(update, x[perm], SIZES), updated(update, x, SIZES)[perm], rtol=1e-5, atol=1e-5
    )


def test_a_batch_is_its_sets_one_by_one(update: SetTransformer) -> None:
    x = torch.randn(11, 8)
    alone = [
        updated(update, part, [part.size(0)], Z[g : g + 1]) for g, part in enumerate(x.split(SIZES))
    ]
    torch.testing.assert_close(updated(update, x, SIZES), torch.cat(alone), rtol=1e-5, atol=1e-5)


def test_other_sets_do_not_change_by_a_bit(update: SetTransformer) -> None:
    x = torch.randn(11, 8)
    before = updated(update, x, SIZES)
    for start, end in ((0, 3), (3, 4), (4, 9), (9, 11)):
        other = x.clone()
        other[start:end] += 100 * torch.randn(end - start, 8)
        after = updated(update, other, SIZES)
        assert torch.equal(after[:start], before[:start])
        assert torch.equal(after[end:], before[end:])
        assert not torch.equal(after[start:end], before[start:end])


def test_points_see_their_set(update: SetTransformer) -> None:
    x = torch.randn(11, 8)
    other = x.clone()
    other[4] = torch.randn(8)
    changed = (updated(update, other, SIZES) != updated(update, x, SIZES)).any(dim=1)
    assert changed.tolist() == [False] * 4 + [True] * 5 + [False] * 2


def test_latent_vectors_reach_their_own_set() -> None:
    layer, x = SetTransformer(8, num_layers=2, heads=2, latent_channels=3), torch.randn(11, 8)
    other = Z.clone()
    other[2] += 1
    changed = (updated(layer, x, SIZES, other) != updated(layer, x, SIZES)).any(dim=1)
    assert changed.tolist() == [False] * 4 + [True] * 5 + [False] * 2


def test_one_layer_by_hand() -> None:
    """Pre-norm attention and perceptron, each of an input scaled and shifted by z."""
    layer = SetTransformer(6, num_layers=1, heads=2, latent_channels=3).double()
    assert layer.film is not None
    torch.nn.init.normal_(layer.film.weight)
    x, z = torch.randn(4, 6).double(), torch.randn(1, 3).double()
    scale_1, shift_1, scale_2, shift_2 = layer.film(z)[0].split(6)
    h = layer.norms[0](x) * (1 + scale_1) + shift_1
    q, k, v = layer.qkv[0](h).split(6, dim=1)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        attention = (q[:, part] @ k[:, part].t() / 3**0.5).softmax(dim=1)
        heads.append(attention @ v[:, part])
    y = x + layer.out[0](torch.cat(heads, dim=1))
    y = y + layer.mlps[0](layer.norms[1](y) * (1 + scale_2) + shift_2)
    torch.testing.assert_close(layer(x, layout_of([4]), z), y)


def test_gradients_reach_every_parameter(update: SetTransformer) -> None:
    x = torch.randn(11, 8, requires_grad=True)
    updated(update, x, SIZES).square().sum().backward()
    for name, leaf in (*update.named_parameters(), ("x", x)):
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_no_sets(update: SetTransformer) -> None:
    out = updated(update, torch.empty(0, 8), [], torch.empty(0, 3))
    assert out.shape == (0, 8)


def test_autocast(update: SetTransformer) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = updated(update, x := torch.randn(11, 8), SIZES)
    torch.testing.assert_close(out, updated(update, x, SIZES), atol=0.1, rtol=0.05)
    half = copy.deepcopy(update).bfloat16()
    z = None if update.film is None else Z.bfloat16()
    assert half(x.bfloat16(), layout_of(SIZES), z).dtype == torch.bfloat16


def test_copies_and_reset(update: SetTransformer) -> None:
    x = torch.randn(11, 8)
    expected = updated(update, x, SIZES)
    fresh = copy.deepcopy(update)
    fresh.reset_parameters()
    assert not torch.equal(updated(fresh, x, SIZES), expected)
    fresh.load_state_dict(update.state_dict())
    for other in (fresh, pickle.loads(pickle.dumps(update))):
        assert torch.equal(updated(other, x, SIZES), expected)


def test_unfit_input() -> None:
    with pytest.raises(ValueError, match=r"multiple of 'heads' .got 8 and 3"):
        SetTransformer(8, heads=3)
    x, layout = torch.randn(11, 8), layout_of(SIZES)
    with pytest.raises(ValueError, match=r"Expected a latent vector .got none"):
        SetTransformer(8, latent_channels=3)(x, layout)
    with pytest.raises(ValueError, match=r"Expected no latent vector .got one"):
        SetTransformer(8)(x, layout, Z)
