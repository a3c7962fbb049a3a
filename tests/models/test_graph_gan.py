"""Generate and sample graphs with any creation layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.models import GraphGAN, build_graph_gan
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation import MLPCreation, SizeDistribution, SizePredictor, TopNCreation
from pyg_topn.nn.decoder import GraphDecoder, relax, valency_capped_mode
from pyg_topn.nn.encoder import GraphCritic
from pyg_topn.nn.prior import CouplingFlowPrior, GaussianPrior
from pyg_topn.nn.update import SetTransformer
from pyg_topn.transforms import CanonicalOrder
from pyg_topn.utils import RelaxedGraphs

ORDERS = (1.0, 2.0, 3.0)
CREATIONS = ["top_n", "first_n", "mlp", "iid"]
HISTOGRAM = [0, 1, 2, 3, 0, 5, 6, 7, 8, 60]  # Most have 9 nodes, as in QM9; none has 4.


def small_gan(**arguments: Any) -> GraphGAN:
    widths = {"hidden_channels": 32, "pair_channels": 16, "creation_channels": 32}
    depths = {"num_layers": 1, "latent_channels": 8, "critic_channels": 16, "critic_layers": 1}
    return build_graph_gan(4, ORDERS, HISTOGRAM, **{**widths, **depths, **arguments})


def parts(largest: int = 9, **decoder: Any) -> tuple[GraphDecoder, GraphCritic]:
    creation = MLPCreation(8, 16, max_num_nodes=largest)
    update = SetTransformer(16, num_layers=1, heads=2, latent_channels=8)
    return GraphDecoder(creation, update, 4, ORDERS, **decoder), GraphCritic(4, 3, 8, 1)


def sizes_of_data() -> SizeDistribution:
    return SizeDistribution(torch.tensor(HISTOGRAM))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def equal(first: Batch, second: Batch) -> bool:
    keys = ("x", "edge_index", "edge_attr", "batch", "ptr")
    return all(torch.equal(first[key], second[key]) for key in keys)


@pytest.mark.parametrize("creation", CREATIONS)
def test_generate(creation: str) -> None:
    gan = small_gan(creation=creation)
    z, sizes = torch.randn(3, 8), torch.tensor([3, 1, 9])
    distribution = gan.generate(z, sizes, seeded(0))
    assert distribution.node_logits.shape == (13, 4)
    assert distribution.pair_logits.shape == (3 + 0 + 36, 4)
    assert distribution.ptr.tolist() == [0, 3, 4, 13]
    again = gan.generate(z, sizes, seeded(0))
    assert torch.equal(distribution.pair_logits, again.pair_logits)


@pytest.mark.parametrize("creation", CREATIONS)
def test_forward_draws_latent_vectors_for_given_sizes(creation: str) -> None:
    gan, sizes = small_gan(creation=creation), torch.tensor([9, 1, 5, 2])
    distribution = gan(sizes, seeded(3))
    assert torch.equal(distribution.layout.num_nodes, sizes)
    generator = seeded(3)
    z = torch.randn(4, 8, generator=generator)
    expected = gan.generate(z, sizes, generator)
    assert torch.equal(distribution.node_logits, expected.node_logits)
    assert torch.equal(distribution.pair_logits, expected.pair_logits)


def test_a_critic_takes_true_and_generated_graphs() -> None:
    gan = small_gan()
    truth = gan.sample(5, generator=seeded(0))
    assert gan.critic(RelaxedGraphs.from_batch(truth)).shape == (5,)
    assert gan.critic(relax(gan(truth.ptr.diff()))).shape == (5,)


def test_a_sample_has_the_format_of_the_datasets() -> None:
    batch = small_gan().sample(20, generator=seeded(0))
    assert batch.num_graphs == len(batch.to_data_list()) == 20
    assert batch.x.shape == (batch.num_nodes, 4)
    assert batch.edge_attr.shape == (batch.edge_index.size(1), 3)
    assert torch.equal(batch.x.sum(dim=1), torch.ones(batch.num_nodes))
    assert torch.equal(batch.edge_attr.sum(dim=1), torch.ones(batch.num_edges))
    assert batch.is_undirected()
    assert not batch.has_self_loops()
    assert not batch.x.requires_grad


def test_a_sample_of_molecules_has_the_attributes_of_qm9() -> None:
    chem = pytest.importorskip("rdkit.Chem")
    ethanol = MoleculeVocabulary.qm9().from_molecule(chem.MolFromSmiles("CCO"))
    data = small_gan().sample(1, torch.tensor([9]))[0]
    assert data.x.shape[1:] == ethanol.x.shape[1:]
    assert data.edge_attr.shape[1:] == ethanol.edge_attr.shape[1:]
    for key in ("x", "edge_index", "edge_attr"):
        assert data[key].dtype == ethanol[key].dtype
    assert CanonicalOrder()(data).canonical_index.numel() == 9


@pytest.mark.parametrize("temperature", [None, 1.0])
@pytest.mark.parametrize("creation", CREATIONS)
def test_the_same_seed_gives_the_same_graphs(creation: str, temperature: float | None) -> None:
    gan = small_gan(creation=creation)
    state = torch.get_rng_state()
    draws = [gan.sample(30, generator=seeded(s), temperature=temperature) for s in (0, 0, 1)]
    assert equal(draws[0], draws[1])
    assert not equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("creation", CREATIONS)
def test_requested_sizes_are_kept(creation: str) -> None:
    sizes = sizes_of_data().sample(500, seeded(3))
    batch = small_gan(creation=creation).sample(500, sizes, generator=seeded(0))
    assert torch.equal(batch.ptr.diff(), sizes)
    found = torch.tensor([data.num_nodes for data in batch.to_data_list()])
    assert int((found == 9).sum()) > 250


def test_sizes_follow_the_histogram() -> None:
    gan = small_gan()
    sizes = gan.sample(2_000, generator=seeded(0)).ptr.diff()
    share = sizes.bincount(minlength=10) / 2_000
    expected = torch.tensor(HISTOGRAM) / sum(HISTOGRAM)
    assert int((sizes == 4).sum()) == 0
    assert float((share - expected).abs().max()) < 0.04  # Four standard deviations.
    first, second = torch.randn(50, 8), torch.randn(50, 8)
    assert torch.equal(gan.sample_sizes(first, seeded(0)), gan.sample_sizes(second, seeded(0)))


def test_given_latent_vectors_and_temperature() -> None:
    gan, z, sizes = small_gan(creation="first_n"), torch.randn(4, 8), torch.tensor([9, 1, 5, 2])
    distribution = gan.generate(z, sizes)
    assert equal(gan.sample(4, sizes, z=z), distribution.mode())
    warm = gan.sample(4, sizes, seeded(2), temperature=2.0, z=z)
    assert equal(warm, distribution.sample(seeded(2), 2.0))
    assert not equal(warm, distribution.mode())


def test_correction() -> None:
    gan = small_gan(creation="first_n")
    nn.init.ones_(gan.generator.presence_mlp.lins[-1].bias)  # Too many edges.
    z, sizes = torch.randn(60, 8), torch.full((60,), 9)
    with pytest.raises(ValueError, match=r"a vocabulary and no temperature .*\(got None and None"):
        gan.sample(60, sizes, z=z, correct=True)
    gan.vocabulary = MoleculeVocabulary.qm9()
    with pytest.raises(ValueError, match="no temperature for a correction"):
        gan.sample(60, sizes, z=z, correct=True, temperature=1.0)
    corrected = gan.sample(60, sizes, z=z, correct=True)
    assert equal(corrected, valency_capped_mode(gan.generate(z, sizes), (4, 3, 2, 1), (1, 2, 3)))
    assert not equal(corrected, gan.sample(60, sizes, z=z))


def test_conditions_reach_the_generator() -> None:
    creation = TopNCreation(8, 16, num_reference_points=12, cond_channels=2)
    update = SetTransformer(16, num_layers=1, heads=2, latent_channels=8)
    generator = GraphDecoder(creation, update, 4, ORDERS)
    nn.init.ones_(generator.presence_mlp.lins[-1].bias)
    gan = GraphGAN(generator, parts()[1], sizes_of_data()).eval()
    gan.conditions = ("logp", "num_rings")
    assert gan.cond_channels == 2
    assert small_gan().cond_channels == 0
    asked = gan.ask({"Num_Rings": 3.0})
    assert asked[1] == 3
    assert bool(asked[0].isnan())
    with pytest.raises(ValueError, match=r"conditions among logp, num_rings \(got 'qed'\)"):
        gan.ask({"qed": 1.0})
    z, sizes = torch.randn(5, 8), torch.full((5,), 9)
    with torch.no_grad():
        for parameter in generator.creation.condition.parameters():
            parameter.normal_()
    free, told = gan.generate(z, sizes), gan.generate(z, sizes, cond=asked)
    assert not torch.equal(free.pair_logits, told.pair_logits)
    assert equal(gan.sample(5, sizes, z=z, cond=asked), told.mode())
    with pytest.raises(ValueError, match="Expected .*got"):
        small_gan().sample(2, cond=torch.tensor([1.0]))


def test_other_priors_and_latent_vectors() -> None:
    generator, critic = parts()
    gan = GraphGAN(generator, critic, sizes_of_data())
    assert isinstance(gan.prior, GaussianPrior)
    assert gan.latent_channels == 8
    z, sizes = gan.sample_latents(2_000, generator=seeded(0))
    assert z.shape == (2_000, 8)
    assert sizes.shape == (2_000,)
    assert float(z.mean(dim=0).abs().max()) < 0.12
    with pytest.raises(ValueError, match=r"2 sizes \(got 1\)"):
        gan.sample_latents(2, torch.tensor([3]))
    prior = CouplingFlowPrior(8, max_num_nodes=9)
    assert GraphGAN(generator, critic, sizes_of_data(), prior=prior).prior is prior
    with pytest.raises(ValueError, match=r"prior and decoder to share .*\(got 7 and 8\)"):
        GraphGAN(generator, critic, sizes_of_data(), prior=GaussianPrior(7))


def test_modules_must_fit() -> None:
    generator, critic = parts()
    sizes, vocabulary = sizes_of_data(), MoleculeVocabulary.qm9()
    assert GraphGAN(generator, critic, sizes, vocabulary).vocabulary is vocabulary
    with pytest.raises(TypeError, match=r"to be a SizeDistribution \(got SizePredictor\)"):
        GraphGAN(generator, critic, SizePredictor(8, 9))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"at most 6 nodes.*\(got 9\)"):
        GraphGAN(*parts(largest=6), sizes)
    with pytest.raises(ValueError, match=r"4 of nodes and 3 of edges \(got 5 and 2\)"):
        GraphGAN(generator, GraphCritic(5, 2), sizes)
    with pytest.raises(ValueError, match=r"decides all pairs.*\(got one with num_neighbors=2\)"):
        GraphGAN(*parts(num_neighbors=2), sizes)


class Constant(nn.Module):
    def forward(self, graphs: RelaxedGraphs) -> Tensor:
        return graphs.nodes.new_zeros(graphs.num_graphs)


def test_any_module_may_be_the_critic() -> None:
    gan = GraphGAN(parts()[0], Constant(), sizes_of_data())
    assert gan.critic(relax(gan(torch.tensor([3, 2])))).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_graphs": -1}, r"'num_graphs' to be at least 0 \(got -1\)"),
        ({"num_graphs": 2, "z": torch.zeros(3, 8)}, r"2 latent vectors \(got 3\)"),
        ({"num_graphs": 2, "num_nodes": torch.tensor([3])}, r"2 sizes \(got 1\)"),
        ({"num_graphs": 1, "num_nodes": torch.tensor([13])}, r"at most 12 everywhere \(got 13\)"),
        ({"num_graphs": 1, "temperature": 0.0}, r"'temperature' to be positive \(got 0.0\)"),
    ],
)
def test_bad_requests(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_gan().sample(**arguments)
    with pytest.raises(TypeError, match=r"'num_nodes' to be a Tensor \(got list\)"):
        small_gan().sample(2, [2, 2])


def test_no_graphs() -> None:
    gan = small_gan()
    for temperature in (None, 1.0):
        batch = gan.sample(0, temperature=temperature)
        assert batch.num_graphs == 0
        assert batch.x.shape == (0, 4)
        assert batch.edge_attr.shape == (0, 3)


@pytest.mark.parametrize("creation", CREATIONS)
def test_reset_reaches_every_parameter(creation: str) -> None:
    gan = small_gan(creation=creation)
    with torch.no_grad():
        for parameter in gan.parameters():
            parameter.fill_(7.0)
    gan.reset_parameters()
    for name, parameter in gan.named_parameters():
        assert bool((parameter != 7.0).all()), name


def test_state_survives_saving() -> None:
    gan, other = small_gan(), small_gan()
    other.load_state_dict(gan.state_dict())
    assert equal(gan.sample(9, generator=seeded(0)), other.sample(9, generator=seeded(0)))
