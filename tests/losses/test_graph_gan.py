"""The losses of the GAN against plain numbers, and what they teach a critic and a generator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import GraphGANLoss, PriorRegularizer, gradient_penalty
from pyg_topn.models import build_graph_gan
from pyg_topn.nn.decoder import GraphDistribution, perturb, relax
from pyg_topn.nn.encoder import GraphCritic
from pyg_topn.transforms import PermuteNodes
from pyg_topn.utils import Layout, RelaxedGraphs

SIZES = (4, 1, 3)


def layout_of(*sizes: int) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def random_distribution(*sizes: int) -> GraphDistribution:
    layout = layout_of(*sizes)
    pairs = layout.pair_index.size(1)
    return GraphDistribution(
        torch.randn(sum(sizes), 4, dtype=torch.float64),
        torch.randn(pairs, 4, dtype=torch.float64),
        layout,
    )


def doubled(distribution: GraphDistribution) -> GraphDistribution:
    """At a temperature of one half."""
    logits = 2 * distribution.node_logits, 2 * distribution.pair_logits
    return GraphDistribution(*logits, distribution.layout)


def small_critic(batch_std: bool = False) -> GraphCritic:
    return GraphCritic(4, 3, hidden_channels=6, num_layers=2, batch_std=batch_std).double()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("batch_std", [False, True])
def test_the_penalty_against_finite_differences(batch_std: bool) -> None:
    critic, distribution = small_critic(batch_std), random_distribution(*SIZES)
    graphs = relax(distribution, hard=False)

    def total(nodes: Tensor, pairs: Tensor) -> float:
        with torch.no_grad():
            return critic(RelaxedGraphs(nodes, pairs, graphs.layout)).sum().item()

    squares = torch.zeros(len(SIZES), dtype=torch.float64)
    values = {"nodes": graphs.nodes, "pairs": graphs.pairs}
    for name, graph in (("nodes", graphs.layout.batch), ("pairs", graphs.layout.pair_batch)):
        for row in range(len(values[name])):
            for column in range(4):
                ends = []
                for step in (1e-5, -1e-5):
                    moved = {key: value.clone() for key, value in values.items()}
                    moved[name][row, column] += step
                    ends.append(total(**moved))
                squares[graph[row]] += ((ends[0] - ends[1]) / 2e-5) ** 2
    expected = (squares.sqrt() - 1).square().mean().item()
    assert gradient_penalty(critic, graphs).item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_the_penalty_against_finite_differences() -> None:
    critic, graphs = small_critic(), relax(random_distribution(*SIZES), hard=False)
    gradient_penalty(critic, graphs).backward()
    for name, parameter in critic.named_parameters():
        if parameter.grad is None:  # The last bias moves no gradient.
            assert name == "score_mlp.lins.1.bias"
            continue
        place = parameter.grad.abs().argmax()
        expected = parameter.grad.flatten()[place].item()
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.flatten()[place] += step
                ends.append(gradient_penalty(critic, graphs).item())
                parameter.flatten()[place] -= step
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(expected, rel=1e-4, abs=1e-8), name


def test_the_penalty_of_a_linear_critic() -> None:
    """Gradients of norm sqrt(n): 2, 1 and sqrt(3)."""
    graphs = relax(random_distribution(*SIZES))

    def linear(graphs: RelaxedGraphs) -> Tensor:
        one = graphs.nodes[:, 0]
        return one.new_zeros(graphs.num_graphs).index_add(0, graphs.layout.batch, one)

    expected = (1 + 0 + (3**0.5 - 1) ** 2) / 3
    assert gradient_penalty(linear, graphs).item() == pytest.approx(expected)


def test_the_penalty_of_a_constant_critic_has_a_finite_gradient() -> None:
    weight = torch.zeros((), dtype=torch.float64, requires_grad=True)
    graphs = relax(random_distribution(2, 2))
    penalty = gradient_penalty(lambda graphs: weight * graphs.nodes.view(2, -1).sum(1), graphs)
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    penalty.backward()
    assert bool(weight.grad.isfinite())


def test_no_graphs() -> None:
    critic, nothing = small_critic(), random_distribution()
    assert gradient_penalty(critic, relax(nothing)).item() == 0
    loss = GraphGANLoss()
    assert loss.generator_terms(critic, nothing)["loss"].item() == 0
    assert loss.critic_terms(critic, nothing.mode(), nothing)["loss"].item() == 0


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("hard", [False, True])
def test_the_terms_of_the_critic(hard: bool, noise: float) -> None:
    critic, distribution = small_critic(), random_distribution(*SIZES)
    batch = random_distribution(*SIZES).mode()
    loss = GraphGANLoss(0.5, hard, noise, weights={"penalty": 3.0})
    terms = loss.critic_terms(critic, batch, distribution, seeded(5))

    generator = seeded(5)
    drawn = doubled(distribution)
    drawn = perturb(drawn, generator, noise) if noise else drawn
    fake, true = relax(drawn, hard=hard), RelaxedGraphs.from_batch(batch)
    weight = (2 * torch.rand(3, generator=generator) - 0.5).clamp(0, 1).double()
    difference = critic(true).mean() - critic(fake).mean()
    penalty = gradient_penalty(critic, true.lerp(fake, weight))
    torch.testing.assert_close(terms["wasserstein"], difference)
    torch.testing.assert_close(terms["penalty"], penalty)
    torch.testing.assert_close(terms["loss"], 3 * penalty - difference)
    assert list(terms) == ["wasserstein", "penalty", "loss"]

    plain = loss.critic_terms(critic, batch, distribution, seeded(5), penalize=False)
    assert list(plain) == ["wasserstein", "loss"]
    torch.testing.assert_close(plain["loss"], -difference)


@pytest.mark.parametrize("ends", [0.0, 0.5, 0.8])
def test_the_share_of_penalties_at_the_ends(ends: float) -> None:
    distribution = random_distribution(*[2] * 400)
    batch, seen = random_distribution(*[2] * 400).mode(), []

    def recording(graphs: RelaxedGraphs) -> Tensor:
        seen.append(graphs.detach())
        return graphs.nodes.sum(dim=1).view(-1, 2).sum(dim=1)

    GraphGANLoss(hard=False, ends=ends).critic_terms(recording, batch, distribution, seeded(0))
    true, fake, between = seen
    for end in (true, fake):
        same = (between.nodes == end.nodes).all(dim=1).view(-1, 2).all(dim=1)
        assert same.double().mean().item() == pytest.approx(ends / 2, abs=0.08)


def test_the_order_of_the_nodes_of_true_graphs_changes_nothing() -> None:
    """The first condition of lemma 1; the point where the penalty is taken included."""
    critic, distribution = small_critic(batch_std=True), random_distribution(9, 5, 9)
    batch, loss = random_distribution(9, 5, 9).mode(), GraphGANLoss()
    expected = loss.critic_terms(critic, batch, distribution, seeded(0))
    for seed in range(3):
        permuted = PermuteNodes(seed=seed)(batch.clone())
        assert not torch.equal(permuted.edge_index, batch.edge_index)
        found = loss.critic_terms(critic, permuted, distribution, seeded(0))
        for name, term in found.items():
            torch.testing.assert_close(term, expected[name], rtol=0, atol=1e-10)


def test_the_terms_of_the_generator() -> None:
    critic, distribution = small_critic(), random_distribution(*SIZES)
    regularizer = PriorRegularizer((4, 3, 2, 1), (1, 2, 3)).double()
    loss = GraphGANLoss(0.5, regularizer=regularizer, weights={"valency": 2.0, "connectivity": 0.5})
    terms = loss.generator_terms(critic, distribution, seeded(1))
    drawn = perturb(doubled(distribution), seeded(1), 0.3)
    penalties = regularizer(drawn)
    torch.testing.assert_close(terms["adversarial"], -critic(relax(drawn, hard=False)).mean())
    assert all(torch.equal(terms[name], penalties[name]) for name in penalties)
    total = terms["adversarial"] + 2 * penalties["valency"] + 0.5 * penalties["connectivity"]
    torch.testing.assert_close(terms["loss"], total)
    assert float(penalties["valency"]) > 0
    assert list(GraphGANLoss().generator_terms(critic, distribution)) == ["adversarial", "loss"]


def test_the_gradient_of_the_critic_does_not_reach_the_generator() -> None:
    distribution = random_distribution(*SIZES)
    distribution.node_logits.requires_grad_()
    critic = small_critic()
    batch = random_distribution(*SIZES).mode()
    GraphGANLoss().critic_terms(critic, batch, distribution)["loss"].backward()
    assert distribution.node_logits.grad is None
    assert all(parameter.grad is not None for parameter in critic.parameters())


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("creation", ["top_n", "first_n", "mlp", "iid"])
def test_a_gradient_reaches_every_parameter_of_the_generator(creation: str, hard: bool) -> None:
    small = {"hidden_channels": 16, "pair_channels": 8, "creation_channels": 16, "num_layers": 1}
    gan = build_graph_gan(4, (1, 2, 3), [0, 1, 2, 3, 4, 5], creation, **small, critic_channels=16)
    with torch.no_grad():  # So that most graphs break a rule.
        gan.generator.presence_mlp.lins[-1].bias.fill_(0.5)
    regularizer = PriorRegularizer((4, 3, 2, 1), (1, 2, 3))
    loss = GraphGANLoss(hard=hard, regularizer=regularizer)
    loss.generator_terms(gan.critic, gan(torch.tensor([5] * 8 + [1, 2, 3])))["loss"].backward()
    for name, parameter in gan.generator.named_parameters():
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'temperature' to be positive \(got 0.0\)"):
        GraphGANLoss(temperature=0.0)
    with pytest.raises(ValueError, match=r"'noise' to be at least 0 \(got -1.0\)"):
        GraphGANLoss(noise=-1.0)
    for ends in (-0.1, 1.0):
        with pytest.raises(ValueError, match=rf"at least 0 and below 1 \(got {ends}\)"):
            GraphGANLoss(ends=ends)
    with pytest.raises(ValueError, match=r"weights >= 0 of terms among .*\(got -1.0 of 'penalty'"):
        GraphGANLoss(weights={"penalty": -1.0})
    with pytest.raises(ValueError, match=r"\(got 1.0 of 'kl'\)"):
        GraphGANLoss(weights={"kl": 1.0})
    critic, batch = small_critic(), random_distribution(2, 3).mode()
    with pytest.raises(ValueError, match=r"same sizes on both sides \(got \[2, 3\] and \[3, 2\]\)"):
        GraphGANLoss().critic_terms(critic, batch, random_distribution(3, 2))


def test_true_graphs_without_types_are_refused() -> None:
    truth = triangles(2)
    for key, got in (("edge_attr", "None"), ("x", r"\[6\]")):
        batch = truth.clone()
        batch[key] = None if key == "edge_attr" else torch.zeros(6)
        with pytest.raises(ValueError, match=rf"one-hot rows '{key}' \(got {got}\)"):
            GraphGANLoss().critic_terms(small_critic(), batch, random_distribution(3, 3))


def test_repr() -> None:
    text = repr(GraphGANLoss(0.5, weights={"penalty": 5.0}))
    assert text == (
        "GraphGANLoss(temperature=0.5, hard=False, noise=0.3, ends=0.5, "
        "weights={'penalty': 5.0, 'valency': 1.0, 'connectivity': 1.0})"
    )


def triangles(count: int) -> Batch:
    """Rings of three carbon atoms, single bonds."""
    layout = layout_of(*[3] * count)
    kinds = torch.eye(4)[:2].repeat_interleave(3 * count, dim=0)
    return GraphDistribution(*kinds.chunk(2), layout).mode()


def test_the_critic_separates_and_the_generator_learns() -> None:
    truth, sizes = triangles(32), torch.full((32,), 3)
    small = {"latent_channels": 4, "hidden_channels": 16, "pair_channels": 16, "num_layers": 1}
    small.update(creation_channels=16, num_rounds=0, critic_channels=16, critic_layers=1)
    gan = build_graph_gan(4, (1, 2, 3), [0, 0, 0, 1], "first_n", **small)
    loss = GraphGANLoss()
    critic_optimizer = torch.optim.Adam(gan.critic.parameters(), lr=5e-3, betas=(0.0, 0.9))
    optimizer = torch.optim.Adam(gan.generator.parameters(), lr=5e-3, betas=(0.0, 0.9))

    def teach_critic() -> float:
        with torch.no_grad():
            distribution = gan(sizes)
        terms = loss.critic_terms(gan.critic, truth, distribution)
        critic_optimizer.zero_grad()
        terms["loss"].backward()
        critic_optimizer.step()
        return terms["wasserstein"].item()

    def share_of_triangles() -> float:
        warmth = loss.temperature * loss.noise
        made = gan.sample(200, generator=seeded(0), temperature=warmth).to_data_list()
        single = [data.num_edges == 6 and bool(data.edge_attr[:, 0].all()) for data in made]
        carbon = [bool(data.x[:, 0].all()) for data in made]
        return sum(a and b for a, b in zip(single, carbon, strict=True)) / 200

    apart = [teach_critic() for _ in range(40)]
    assert abs(apart[0]) < 0.1
    assert apart[-1] > 0.4  # The critic tells them apart while the generator stands still.
    assert share_of_triangles() < 0.05

    for _ in range(60):
        close = teach_critic()
        distribution = gan(sizes)
        optimizer.zero_grad()
        loss.generator_terms(gan.critic, distribution)["loss"].backward()
        optimizer.step()
    assert close < 0.5 * apart[-1]
    assert share_of_triangles() > 0.8
