"""Top-n against the equations of the paper, written out for one graph at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pyg_topn.nn.creation import TopNCreation

SIZES = torch.tensor([3, 1, 6, 8, 2])


def parameter(layer: TopNCreation, name: str) -> np.ndarray:
    return layer.get_parameter(name).detach().numpy()


def by_hand(layer: TopNCreation, z: np.ndarray, n: int) -> tuple[list[int], np.ndarray]:
    """Equations 5 to 10 for one latent vector, the largest cosine first."""
    w = {i: parameter(layer, f"angle_mlp.lins.{i}.weight") for i in (0, 1)}
    b = {i: parameter(layer, f"angle_mlp.lins.{i}.bias") for i in (0, 1)}
    phi, r = parameter(layer, "angles"), parameter(layer, "representations")
    w1, w2, w3, w4 = (
        parameter(layer, f"{name}.weight").T
        for name in ("cosine_scale", "cosine_shift", "latent_scale", "latent_shift")
    )
    a = w[1] @ np.maximum(w[0] @ z + b[0], 0) + b[1]  # (5)
    norm = math.sqrt(sum(a**2))
    c = [sum(phi_i * a) / math.sqrt(sum(phi_i**2)) / norm for phi_i in phi]  # (6), and the norm
    s = sorted(range(len(c)), key=lambda i: -c[i])[:n]  # (7)
    total = sum(math.exp(c[i]) for i in s)
    x = np.zeros((n, r.shape[1]))
    for row, i in enumerate(s):
        tilde = math.exp(c[i]) / total  # (8)
        for k in range(r.shape[1]):
            x[row, k] = r[i, k] * tilde * w1[0, k] + tilde * w2[0, k]  # (9)
            scale, shift = sum(z * w3[:, k]), sum(z * w4[:, k])
            x[row, k] = x[row, k] * scale + shift  # (10)
    return s, x


def selection(layer: TopNCreation, z: Tensor, num_nodes: Tensor) -> list[list[int]]:
    slots, selected = layer.select(layer.cosines(z), num_nodes)
    rows = [slots[g, :n].tolist() for g, n in enumerate(num_nodes.tolist())]
    for g, row in enumerate(rows):
        assert sorted(row) == selected[g].nonzero().flatten().tolist()
    return rows


@pytest.mark.parametrize("order", ["reference", "cosine"])
@pytest.mark.parametrize("angle_channels", [2, 4])
def test_the_equations_of_the_paper(order: str, angle_channels: int) -> None:
    layer = TopNCreation(3, 5, 8, angle_channels, hidden_channels=6, order=order).double()
    z = torch.randn(5, 3, dtype=torch.float64)
    batch = layer(z, SIZES)
    rows = selection(layer, z, SIZES)
    for g, n in enumerate(SIZES.tolist()):
        s, x = by_hand(layer, z[g].numpy(), n)
        if order == "reference":
            place = np.argsort(s)
            s, x = sorted(s), x[place]
        assert rows[g] == s
        np.testing.assert_allclose(batch[g].x.detach().numpy(), x, rtol=0, atol=1e-6)


def test_times_the_size_the_weights_average_to_one() -> None:
    """Equation 8 times n: points of all sizes have representations of the same scale."""
    layer = TopNCreation(3, 5, 8, times_size=True).double()
    plain = TopNCreation(3, 5, 8).double()
    plain.load_state_dict(layer.state_dict())
    z = torch.randn(5, 3, dtype=torch.float64)
    with torch.no_grad():
        for each in (layer, plain):
            each.latent_shift.weight.zero_()
    times, once = layer(z, SIZES), plain(z, SIZES)
    for g, n in enumerate(SIZES.tolist()):
        torch.testing.assert_close(times[g].x, n * once[g].x)
    # At first the weights of R are near 1 then, and near n0 without.
    assert float(layer.cosine_scale.weight.detach().mean()) == pytest.approx(1, abs=0.3)
    plain.reset_parameters()
    assert float(plain.cosine_scale.weight.detach().mean()) == pytest.approx(8, abs=2)


def test_single_precision_is_close() -> None:
    layer = TopNCreation(3, 5, 8)
    z = torch.randn(5, 3)
    x = layer(z, SIZES).x
    torch.testing.assert_close(layer.double()(z.double(), SIZES).x.float(), x, rtol=1e-4, atol=1e-4)


def test_norms_do_not_matter() -> None:
    layer, z = TopNCreation(3, 5, 8), torch.randn(5, 3)
    before, x = selection(layer, z, SIZES), layer(z, SIZES).x
    with torch.no_grad():
        layer.angles *= torch.tensor([1e-3, 1.0, 50.0, 1e3, 0.1, 7.0, 3e-2, 2.0])[:, None]
    assert selection(layer, z, SIZES) == before
    torch.testing.assert_close(layer(z, SIZES).x, x, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        layer.angle_mlp.lins[1].weight *= 100
        layer.angle_mlp.lins[1].bias *= 100
    assert selection(layer, z, SIZES) == before


@pytest.mark.parametrize("order", ["reference", "cosine"])
def test_permuting_the_reference_points_changes_the_order_only(order: str) -> None:
    layer, z = TopNCreation(3, 5, 8, order=order), torch.randn(5, 3)
    before = layer(z, SIZES)
    perm = torch.randperm(8)
    with torch.no_grad():
        layer.angles.copy_(layer.angles[perm])
        layer.representations.copy_(layer.representations[perm])
    after = layer(z, SIZES)
    for g in range(5):
        a, b = before[g].x, after[g].x
        if order == "reference":
            a, b = a[a[:, 0].argsort()], b[b[:, 0].argsort()]
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("order", ["reference", "cosine"])
@pytest.mark.parametrize("tied", [False, True])
def test_growing_keeps_what_was_selected(order: str, tied: bool) -> None:
    layer, z = TopNCreation(3, 5, 20, order=order), torch.randn(4, 3)
    if tied:
        with torch.no_grad():
            layer.angles.copy_(layer.angles[:2].repeat(10, 1))
    previous: list[list[int]] = [[] for _ in range(4)]
    for n in range(1, 21):
        rows = selection(layer, z, torch.full((4,), n))
        for row, before in zip(rows, previous, strict=True):
            assert len(set(row)) == n
            kept = [i for i in row if i in before]
            assert kept == before  # The same points, listed in the same order.
        previous = rows
    assert sorted(previous[0]) == list(range(20))


def test_orders_list_the_same_set() -> None:
    reference, z = TopNCreation(3, 5, 8), torch.randn(5, 3)
    cosine = TopNCreation(3, 5, 8, order="cosine")
    cosine.load_state_dict(reference.state_dict())
    cosines = cosine.cosines(z)
    by_reference, by_cosine = selection(reference, z, SIZES), selection(cosine, z, SIZES)
    for g in range(5):
        assert by_reference[g] == sorted(by_cosine[g])
        assert cosines[g][by_cosine[g]].diff().le(0).all()


def test_gradients_of_the_selection() -> None:
    """Angles get gradients through the cosines of the selected points, and no others do."""
    layer, z = TopNCreation(3, 5, 8), torch.randn(1, 3)
    chosen = selection(layer, z, torch.tensor([3]))[0]
    layer(z, torch.tensor([3])).x.square().sum().backward()
    for parameter_ in (layer.angles, layer.representations):
        assert parameter_.grad is not None
        reached = parameter_.grad.ne(0).any(dim=1).nonzero().flatten().tolist()
        assert reached == chosen
    for module in ("angle_mlp", "cosine_scale", "cosine_shift", "latent_scale", "latent_shift"):
        for leaf in layer.get_submodule(module).parameters():
            assert leaf.grad is not None
            assert leaf.grad.isfinite().all()
            assert leaf.grad.ne(0).any()


def test_gradients_are_the_derivatives() -> None:
    layer = TopNCreation(2, 3, 5, hidden_channels=4).double()
    batch = layer(torch.randn(2, 2, dtype=torch.float64), torch.tensor([2, 4]))

    def created(z: Tensor, angles: Tensor) -> Tensor:
        state = {"angles": angles}
        arguments = (z, torch.tensor([2, 4]))
        return torch.func.functional_call(layer, state, arguments).x

    z = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    angles = layer.angles.detach().clone().requires_grad_()
    assert batch.x.dtype == torch.float64
    assert torch.autograd.gradcheck(created, (z, angles))


def test_angles_of_zero_length_are_survived() -> None:
    layer = TopNCreation(3, 5, 8)
    torch.nn.init.zeros_(layer.angles)
    torch.nn.init.zeros_(layer.angle_mlp.lins[1].weight)
    torch.nn.init.zeros_(layer.angle_mlp.lins[1].bias)
    x = layer(torch.randn(5, 3), SIZES).x
    x.sum().backward()
    assert x.isfinite().all()
    for leaf in layer.parameters():
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("n", [1, 4, 7])
def test_any_set_can_be_generated(n: int) -> None:
    """The construction of appendix C: Top-n, then one map for every row, give a set exactly.

    The largest cosines are those of the first n of n_0 points, whose representations are unit
    vectors; equations 9 and 10 pass them through once the representations undo the softmax.
    """
    dim, n_0 = 3, 7
    points = torch.randn(n, dim, dtype=torch.float64)
    in_order = torch.tensor(sorted(points.tolist()), dtype=torch.float64)
    z = torch.cat([in_order.flatten(), torch.ones(1, dtype=torch.float64)])[None]
    layer = TopNCreation(n * dim + 1, n_0, n_0, angle_channels=2).double()
    turn = torch.arange(n_0, dtype=torch.float64) / n_0 * math.pi / 4
    with torch.no_grad():
        for leaf in layer.parameters():
            leaf.zero_()
        layer.angles.copy_(torch.stack([turn.cos(), turn.sin()], dim=1))
        layer.angle_mlp.lins[1].bias.copy_(torch.tensor([1.0, 0.0]))
        softmax = turn.cos()[:n].softmax(0)
        layer.representations.copy_(torch.eye(n_0))
        layer.representations[:n] /= softmax[:, None]
        layer.cosine_scale.weight.fill_(1)
        layer.latent_scale.weight[:, -1] = 1  # z ends with a one.
        slot = layer(z, torch.tensor([n])).x  # [n, n_0]
    torch.testing.assert_close(slot, torch.eye(n, n_0, dtype=torch.float64))
    # f(e_i, z) = e_i^T reshape(z), the same for every row.
    blocks = z[0, :-1].view(n, dim)
    generated = torch.stack([row[:n] @ blocks for row in slot])
    torch.testing.assert_close(generated, in_order)
    assert sorted(map(tuple, generated.round(decimals=9).tolist())) == sorted(
        map(tuple, points.round(decimals=9).tolist())
    )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"order": "random"}, "'order' to be 'reference' or 'cosine' .got 'random'"),
        ({"angle_channels": 0}, "'angle_channels' to be at least 1 .got 0"),
        ({"num_reference_points": 0}, "at least 1 .got 0"),
    ],
)
def test_unfit_arguments(arguments: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TopNCreation(
            **{  # type: ignore[arg-type]
                "latent_channels": 3,
                "out_channels": 5,
                "num_reference_points": 8,
                **arguments,
            }
        )


def test_repr() -> None:
    assert repr(TopNCreation(3, 5, 8)) == (
        "TopNCreation(3, 5, num_reference_points=8, angle_channels=4, order='reference')"
    )
