"""Encode, decode and sample; and a small model that learns a handful of molecules by heart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import GraphVAELoss
from pyg_topn.losses.matching import AtomScoreMatcher, CanonicalMatcher, Matcher
from pyg_topn.models import GraphVAE, GraphVAEOutput, build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation import MLPCreation, SizeDistribution, SizePredictor, TopNCreation
from pyg_topn.nn.decoder import GraphDecoder, valency_capped_mode
from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.nn.prior import CouplingFlowPrior, GaussianPrior, Prior, RectifiedFlowPrior
from pyg_topn.nn.update import SetTransformer
from pyg_topn.resolver import PRIORS
from pyg_topn.transforms import CanonicalOrder, PermuteNodes

ORDERS = (1.0, 2.0, 3.0)
CREATIONS = ["top_n", "first_n", "mlp", "iid"]
FLOWS = ["coupling_flow", "rectified_flow", "one_step"]
HISTOGRAM = [0, 1, 2, 3, 0, 5, 6, 7, 8, 60]  # Most have 9 nodes, as in QM9; none has 4.


def small_vae(**arguments: Any) -> GraphVAE:
    widths = {"hidden_channels": 32, "pair_channels": 16, "creation_channels": 32}
    depths = {"num_layers": 1, "encoder_layers": 2, "latent_channels": 8}
    return build_graph_vae(4, ORDERS, HISTOGRAM, **{**widths, **depths, **arguments})


def molecules(*smiles: str) -> Batch:
    chem = pytest.importorskip("rdkit.Chem")
    vocabulary = MoleculeVocabulary.qm9()
    graphs = [vocabulary.from_molecule(chem.MolFromSmiles(s)) for s in smiles]
    return Batch.from_data_list([CanonicalOrder()(data) for data in graphs])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def equal(first: Batch, second: Batch) -> bool:
    keys = ("x", "edge_index", "edge_attr", "batch", "ptr")
    return all(torch.equal(first[key], second[key]) for key in keys)


@pytest.mark.parametrize("readout", ["pna", "canonical"])
def test_encode(readout: str) -> None:
    vae = small_vae(readout=readout)
    batch = molecules("CCO", "C", "C1CCCCC1")
    posterior = vae.encode(batch)
    assert posterior.mean.shape == posterior.log_variance.shape == (3, 8)
    permuted = vae.encode(PermuteNodes(seed=0)(batch.clone()))
    torch.testing.assert_close(permuted.mean, posterior.mean)
    torch.testing.assert_close(permuted.log_variance, posterior.log_variance)


@pytest.mark.parametrize("creation", CREATIONS)
def test_decode(creation: str) -> None:
    vae = small_vae(creation=creation)
    distribution = vae.decode(torch.randn(3, 8), torch.tensor([3, 1, 9]), seeded(0))
    assert distribution.node_logits.shape == (13, 4)
    assert distribution.pair_logits.shape == (3 + 0 + 36, 4)
    assert distribution.ptr.tolist() == [0, 3, 4, 13]


def test_forward_decodes_what_it_encodes_at_the_true_sizes() -> None:
    vae = small_vae(creation="first_n")
    batch = molecules("CCO", "C", "C1CCCCC1")
    output = vae(batch, seeded(0))
    assert isinstance(output, GraphVAEOutput)
    posterior = vae.encode(batch)
    assert torch.equal(output.posterior.mean, posterior.mean)
    assert torch.equal(output.z, posterior.rsample(seeded(0)))
    again = vae.decode(output.z, torch.tensor([3, 1, 6]))
    assert torch.equal(output.distribution.node_logits, again.node_logits)
    assert torch.equal(output.distribution.pair_logits, again.pair_logits)
    assert torch.equal(vae(batch, seeded(1)).z, vae(batch, seeded(1)).z)
    assert not torch.equal(vae(batch, seeded(1)).z, output.z)


def test_a_sample_has_the_format_of_the_datasets() -> None:
    vae = small_vae()
    batch = vae.sample(20, generator=seeded(0))
    assert batch.num_graphs == len(batch.to_data_list()) == 20
    assert batch.x.shape == (batch.num_nodes, 4)
    assert batch.edge_attr.shape == (batch.edge_index.size(1), 3)
    assert torch.equal(batch.x.sum(dim=1), torch.ones(batch.num_nodes))
    assert batch.is_undirected()
    assert not batch.has_self_loops()
    assert not batch.x.requires_grad


@pytest.mark.parametrize("readout", ["pna", "canonical"])
def test_samples_can_be_encoded(readout: str) -> None:
    vae = small_vae(readout=readout)
    assert vae(vae.sample(5, generator=seeded(0))).z.shape == (5, 8)


@pytest.mark.parametrize("temperature", [None, 1.0])
@pytest.mark.parametrize("predict_size", [False, True])
@pytest.mark.parametrize("creation", CREATIONS)
def test_the_same_seed_gives_the_same_graphs(
    creation: str, predict_size: bool, temperature: float | None
) -> None:
    vae = small_vae(creation=creation, predict_size=predict_size)
    draws = [vae.sample(30, generator=seeded(s), temperature=temperature) for s in (0, 0, 1)]
    assert equal(draws[0], draws[1])
    assert not equal(draws[0], draws[2])


def test_the_global_seed_counts_without_a_generator() -> None:
    vae = small_vae()
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(vae.sample(30))
    assert equal(draws[0], draws[1])
    assert not equal(draws[0], draws[2])


def test_a_generator_leaves_the_global_seed_alone() -> None:
    vae = small_vae(creation="iid")
    state = torch.get_rng_state()
    vae.sample(10, generator=seeded(0), temperature=1.0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("creation", CREATIONS)
def test_requested_sizes_are_kept(creation: str) -> None:
    """Graphs of the largest size included: none is lost or cut."""
    vae = small_vae(creation=creation)
    sizes = SizeDistribution(torch.tensor(HISTOGRAM)).sample(2_000, seeded(3))
    batch = vae.sample(2_000, sizes, generator=seeded(0))
    assert torch.equal(batch.ptr.diff(), sizes)
    found = torch.tensor([data.num_nodes for data in batch.to_data_list()])
    assert torch.equal(found.bincount(minlength=10), sizes.bincount(minlength=10))
    assert int((found == 9).sum()) > 1_000


def test_sizes_follow_the_histogram() -> None:
    sizes = small_vae().sample(2_000, generator=seeded(0)).ptr.diff()
    share = sizes.bincount(minlength=10) / 2_000
    expected = torch.tensor(HISTOGRAM) / sum(HISTOGRAM)
    assert int((sizes == 4).sum()) == 0
    assert float((share - expected).abs().max()) < 0.04  # Four standard deviations.


def test_sizes_read_off_the_latent_vector() -> None:
    vae = small_vae(predict_size=True)
    assert isinstance(vae.sizes, SizePredictor)
    last = vae.sizes.mlp.lins[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(50 * torch.eye(9)[6])
    sizes = vae.sample_sizes(torch.randn(20, 8), seeded(0))
    assert sizes.tolist() == [7] * 20
    assert vae.sample(20, generator=seeded(0)).ptr.diff().tolist() == [7] * 20
    z = torch.randn(3, 8)
    vae.sizes.loss(z, torch.tensor([9, 4, 1])).backward()
    assert all(bool((p.grad != 0).any()) for p in vae.sizes.mlp.lins[-1].parameters())


def test_drawn_sizes_depend_on_the_seed_only() -> None:
    vae = small_vae()
    first, second = torch.randn(50, 8), torch.randn(50, 8)
    sizes = vae.sample_sizes(first, seeded(0))
    assert sizes.dtype == torch.int64
    assert torch.equal(sizes, vae.sample_sizes(second, seeded(0)))


def test_temperature() -> None:
    vae = small_vae(creation="first_n")
    sizes = torch.full((40,), 9)
    z = vae.sample_latents(40, sizes, seeded(0))[0]

    def draw(temperature: float | None) -> Batch:
        return vae.sample(40, sizes, seeded(1), temperature=temperature, z=z)

    assert equal(draw(None), draw(1e-9))
    distribution = vae.decode(z, sizes)
    assert equal(draw(None), distribution.mode())
    assert not equal(draw(None), draw(1.0))
    # At a very high temperature all four types of a node and of a pair are equally likely.
    hot = draw(1e6)
    assert float((hot.x.mean(dim=0) - 0.25).abs().max()) < 0.1
    assert hot.edge_index.size(1) / 2 / (40 * 36) == pytest.approx(0.75, abs=0.05)


def test_correction() -> None:
    vae = small_vae(creation="first_n")
    torch.nn.init.ones_(vae.decoder.presence_mlp.lins[-1].bias)  # Too many edges.
    z, sizes = torch.randn(60, 8), torch.full((60,), 9)
    with pytest.raises(ValueError, match=r"a vocabulary and no temperature .*\(got None and None"):
        vae.sample(60, sizes, z=z, correct=True)
    vae.vocabulary = MoleculeVocabulary.qm9()
    with pytest.raises(ValueError, match="no temperature for a correction"):
        vae.sample(60, sizes, z=z, correct=True, temperature=1.0)
    corrected, plain = vae.sample(60, sizes, z=z, correct=True), vae.sample(60, sizes, z=z)
    expected = valency_capped_mode(vae.decode(z, sizes), (4, 3, 2, 1), (1, 2, 3))
    assert equal(corrected, expected)
    assert not equal(corrected, plain)


def test_given_latent_vectors_are_decoded() -> None:
    vae = small_vae(creation="first_n")
    z, sizes = torch.randn(4, 8), torch.tensor([9, 1, 5, 2])
    assert equal(vae.sample(4, sizes, z=z), vae.decode(z, sizes).mode())
    assert not equal(vae.sample(4, sizes, z=z), vae.sample(4, sizes, z=100 * torch.randn(4, 8)))


def test_prior() -> None:
    z = small_vae().sample_latents(4_000, generator=seeded(0))[0]
    assert z.shape == (4_000, 8)
    assert float(z.mean(dim=0).abs().max()) < 0.08
    assert float((z.std(dim=0) - 1).abs().max()) < 0.06
    assert small_vae().double().sample_latents(2)[0].dtype == torch.float64


class SizePrior(Prior):
    """N(10 n, I): the size can be read off."""

    label = "N(10 n, I)"

    def draw(self, noise: Tensor, num_nodes: Tensor) -> Tensor:
        return noise + 10 * num_nodes.unsqueeze(1)


def flow_vae(prior: str, **arguments: Any) -> GraphVAE:
    """A model whose prior moves, as one that is trained."""
    vae = small_vae(prior=prior, prior_channels=16, prior_layers=2, **arguments)
    with torch.no_grad():
        for parameter in vae.prior.parameters():
            parameter.normal_(0, 0.5)
    return vae


def with_prior(prior: Prior | None, **arguments: Any) -> GraphVAE:
    vae = small_vae(**arguments)
    return GraphVAE(vae.encoder, vae.decoder, vae.sizes, prior=prior)


def test_without_a_prior_it_is_the_normal_one() -> None:
    vae = with_prior(None)
    assert isinstance(vae.prior, GaussianPrior)
    assert vae.prior.latent_channels == 8
    prior = SizePrior(8, 9)
    assert with_prior(prior).prior is prior


def test_latent_vectors_and_sizes_belong_together() -> None:
    vae = with_prior(SizePrior(8, 9))
    z, sizes = vae.sample_latents(500, generator=seeded(0))
    assert len(set(sizes.tolist())) > 4
    assert torch.equal((z.mean(dim=1) / 10).round().long(), sizes)
    z, found = vae.sample_latents(3, torch.tensor([9, 1, 5]), seeded(0))
    assert found.tolist() == [9, 1, 5]
    assert (z.mean(dim=1) / 10).round().tolist() == [9, 1, 5]
    assert vae.sample(3, torch.tensor([9, 1, 5])).ptr.diff().tolist() == [9, 1, 5]


@pytest.mark.parametrize("predict_size", [False, True])
def test_a_prior_that_knows_no_sizes_goes_with_either_source(predict_size: bool) -> None:
    vae = with_prior(GaussianPrior(8), predict_size=predict_size)
    z, sizes = vae.sample_latents(50, generator=seeded(0))
    generator = seeded(0)
    if predict_size:
        assert torch.equal(z, torch.randn(50, 8, generator=generator))
        assert torch.equal(sizes, vae.sample_sizes(z, generator))
    else:
        assert torch.equal(sizes, vae.sample_sizes(z, generator))
        assert torch.equal(z, torch.randn(50, 8, generator=generator))


@pytest.mark.parametrize("prior", FLOWS)
def test_sizes_are_drawn_before_the_vectors_that_depend_on_them(prior: str) -> None:
    vae = flow_vae(prior)
    z, sizes = vae.sample_latents(50, generator=seeded(0))
    generator = seeded(0)
    assert torch.equal(sizes, vae.sample_sizes(torch.empty(50, 0), generator))
    assert torch.equal(z, vae.prior.sample(sizes, generator))


@pytest.mark.parametrize("kind", [CouplingFlowPrior, RectifiedFlowPrior, SizePrior])
def test_a_conditional_prior_needs_sizes_that_do_not_depend_on_it(kind: type[Prior]) -> None:
    prior = kind(8, max_num_nodes=9)
    with pytest.raises(ValueError, match=r"prior of latent vectors depends on sizes \(got a SizeP"):
        with_prior(prior, predict_size=True)


def test_the_prior_must_fit() -> None:
    with pytest.raises(ValueError, match=r"prior and decoder to share .*\(got 7 and 8\)"):
        with_prior(GaussianPrior(7))
    with pytest.raises(ValueError, match=r"at most 6 nodes, the most that the prior.*\(got 9\)"):
        with_prior(CouplingFlowPrior(8, max_num_nodes=6))
    assert with_prior(SizePrior(8, 20)).sample(2).num_graphs == 2


@pytest.mark.parametrize("prior", FLOWS)
def test_sizes_that_the_prior_does_not_know_are_refused(prior: str) -> None:
    """Also where Top-n could create them."""
    vae = flow_vae(prior)
    assert vae.decoder.max_num_nodes == 12
    with pytest.raises(ValueError, match=r"at most 9 everywhere \(got 10\)"):
        vae.sample(2, torch.tensor([10, 3]))
    z = torch.randn(2, 8)
    assert vae.sample(2, torch.tensor([10, 3]), z=z).ptr.tolist() == [0, 10, 13]


@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_gives_the_same_graphs_for_the_same_seed(prior: str) -> None:
    vae = flow_vae(prior) if prior in FLOWS else small_vae(prior=prior)
    draws = [vae.sample(30, generator=seeded(seed)) for seed in (0, 0, 1)]
    assert equal(draws[0], draws[1])
    assert not equal(draws[0], draws[2])
    assert draws[0].num_graphs == 30
    assert not draws[0].x.requires_grad
    z, sizes = vae.sample_latents(30, generator=seeded(0))
    assert equal(draws[0], vae.sample(30, sizes, z=z))
    state = torch.get_rng_state()
    vae.sample(3, generator=seeded(0))
    assert torch.equal(torch.get_rng_state(), state)
    assert vae.double().sample_latents(2)[0].dtype == torch.float64


@pytest.mark.parametrize("prior", FLOWS)
def test_the_state_of_the_prior_survives_saving(prior: str) -> None:
    vae, other = flow_vae(prior), flow_vae(prior)
    if isinstance(vae.prior, RectifiedFlowPrior):
        vae.prior.standardise(torch.randn(8), torch.rand(8) + 0.5)
    expected = vae.sample_latents(9, generator=seeded(0))[0]
    assert not torch.equal(other.sample_latents(9, generator=seeded(0))[0], expected)
    other.load_state_dict(vae.state_dict())
    assert torch.equal(other.sample_latents(9, generator=seeded(0))[0], expected)
    assert equal(vae.sample(9, generator=seeded(0)), other.sample(9, generator=seeded(0)))


def test_the_normal_prior_adds_nothing_to_the_state() -> None:
    """Models that were saved before there were priors can be read."""
    assert not [key for key in small_vae().state_dict() if key.startswith("prior")]


@pytest.mark.parametrize("prior", FLOWS)
def test_reset_reaches_the_prior(prior: str) -> None:
    vae = flow_vae(prior)
    vae.reset_parameters()
    z = vae.sample_latents(50, generator=seeded(0))[0]
    generator = seeded(0)
    vae.sample_sizes(z, generator)
    noise = torch.randn(50, 8, generator=generator)
    assert torch.equal(z.sort(dim=1).values, noise.sort(dim=1).values)


def test_no_graphs() -> None:
    vaes = [small_vae(), small_vae(predict_size=True), *(flow_vae(prior) for prior in FLOWS)]
    for vae in vaes:
        for temperature in (None, 1.0):
            batch = vae.sample(0, temperature=temperature)
            assert batch.num_graphs == 0
            assert batch.x.shape == (0, 4)
            assert batch.edge_attr.shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_graphs": -1}, r"'num_graphs' to be at least 0 \(got -1\)"),
        ({"num_graphs": 2, "z": torch.zeros(3, 8)}, r"2 latent vectors \(got 3\)"),
        ({"num_graphs": 2, "z": torch.zeros(2, 7)}, r"shape \[B, 8\] .*\(2, 7\)"),
        ({"num_graphs": 2, "num_nodes": torch.tensor([3])}, r"2 sizes \(got 1\)"),
        ({"num_graphs": 2, "num_nodes": torch.tensor([3, 0])}, r"at least 1 everywhere \(got 0\)"),
        ({"num_graphs": 1, "num_nodes": torch.tensor([13])}, r"at most 12 everywhere \(got 13\)"),
        ({"num_graphs": 1, "temperature": 0.0}, r"'temperature' to be positive \(got 0.0\)"),
        ({"num_graphs": 1, "temperature": -1.0}, r"'temperature' to be positive \(got -1.0\)"),
    ],
)
def test_bad_requests(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_vae().sample(**arguments)
    with pytest.raises(TypeError, match=r"'num_nodes' to be a Tensor \(got list\)"):
        small_vae().sample(2, [2, 2])


def parts(latent_channels: int = 8, largest: int = 9) -> tuple[GraphEncoder, GraphDecoder]:
    creation = MLPCreation(8, 16, max_num_nodes=largest)
    update = SetTransformer(16, num_layers=1, heads=2, latent_channels=8)
    decoder = GraphDecoder(creation, update, num_node_types=4, edge_orders=ORDERS)
    return GraphEncoder(4, 3, latent_channels, hidden_channels=16), decoder


def test_modules_must_fit() -> None:
    sizes = SizeDistribution(torch.tensor(HISTOGRAM))
    with pytest.raises(ValueError, match=r"size of the latent vector \(got 7 and 8\)"):
        GraphVAE(*parts(latent_channels=7), sizes)
    with pytest.raises(ValueError, match=r"at most 6 nodes.*\(got 9\)"):
        GraphVAE(*parts(largest=6), sizes)
    with pytest.raises(ValueError, match=r"at most 6 nodes.*\(got 7\)"):
        GraphVAE(*parts(largest=6), SizePredictor(8, max_num_nodes=7))
    vocabulary = MoleculeVocabulary.qm9()
    vae = GraphVAE(*parts(), sizes, vocabulary)
    assert vae.vocabulary is vocabulary
    assert vae.latent_channels == 8
    assert GraphVAE(*parts(), sizes).vocabulary is None


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("predict_size", [False, True])
@pytest.mark.parametrize("readout", ["pna", "canonical"])
@pytest.mark.parametrize("creation", CREATIONS)
def test_reset_reaches_every_parameter(
    creation: str, readout: str, predict_size: bool, plus: bool
) -> None:
    vae = small_vae(creation=creation, readout=readout, predict_size=predict_size, plus=plus)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.fill_(7.0)
    vae.reset_parameters()
    for name, parameter in vae.named_parameters():
        assert bool((parameter != 7.0).all()), name
    assert bool(vae.sample(2).x.isfinite().all())


def test_reset_draws_as_the_constructor_does() -> None:
    """The scale of every parameter is the same, so that a reset model trains as a new one."""
    new, reset = small_vae(readout="canonical"), small_vae(readout="canonical")
    reset.reset_parameters()
    for (name, first), second in zip(new.named_parameters(), reset.parameters(), strict=True):
        if first.numel() > 50:
            spread = first.detach().std().item()
            assert second.detach().std().item() == pytest.approx(spread, rel=0.35, abs=1e-4), name


def test_state_survives_saving() -> None:
    vae, other = small_vae(), small_vae()
    other.load_state_dict(vae.state_dict())
    assert equal(vae.sample(9, generator=seeded(0)), other.sample(9, generator=seeded(0)))


SMALL = ["C", "CCO", "CC#N", "c1ccccc1", "CC(C)(C)C", "FC(F)(F)C", "C#C", "CC(=O)NC", "OCC1CN1"]
WITHOUT_TIES = ["CCO", "CC#N", "CC=O", "FC#N", "OCC#C", "NC=O", "CC(=O)C#N", "OC=C"]


def fit(
    vae: GraphVAE, matcher: Matcher, target: Batch, steps: int, until_exact: bool = False
) -> Tensor:
    loss = GraphVAELoss(matcher, ORDERS, {"kl": 0.01})
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    history = []
    for step in range(steps):
        output = vae(target, seeded(step))
        total = loss(output.distribution, target, output.posterior)["loss"]
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        history.append(total.detach())
        if until_exact and step % 20 == 19 and is_exact(vae, target):
            break
    return torch.stack(history)


@torch.no_grad()
def is_exact(vae: GraphVAE, target: Batch) -> bool:
    """Whether every atom and bond of the mode is right, in canonical order."""
    mode = vae.decode(vae.encode(target).mean, target.ptr.diff()).mode()
    place = target.canonical_index.argsort()
    made = torch.zeros(target.num_nodes, target.num_nodes, 3)
    made[mode.edge_index[0], mode.edge_index[1]] = mode.edge_attr
    wanted = torch.zeros_like(made)
    wanted[place[target.edge_index[0]], place[target.edge_index[1]]] = target.edge_attr
    return torch.equal(mode.x, target.x[target.canonical_index]) and torch.equal(made, wanted)


@pytest.mark.parametrize("creation", ["top_n", "first_n"])
def test_learns_molecules_by_heart(creation: str) -> None:
    vae, target = small_vae(creation=creation, readout="canonical"), molecules(*SMALL)
    assert not is_exact(vae, target)
    fit(vae, CanonicalMatcher(), target, steps=600, until_exact=True)
    assert is_exact(vae, target)


def test_learns_with_the_matching_of_the_paper() -> None:
    vae, target = small_vae(readout="pna"), molecules(*WITHOUT_TIES * 4)
    history = fit(vae, AtomScoreMatcher(), target, steps=200)
    # The loss jumps where two slots exchange their ranks.
    assert float(history[-50:].mean()) < 0.4 * float(history[0])
    assert float(history[-50:].min()) < 0.2 * float(history[0])


def test_top_n_with_more_reference_points() -> None:
    vae = small_vae(creation="top_n", num_reference_points=20)
    assert isinstance(vae.decoder.creation, TopNCreation)
    assert vae.sample(2, torch.tensor([20, 3]), seeded(0)).ptr.tolist() == [0, 20, 23]
