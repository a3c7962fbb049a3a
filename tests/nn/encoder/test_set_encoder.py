"""The set encoder is permutation invariant and treats the sets of a batch independently."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.nn.encoder import SetEncoder
from pyg_topn.utils import build_batch

SIZES = (5, 1, 12, 2, 35)


def small() -> SetEncoder:
    return SetEncoder(3, latent_channels=5, hidden_channels=16, num_layers=2, heads=2)


def random_sets(*sizes: int) -> list[Tensor]:
    return [3 * torch.randn(size, 3) for size in sizes]


def encode(encoder: SetEncoder, sets: list[Tensor], name: str = "pos") -> Tensor:
    sizes = torch.tensor([len(points) for points in sets], dtype=torch.int64)
    points = torch.cat(sets) if sets else torch.empty(0, 3)
    posterior = encoder(build_batch(sizes, {name: points}))
    return torch.cat([posterior.mean, posterior.log_variance], dim=1)


def test_shapes_and_names() -> None:
    encoder, sets = small(), random_sets(*SIZES)
    assert encode(encoder, sets).shape == (5, 10)
    assert torch.equal(encode(encoder, sets), encode(encoder, sets, "x"))


@pytest.mark.parametrize("seed", range(3))
def test_order_of_points_does_not_matter(seed: int) -> None:
    encoder, sets = small(), random_sets(*SIZES)
    generator = torch.Generator().manual_seed(seed)
    permuted = [points[torch.randperm(len(points), generator=generator)] for points in sets]
    torch.testing.assert_close(
        encode(encoder, permuted), encode(encoder, sets), rtol=1e-4, atol=1e-5
    )


def test_a_batch_is_its_sets_one_by_one() -> None:
    encoder, sets = small(), random_sets(*SIZES)
    alone = torch.cat([encode(encoder, [points]) for points in sets])
    torch.testing.assert_close(encode(encoder, sets), alone, rtol=1e-4, atol=1e-5)


def test_a_point_changes_its_own_set_only() -> None:
    encoder, sets = small(), random_sets(*SIZES)
    before = encode(encoder, sets)
    sets[2] = sets[2] + torch.eye(12, 3)
    assert (encode(encoder, sets) != before).any(dim=1).tolist() == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_gradients_reach_every_parameter_and_the_points() -> None:
    encoder, sets = small(), [points.requires_grad_() for points in random_sets(*SIZES)]
    encode(encoder, sets).square().sum().backward()
    leaves = dict(encoder.named_parameters()) | {f"set {n}": x for n, x in enumerate(sets)}
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_no_sets() -> None:
    assert encode(small(), []).shape == (0, 10)


def test_log_variances_are_bounded() -> None:
    encoder = small()
    with torch.no_grad():
        encoder.out_lin.bias[5:] = torch.tensor([1e6, -1e6, 0.0, 0.0, 0.0])
    log_variance = encode(encoder, random_sets(*SIZES))[:, 5:]
    assert log_variance[:, 0].eq(10).all()
    assert log_variance[:, 1].eq(-20).all()


def test_copies_and_reset() -> None:
    encoder, sets = small(), random_sets(*SIZES)
    expected = encode(encoder, sets)
    fresh = copy.deepcopy(encoder)
    fresh.reset_parameters()
    changed = {
        n for n, p in fresh.named_parameters() if not torch.equal(p, encoder.get_parameter(n))
    }
    assert {n for n, p in encoder.named_parameters() if p.dim() == 2} <= changed
    fresh.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(fresh, sets), expected)


def test_unfit_points() -> None:
    message = r"torch.float32 of shape \[N, 3\] \(got torch.float32 of shape \[4, 2\]\)"
    with pytest.raises(ValueError, match=message):
        small()(build_batch(torch.tensor([4]), {"pos": torch.randn(4, 2)}))
    with pytest.raises(ValueError, match=r"points as 'pos' or 'x' \(got neither\)"):
        small()(build_batch(torch.tensor([4]), {"y": torch.randn(4, 3)}))
    with pytest.raises(ValueError, match=r"at least one point in the batch \(got 0 in set 1\)"):
        small()(Batch(pos=torch.randn(4, 3), ptr=torch.tensor([0, 4, 4])))
    with pytest.raises(ValueError, match=r"finite points in the batch \(got NaN .* set 0, row 1\)"):
        small()(build_batch(torch.tensor([2]), {"pos": torch.tensor([[0.0] * 3, [torch.nan] * 3])}))
