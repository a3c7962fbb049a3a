"""The loss of a decoder that decides only some pairs, against that of all pairs."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.losses import GraphVAELoss, PriorRegularizer, target_pairs
from pyg_topn.losses.matching import (
    AtomScoreMatcher,
    CanonicalMatcher,
    HungarianMatcher,
    Matcher,
    NoneMatcher,
)
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.pretrained import load, save
from pyg_topn.transforms import CanonicalOrder
from pyg_topn.utils import Layout, candidate_layout, random_pairs

CPU = torch.device("cpu")
TERMS = ["node", "edge", "edge_type", "formula", "edge_count", "edge_type_share", "valency"]


def grids(*sides: tuple[int, int]) -> Batch:
    """Grids, with types of nodes and edges by the parity of their coordinates."""
    graphs = []
    for side in sides:
        graph = nx.grid_2d_graph(*side)
        number = {node: k for k, node in enumerate(graph)}
        edges = [(number[a], number[b], sum(a) % 2) for a, b in graph.edges]
        edges = sorted((*edges, *((j, i, kind) for i, j, kind in edges)))
        i, j, kind = torch.tensor(edges).t()
        x = torch.eye(2)[[sum(node) % 2 for node in graph]]
        graphs.append(Data(x=x, edge_index=torch.stack([i, j]), edge_attr=torch.eye(2)[kind]))
    return CanonicalOrder()(Batch.from_data_list(graphs))


def random_distribution(layout: Layout) -> GraphDistribution:
    nodes, pairs = layout.batch.numel(), layout.pair_index.size(1)
    return GraphDistribution(torch.randn(nodes, 2), torch.randn(pairs, 3), layout)


def small_vae(num_neighbors: int, largest: int, **arguments: object) -> GraphVAE:
    widths = {"hidden_channels": 32, "pair_channels": 16, "creation_channels": 32}
    depths = {"num_layers": 1, "encoder_layers": 1, "latent_channels": 6, "heads": 2}
    return build_graph_vae(
        2,
        (1, 1),
        [0] * largest + [1],
        creation="first_n",
        num_neighbors=num_neighbors,
        **{**widths, **depths, **arguments},
    )


@pytest.mark.parametrize("matcher", [CanonicalMatcher(), NoneMatcher()])
def test_edges_as_pairs_of_slots(matcher: Matcher) -> None:
    target = grids((2, 3), (3, 3))
    slots = target_pairs(target, matcher)
    node = matcher(random_distribution(Layout.from_batch(target)), target)
    assert torch.equal(node[slots], target.edge_index)


@pytest.mark.parametrize("matcher", [AtomScoreMatcher(), HungarianMatcher()])
def test_matchers_that_look_at_the_prediction(matcher: Matcher) -> None:
    match = r"does not look at the prediction, 'canonical' or 'none'.*got {}".format
    with pytest.raises(ValueError, match=match(type(matcher).__name__)):
        target_pairs(grids((2, 3)), matcher)


def test_hungarian_needs_all_pairs() -> None:
    target = grids((2, 3))
    full = Layout.from_batch(target)
    distribution = random_distribution(candidate_layout(full, full.pair_index))
    with pytest.raises(ValueError, match="logits of all pairs for this matcher"):
        HungarianMatcher()(distribution, target)


def test_every_edge_needs_a_logit() -> None:
    target = grids((2, 3))
    pairs = target_pairs(target, CanonicalMatcher())
    layout = candidate_layout(Layout.from_batch(target), pairs[:, pairs[0] + pairs[1] > 3])
    missing = int((pairs[0] + pairs[1] <= 3).sum()) // 2
    assert missing > 0
    loss = GraphVAELoss(CanonicalMatcher(), (1, 1))
    with pytest.raises(ValueError, match=rf"got none for {missing} edges.: decode with pairs="):
        loss(random_distribution(layout), target)


@pytest.mark.parametrize("matcher", [CanonicalMatcher(), AtomScoreMatcher(), NoneMatcher()])
def test_all_pairs_given_cost_the_same(matcher: Matcher) -> None:
    target = grids((2, 3), (3, 3))
    full = Layout.from_batch(target)
    dense = random_distribution(full)
    sparse = GraphDistribution(
        dense.node_logits, dense.pair_logits, candidate_layout(full, full.pair_index)
    )
    loss = GraphVAELoss(matcher, (1.0, 2.0))
    terms, expected = loss(sparse, target), loss(dense, target)
    for term in TERMS:
        assert torch.equal(terms[term], expected[term]), term


def test_pairs_that_are_left_out_cost_nothing() -> None:
    """As with all pairs, if the logits of those left out say for sure that there is no edge."""
    target = grids((2, 3), (3, 3))
    full = Layout.from_batch(target)
    known = candidate_layout(full, target_pairs(target, CanonicalMatcher()))
    sparse = random_distribution(known)
    logits = torch.tensor([99.0, 0.0, 0.0]).repeat(full.pair_index.size(1), 1)
    logits[full.pair_id(*known.pair_index)] = sparse.pair_logits
    loss = GraphVAELoss(CanonicalMatcher(), (1.0, 2.0))
    terms = loss(sparse, target)
    expected = loss(GraphDistribution(sparse.node_logits, logits, full), target)
    for term in TERMS:
        assert float(terms[term]) == pytest.approx(float(expected[term]), rel=1e-5), term


def test_drawn_pairs_estimate_the_cost_of_all_pairs(generator: torch.Generator) -> None:
    """Cross entropies on average; and counts of the candidates, whatever is drawn."""
    target = grids((2, 3), (3, 3))
    full = Layout.from_batch(target)
    dense = random_distribution(full)
    loss = GraphVAELoss(CanonicalMatcher(), (1.0, 2.0))
    pairs = target_pairs(target, CanonicalMatcher())
    alone = _restricted(dense, candidate_layout(full, pairs))
    fixed, expected = loss(alone, target), loss(dense, target)
    sums = dict.fromkeys(TERMS, 0.0)
    for _ in range(300):
        layout = candidate_layout(full, pairs, *random_pairs(full, 2, generator))
        terms = loss(_restricted(dense, layout), target)
        for term in TERMS:
            sums[term] += float(terms[term]) / 300
    assert float(expected["edge"]) > 1.5 * float(fixed["edge"])
    assert sums["edge"] == pytest.approx(float(expected["edge"]), rel=0.02)
    assert sums["edge_type"] == pytest.approx(float(expected["edge_type"]), rel=1e-4)
    for term in ("node", "formula", "edge_count", "edge_type_share", "valency"):
        assert sums[term] == pytest.approx(float(fixed[term]), rel=1e-4), term


def _restricted(dense: GraphDistribution, layout: Layout) -> GraphDistribution:
    place = dense.layout.pair_id(*layout.pair_index)
    return GraphDistribution(dense.node_logits, dense.pair_logits[place], layout)


def test_penalties_on_samples() -> None:
    """As with all pairs, if those left out have no edge for sure."""
    full = Layout(torch.tensor([9, 5]), CPU)
    sparse = random_distribution(candidate_layout(full, random_pairs(full, 2)[0]))
    sparse.pair_logits[:, 0] += 1
    logits = torch.tensor([999.0, 0.0, 0.0]).repeat(full.pair_index.size(1), 1)
    logits[full.pair_id(*sparse.pair_index)] = sparse.pair_logits
    dense = GraphDistribution(sparse.node_logits, logits, full)
    penalty = PriorRegularizer((2, 1), (1, 2))
    found, expected = penalty(sparse), penalty(dense)
    torch.testing.assert_close(found["valency"], expected["valency"])
    assert float(found["valency"]) > 0
    assert torch.equal(penalty.is_flawed(sparse), penalty.is_flawed(dense))
    assert 0 < float(found["connectivity"]) <= float(expected["connectivity"])


@pytest.mark.parametrize("num_rounds", [0, 1])
def test_gradients_reach_every_parameter(num_rounds: int) -> None:
    target = grids((3, 4), (4, 4))
    vae, matcher = small_vae(3, 16, num_rounds=num_rounds), CanonicalMatcher()
    output = vae(target, pairs=target_pairs(target, matcher))
    loss = GraphVAELoss(matcher, (1, 1))(output.distribution, target, output.posterior)["loss"]
    loss.backward()
    assert output.distribution.layout.sample_weight is not None
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.ne(0).any(), name


def test_a_model_is_built_saved_and_sampled(tmp_path: Path) -> None:
    arguments = {"num_node_types": 2, "edge_orders": [1], "size_histogram": [0] * 30 + [1]}
    arguments = {**arguments, "num_neighbors": 3, "hidden_channels": 16, "creation_channels": 16}
    vae = build_graph_vae(**arguments)
    assert vae.decoder.neighbors is not None
    assert vae.decoder.neighbors.num_neighbors == 3
    loaded = load(save(vae, tmp_path / "model", arguments))
    z = torch.randn(2, vae.latent_channels)
    batch = vae.eval().sample(2, z=z)
    assert batch.num_nodes == 60
    assert batch.num_edges // 2 <= 2 * 30 * 3
    assert torch.equal(loaded.sample(2, z=z).edge_index, batch.edge_index)
    assert build_graph_vae(2, [1], [0, 1]).decoder.neighbors is None


def test_training_brings_joined_nodes_near_each_other() -> None:
    """A model that is trained with its edges finds them among neighbours when it samples."""
    target = grids((5, 6))
    vae, matcher = small_vae(6, 30, num_rounds=0), CanonicalMatcher()
    loss = GraphVAELoss(matcher, (1, 1), {**dict.fromkeys(TERMS[3:], 0.0), "kl": 0.0})
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    pairs = target_pairs(target, matcher)
    sizes = target.ptr.diff()

    def found() -> float:
        near = vae.decode(vae.encode(target).mean, sizes).layout.pair_id(*pairs)
        return float((near >= 0).float().mean())

    assert found() < 0.7
    for _ in range(150):
        output = vae(target, pairs=pairs)
        optimizer.zero_grad()
        loss(output.distribution, target, output.posterior)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
    assert found() == 1.0
    batch = vae.sample(1, sizes, z=vae.encode(target).mean.detach())
    assert sorted(batch.edge_index.t().tolist()) == sorted(pairs.t().tolist())
