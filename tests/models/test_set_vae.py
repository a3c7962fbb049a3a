"""Encode, decode and sample; and a small model that learns a handful of sets by heart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import SetVAELoss
from pyg_topn.models import SetVAE, SetVAEOutput, build_set_vae
from pyg_topn.nn.creation import IIDCreation, MLPCreation, SizeDistribution, SizePredictor
from pyg_topn.nn.decoder import SetDecoder
from pyg_topn.nn.encoder import SetEncoder
from pyg_topn.nn.prior import CouplingFlowPrior, GaussianPrior
from pyg_topn.nn.update import SetTransformer
from pyg_topn.resolver import CREATIONS
from pyg_topn.utils import build_batch

HISTOGRAM = [0, 1, 2, 3, 0, 5, 6, 7, 8, 60]


def small_vae(**arguments: Any) -> SetVAE:
    widths = {"hidden_channels": 16, "creation_channels": 16, "latent_channels": 8}
    return build_set_vae(HISTOGRAM, **{**widths, "num_layers": 1, "heads": 2, **arguments})


def random_sets(*sizes: int) -> Batch:
    return build_batch(torch.tensor(sizes), {"pos": 3 * torch.randn(sum(sizes), 3)})


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("creation", CREATIONS)
def test_forward_decodes_what_it_encodes_at_the_true_sizes(creation: str) -> None:
    vae, batch = small_vae(creation=creation), random_sets(5, 1, 9)
    output = vae(batch, seeded(0))
    assert isinstance(output, SetVAEOutput)
    posterior, generator = vae.encode(batch), seeded(0)
    assert torch.equal(output.posterior.mean, posterior.mean)
    assert torch.equal(output.z, posterior.rsample(generator))
    again = vae.decode(output.z, torch.tensor([5, 1, 9]), generator)
    assert torch.equal(output.prediction.pos, again.pos)
    assert torch.equal(output.prediction.ptr, batch.ptr)
    assert not torch.equal(vae(batch, seeded(1)).z, output.z)


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("creation", ["top_n", "first_n", "mlp"])
def test_mixed_sizes_in_a_batch_are_sets_one_by_one(creation: str, film: bool) -> None:
    """Every term of the loss, and its gradient."""
    vae, batch = small_vae(creation=creation, film=film), random_sets(5, 1, 9, 2, 9)
    loss = SetVAELoss()

    def terms(sets: Batch) -> dict[str, Tensor]:
        posterior = vae.encode(sets)
        prediction = vae.decode(posterior.mean, sets.ptr.diff())
        return loss(prediction, sets, posterior)

    def gradient() -> Tensor:
        grads = [p.grad for p in vae.parameters() if p.grad is not None]
        vae.zero_grad()
        return torch.cat([grad.flatten() for grad in grads])

    together = terms(batch)
    together["loss"].backward()
    expected = gradient()
    alone = [terms(Batch.from_data_list([data])) for data in batch.to_data_list()]
    for name, term in together.items():
        torch.testing.assert_close(torch.stack([each[name] for each in alone]).mean(), term)
    torch.stack([each["loss"] for each in alone]).mean().backward()
    torch.testing.assert_close(gradient(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("creation", CREATIONS)
def test_gradients_reach_every_parameter(creation: str) -> None:
    vae, batch = small_vae(creation=creation, film=True), random_sets(5, 1, 9, 2, 7)
    output = vae(batch, seeded(0))
    SetVAELoss()(output.prediction, batch, output.posterior)["loss"].backward()
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.ne(0).any(), name


@pytest.mark.parametrize("predict_size", [False, True])
@pytest.mark.parametrize("creation", CREATIONS)
def test_the_same_seed_gives_the_same_sets(creation: str, predict_size: bool) -> None:
    vae = small_vae(creation=creation, predict_size=predict_size)
    draws = [vae.sample(20, generator=seeded(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0].pos, draws[1].pos)
    assert torch.equal(draws[0].ptr, draws[1].ptr)
    assert draws[0].num_graphs == len(draws[0].to_data_list()) == 20
    assert draws[0].pos.shape != draws[2].pos.shape or not torch.equal(draws[0].pos, draws[2].pos)
    assert not draws[0].pos.requires_grad
    assert vae(draws[0]).z.shape == (20, 8)


@pytest.mark.parametrize("creation", CREATIONS)
def test_requested_sizes_are_kept(creation: str) -> None:
    sizes = torch.tensor([9, 1, 4, 9])
    assert torch.equal(small_vae(creation=creation).sample(4, sizes).ptr.diff(), sizes)


def test_sizes_beyond_the_data() -> None:
    assert small_vae(creation="iid").sample(1, torch.tensor([50])).pos.shape == (50, 3)
    larger = small_vae(num_reference_points=20)
    assert larger.sample(1, torch.tensor([20])).pos.shape == (20, 3)
    for creation in ("top_n", "first_n", "mlp"):
        with pytest.raises(ValueError, match=r"at most 9 everywhere \(got 10\)"):
            small_vae(creation=creation).sample(1, torch.tensor([10]))


def test_sizes_follow_the_histogram() -> None:
    sizes = small_vae().sample(2_000, generator=seeded(0)).ptr.diff()
    share = sizes.bincount(minlength=10) / 2_000
    expected = torch.tensor(HISTOGRAM) / sum(HISTOGRAM)
    assert float((share - expected).abs().max()) < 0.04  # Four standard deviations.


def test_given_latent_vectors_are_decoded() -> None:
    vae, z, sizes = small_vae(), torch.randn(4, 8), torch.tensor([9, 1, 5, 2])
    assert torch.equal(vae.sample(4, sizes, z=z).pos, vae.decode(z, sizes).pos)
    assert vae.sample(4, z=z).num_graphs == 4
    predicted = small_vae(predict_size=True)
    assert isinstance(predicted.sizes, SizePredictor)
    expected = predicted.sizes.sample(z, seeded(0))
    assert torch.equal(predicted.sample(4, z=z, generator=seeded(0)).ptr.diff(), expected)


def test_no_sets() -> None:
    batch = small_vae().sample(0)
    assert batch.pos.shape == (0, 3)
    assert batch.num_graphs == 0


def test_priors() -> None:
    vae = small_vae()
    assert isinstance(vae.prior, GaussianPrior)
    flow = CouplingFlowPrior(8, max_num_nodes=9)
    other = SetVAE(vae.encoder, vae.decoder, vae.sizes, prior=flow)
    assert other.prior is flow
    assert other.sample(3, generator=seeded(0)).num_graphs == 3
    with pytest.raises(ValueError, match=r"5 sizes \(got 3\)"):
        other.sample(5, torch.tensor([1, 2, 3]))


def test_reset_reaches_the_parts() -> None:
    vae = small_vae()
    before = {name: value.clone() for name, value in vae.named_parameters()}
    vae.reset_parameters()
    for name, parameter in vae.named_parameters():
        assert parameter.dim() < 2 or not torch.equal(parameter, before[name]), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_graphs": -1}, r"'num_graphs' to be at least 0 \(got -1\)"),
        ({"num_graphs": 2, "z": torch.zeros(3, 8)}, r"2 latent vectors \(got 3\)"),
        ({"num_graphs": 2, "z": torch.zeros(2, 7)}, r"shape \[B, 8\] .*\(2, 7\)"),
        ({"num_graphs": 2, "num_nodes": torch.tensor([3])}, r"2 sizes \(got 1\)"),
        ({"num_graphs": 2, "num_nodes": torch.tensor([3, 0])}, r"at least 1 everywhere \(got 0\)"),
    ],
)
def test_bad_requests(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_vae().sample(**arguments)
    with pytest.raises(TypeError, match=r"'num_nodes' to be a Tensor \(got list\)"):
        small_vae().sample(2, [2, 2])


def test_modules_must_fit() -> None:
    sizes = SizeDistribution(torch.tensor(HISTOGRAM))
    update = SetTransformer(16, num_layers=1, heads=2)
    decoder = SetDecoder(IIDCreation(8, 16), update)
    with pytest.raises(ValueError, match=r"size of the latent vector \(got 7 and 8\)"):
        SetVAE(SetEncoder(3, 7), decoder, sizes)
    with pytest.raises(ValueError, match=r"number of coordinates \(got 2 and 3\)"):
        SetVAE(SetEncoder(2, 8), decoder, sizes)
    with pytest.raises(ValueError, match=r"at most 6 nodes.*\(got 9\)"):
        SetVAE(SetEncoder(3, 8), SetDecoder(MLPCreation(8, 16, 6), update), sizes)
    with pytest.raises(ValueError, match=r"prior and decoder to share .*\(got 7 and 8\)"):
        SetVAE(SetEncoder(3, 8), decoder, sizes, GaussianPrior(7))


@pytest.mark.parametrize("creation", ["top_n", "first_n"])
def test_a_few_sets_are_learnt_by_heart(creation: str) -> None:
    batch = random_sets(2, 5, 3, 6, 4, 5)
    vae = small_vae(creation=creation, hidden_channels=32, num_layers=2)
    loss = SetVAELoss(weights={"kl": 1e-4, "min_distance": 0.0, "neighbor": 0.0})
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    for step in range(240):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 40, 2 - step / 120)
        output = vae(batch)
        terms = loss(output.prediction, batch, output.posterior)
        optimizer.zero_grad()
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        decoded = vae.decode(vae.encode(batch).mean, batch.ptr.diff())
    assert float(loss(decoded, batch)["reconstruction"]) < 0.1
