"""Conditions, from the creation layers to models that are asked by name."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from pyg_topn.models import build_graph_vae, build_set_vae
from pyg_topn.models.set_vae import SetVAE
from pyg_topn.nn.encoder import ConditionEncoder
from pyg_topn.nn.prior import GaussianPrior, RectifiedFlowPrior
from pyg_topn.resolver import CREATIONS, creation_resolver

NAN = math.nan
SIZES = torch.tensor([3, 1, 4])


def layer(creation: str, cond_channels: int = 2) -> torch.nn.Module:
    limits = {"top_n": {"num_reference_points": 6}, "iid": {}}
    rest = limits.get(creation, {"max_num_nodes": 6})
    made = creation_resolver(
        creation, latent_channels=8, out_channels=5, cond_channels=cond_channels, **rest
    )
    learn(made)
    return made


def learn(module: torch.nn.Module) -> None:
    """Let conditions matter, as they do after some training."""
    for part in module.modules():
        if isinstance(part, ConditionEncoder):
            torch.nn.init.normal_(part.mlp.lins[-1].weight)


@pytest.mark.parametrize("creation", CREATIONS)
def test_every_creation_layer_takes_a_condition(creation: str) -> None:
    made, z = layer(creation).eval(), torch.randn(3, 8)

    def points(cond: Tensor | None) -> Tensor:
        batch = made(z, SIZES, torch.Generator().manual_seed(0), cond)
        return torch.as_tensor(batch.x)

    some = torch.tensor([[1.0, 2.0], [0.5, NAN], [NAN, NAN]])
    assert torch.equal(points(None), points(torch.full((3, 2), NAN)))
    assert torch.equal(points(some)[4:], points(None)[4:])  # The last graph asks for nothing.
    assert not torch.allclose(points(some)[:3], points(None)[:3])
    assert torch.equal(points(some[0]), points(some[:1].expand(3, -1)))


@pytest.mark.parametrize("creation", CREATIONS)
def test_a_layer_with_conditions_starts_as_one_without(creation: str) -> None:
    torch.manual_seed(0)
    without = layer(creation, cond_channels=0)
    made = layer(creation)
    made.load_state_dict(without.state_dict(), strict=False)
    made.reset_parameters()  # type: ignore[operator]
    z = torch.randn(3, 8)
    seeds = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    torch.testing.assert_close(
        made(z, SIZES, seeds[0], torch.ones(2)).x, made(z, SIZES, seeds[1]).x
    )


@pytest.mark.parametrize("creation", CREATIONS)
def test_a_layer_without_refuses_conditions(creation: str) -> None:
    with pytest.raises(ValueError, match="Expected no condition, the model was built without"):
        layer(creation, cond_channels=0)(torch.randn(3, 8), SIZES, None, torch.ones(2))
    with pytest.raises(ValueError, match="Expected 'cond_channels' to be at least 0 \\(got -1\\)"):
        layer(creation, cond_channels=-1)


def test_latent_vectors_are_checked_before_conditions_are_added() -> None:
    with pytest.raises(ValueError, match="Expected 'z' to be floating point of shape \\[B, 8\\]"):
        layer("top_n")(torch.randn(3, 7), SIZES, None, torch.ones(2))


@pytest.mark.parametrize("prior", ["gaussian", "coupling_flow", "rectified_flow", "one_step"])
def test_a_graph_vae_is_asked_by_name(prior: str) -> None:
    vae = build_graph_vae(
        4, (1, 2, 3), [0, 1, 2, 3], prior=prior, conditions=("logp", "num_rings")
    ).eval()
    learn(vae)
    assert (vae.cond_channels, vae.conditions) == (2, ("logp", "num_rings"))
    cond = vae.ask({"logP": 2.5})
    assert cond[0] == 2.5
    assert bool(cond[1].isnan())

    def drawn(cond: Tensor | None) -> Tensor:
        z, sizes = vae.sample_latents(4, generator=torch.Generator().manual_seed(0), cond=cond)
        return vae.decode(z, sizes, cond=cond).pair_logits

    assert torch.equal(drawn(None), drawn(vae.ask({})))
    assert not torch.allclose(drawn(cond), drawn(None))
    assert vae.sample(4, cond=cond).num_graphs == 4
    with pytest.raises(ValueError, match="Expected conditions among logp, num_rings \\(got 'qed'"):
        vae.ask({"qed": 0.5})
    with pytest.raises(ValueError, match="every condition once, .*got .'logp', 'LOGP'.."):
        vae.ask({"logp": 1, "LOGP": 2})
    with pytest.raises(ValueError, match="of shape \\[4, 2\\]"):
        vae.sample(4, cond=torch.ones(3))


def test_a_graph_vae_without_conditions_refuses_them() -> None:
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3])
    with pytest.raises(ValueError, match="Expected no condition, the model was built without"):
        vae.sample(2, cond=torch.ones(1))
    with pytest.raises(ValueError, match="among none: the model was trained without \\(got 'logp'"):
        vae.ask({"logp": 1.0})
    for names in ("logp", ("logp", "logp"), ("a", "A"), ("",)):
        with pytest.raises(ValueError, match="Expected 'conditions' to be distinct names"):
            build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3], conditions=names)


def test_moments_reach_decoder_and_prior() -> None:
    vae = build_graph_vae(4, (1,), [0, 1, 2], prior="rectified_flow", conditions=("a", "b"))
    values = torch.tensor([[1.0, 10.0], [3.0, NAN], [2.0, 30.0]])
    vae.standardise_conditions(values)
    encoders = [part for part in vae.modules() if isinstance(part, ConditionEncoder)]
    assert len(encoders) == 2
    for encoder in encoders:
        torch.testing.assert_close(encoder.mean, torch.tensor([2.0, 20.0]))
        torch.testing.assert_close(encoder.std, torch.tensor([(2 / 3) ** 0.5, 10.0]))
    with pytest.raises(ValueError, match="Expected 'std' to be positive"):
        vae.standardise_conditions(torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"of 2 conditions, of shape .M, 2. \(got .3, 1.\)"):
        vae.standardise_conditions(values[:, :1])
    for without in (build_graph_vae(4, (1,), [0, 1, 2]), build_set_vae([0, 1, 2])):
        with pytest.raises(ValueError, match="model with conditions .got one that was built with"):
            without.standardise_conditions(values)


def test_prior_and_decoder_take_the_same_conditions() -> None:
    vae = build_graph_vae(4, (1,), [0, 1, 2], conditions=("a", "b"))
    prior = RectifiedFlowPrior(vae.latent_channels, 2, hidden_channels=8, cond_channels=3)
    with pytest.raises(ValueError, match="Expected prior and decoder to take the same conditions"):
        type(vae)(vae.encoder, vae.decoder, vae.sizes, prior=prior)
    with pytest.raises(ValueError, match="Expected no condition"):
        GaussianPrior(4).sample(torch.tensor([1]), cond=torch.ones(1))


def test_a_flow_learns_what_depends_on_a_condition() -> None:
    """Latent vectors at +2 or -2 as the condition says: it is obeyed, and both come without."""
    torch.manual_seed(0)
    flow = RectifiedFlowPrior(2, 1, hidden_channels=32, num_layers=2, cond_channels=1)
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
    sizes = torch.ones(256, dtype=torch.int64)
    for _ in range(250):
        sign = torch.randint(2, (256, 1)) * 2.0 - 1
        z = 2 * sign + 0.2 * torch.randn(256, 2)
        optimizer.zero_grad()
        flow.loss(z, sizes, cond=sign).backward()
        optimizer.step()
    flow.eval()
    generator = torch.Generator().manual_seed(0)
    asked = flow.sample(sizes, generator, torch.tensor([1.0]))
    assert float((asked > 0).float().mean()) > 0.97
    free = flow.sample(sizes, generator)
    assert 0.3 < float((free > 0).float().mean()) < 0.7


def test_a_set_vae_takes_conditions() -> None:
    vae = build_set_vae([0, 1, 2, 3], cond_channels=1)
    assert isinstance(vae, SetVAE)
    learn(vae.eval())
    seeded = [torch.Generator().manual_seed(0) for _ in range(2)]
    asked = vae.sample(4, generator=seeded[0], cond=torch.tensor([1.5])).pos
    free = vae.sample(4, generator=seeded[1]).pos
    assert asked.shape == free.shape
    assert not torch.allclose(asked, free)
    batch = vae.sample(4)
    output = vae.train()(batch, cond=torch.rand(4, 1))
    output.prediction.pos.square().sum().backward()
    assert vae.decoder.creation.condition is not None
    for parameter in vae.decoder.creation.condition.parameters():
        assert parameter.grad is not None


def test_the_flow_of_a_set_vae_learns_what_depends_on_a_condition() -> None:
    torch.manual_seed(0)
    widths: dict[str, Any] = {"latent_channels": 2, "prior_channels": 32, "prior_layers": 2}
    vae = build_set_vae([0, 0, 1], prior="rectified_flow", cond_channels=1, **widths)
    assert isinstance(vae.prior, RectifiedFlowPrior)
    assert vae.prior.cond_channels == 1
    optimizer = torch.optim.Adam(vae.prior.parameters(), lr=5e-3)
    for _ in range(250):
        sign = torch.randint(2, (256, 1)) * 2.0 - 1
        z = 2 * sign + 0.2 * torch.randn(256, 2)
        optimizer.zero_grad()
        vae.prior.loss(z, torch.full((256,), 2), cond=sign).backward()
        optimizer.step()
    seen = []
    vae.eval().decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for sizes in (None, torch.full((256,), 2)):
        for sign in (-1.0, 1.0):
            vae.sample(256, sizes, torch.Generator().manual_seed(0), cond=torch.tensor([sign]))
            assert float((seen[-1] * sign > 0).float().mean()) > 0.97
