"""Penalties on decoded graphs against numbers by hand, networkx and numpy."""

from __future__ import annotations

import math
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pyg_topn.losses import PriorRegularizer
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.utils import Layout

CPU = torch.device("cpu")
VALENCIES, ORDERS = (4.0, 3.0, 2.0, 1.0), (1.0, 2.0, 3.0)
CARBON, NITROGEN, OXYGEN, FLUORINE = range(4)
SURE = 60.0


def regularizer() -> PriorRegularizer:
    return PriorRegularizer(VALENCIES, ORDERS)


def layout_of(*sizes: int) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), CPU)


def hard(types: list[int], bonds: dict[tuple[int, int], int]) -> GraphDistribution:
    """One graph that is certain: node types, and the order of every bond i < j."""
    layout = layout_of(len(types))
    kind = torch.tensor([bonds.get((i, j), 0) for i, j in layout.pair_index.t().tolist()])
    pair_logits = SURE * torch.eye(4)[kind.long()]
    return GraphDistribution(SURE * torch.eye(4)[types], pair_logits, layout)


def with_probabilities(node: list[list[float]], pair: list[list[float]]) -> GraphDistribution:
    """One graph with the probabilities given."""
    node_logits = torch.tensor(node, dtype=torch.float64).log()
    pair_logits = torch.tensor(pair, dtype=torch.float64).log()
    return GraphDistribution(node_logits, pair_logits, layout_of(len(node)))


def with_edges(graph: nx.Graph, probability: float) -> GraphDistribution:
    """The edges of a graph with a probability, and no others."""
    layout = layout_of(graph.number_of_nodes())
    p = [probability * graph.has_edge(i, j) for i, j in layout.pair_index.t().tolist()]
    edge = torch.tensor(p, dtype=torch.float64)[:, None] / 3
    logits = torch.cat([1 - 3 * edge, edge, edge, edge], dim=1).clamp(min=1e-30).log()
    return GraphDistribution(torch.zeros(graph.number_of_nodes(), 4).double(), logits, layout)


def random_distribution(*sizes: int, edges: float = 0.0) -> GraphDistribution:
    layout = layout_of(*sizes)
    pair_logits = torch.randn(layout.pair_index.size(1), 4, dtype=torch.float64)
    pair_logits[:, 0] -= edges
    node_logits = torch.randn(sum(sizes), 4, dtype=torch.float64)
    return GraphDistribution(node_logits, pair_logits, layout)


def trainable(distribution: GraphDistribution) -> GraphDistribution:
    """The same distribution, whose logits take gradients."""
    distribution.node_logits.requires_grad_()
    distribution.pair_logits.requires_grad_()
    return distribution


@pytest.mark.parametrize(
    ("types", "bonds", "excess"),
    [
        ([CARBON], {}, []),
        ([CARBON, CARBON, OXYGEN], {(0, 1): 1, (1, 2): 1}, []),
        ([CARBON, NITROGEN], {(0, 1): 3}, []),
        ([FLUORINE, FLUORINE], {(0, 1): 1}, []),
        ([CARBON, FLUORINE], {(0, 1): 2}, [1]),  # Two at a fluorine.
        ([FLUORINE, FLUORINE], {(0, 1): 3}, [2, 2]),
        (
            [OXYGEN, CARBON, CARBON, CARBON],
            {(0, 1): 1, (0, 2): 2, (0, 3): 3},
            [4],
        ),  # Six at the oxygen.
        ([CARBON] * 6, {(0, k): 1 for k in range(1, 6)}, [1]),  # Five at a carbon.
        ([FLUORINE, FLUORINE, FLUORINE], {(0, 1): 1, (1, 2): 1}, [1]),
        ([NITROGEN, OXYGEN, CARBON], {(0, 1): 2, (1, 2): 2, (0, 2): 2}, [1, 2]),
    ],
)
def test_valency_by_hand(
    types: list[int], bonds: dict[tuple[int, int], int], excess: list[int]
) -> None:
    """Expected and most likely graph are one here, so that each excess e costs e + e^2."""
    value = float(regularizer()(hard(types, bonds))["valency"])
    assert value == pytest.approx(sum(e + e * e for e in excess), abs=1e-4)


def test_valency_of_an_unsure_bond() -> None:
    sure_of_fluorine = [0.0, 0.0, 0.0, 1.0]
    nodes = [sure_of_fluorine, sure_of_fluorine]
    penalty = regularizer().double()
    # Expected 0.2 + 1.4 = 1.6, most likely 2; the most of a fluorine is 1.
    likely = with_probabilities(nodes, [[0.1, 0.2, 0.7, 1e-30]])
    assert float(penalty(likely)["valency"]) == pytest.approx(2 * (1 + 0.6**2))
    # Expected 0.6 + 0.9 = 1.5, most likely no bond.
    unlikely = with_probabilities(nodes, [[0.4, 1e-30, 0.3, 0.3]])
    assert float(penalty(unlikely)["valency"]) == pytest.approx(2 * 0.5**2)


def test_valency_of_an_unsure_node() -> None:
    # Most likely carbon (at most 4), expected at most 0.6 * 4 + 0.4 * 1 = 2.8, of a triple bond.
    nodes = [[0.6, 1e-30, 1e-30, 0.4], [1.0, 1e-30, 1e-30, 1e-30]]
    distribution = with_probabilities(nodes, [[1e-30, 1e-30, 1e-30, 1.0]])
    value = float(regularizer().double()(distribution)["valency"])
    assert value == pytest.approx((3 - 2.8) ** 2)


def test_the_most_likely_graph_has_the_gradient_of_the_expected_one() -> None:
    """As if the penalty were excess + excess^2 of expected valencies, wherever both exceed."""
    bond, node = [0.1, 0.2, 0.6, 0.1], [0.1, 0.1, 0.1, 0.7]
    distribution = trainable(with_probabilities([node, node], [bond]))
    regularizer().double()(distribution)["valency"].backward()
    expected, limit = 0.2 + 1.2 + 0.3, 0.4 + 0.3 + 0.2 + 0.7
    slope = 1 + 2 * (expected - limit)  # of one node
    of_bond = [2 * slope * p * (order - expected) for p, order in zip(bond, range(4), strict=True)]
    assert distribution.pair_logits.grad.tolist() == [pytest.approx(of_bond)]
    assert distribution.node_logits.grad is None  # Types are taken as given.


def test_connectivity_by_hand() -> None:
    """Atoms 0 and 1 are bonded; the best bonds that leave {0, 1}, {2} and {3}."""
    gain = {(0, 1): 3.0, (0, 2): -0.5, (0, 3): -4.0, (1, 2): -0.25, (1, 3): -1.5, (2, 3): -2.0}
    logits = torch.tensor([[1.0, 1.0 + g, g, g - 1] for g in gain.values()])
    distribution = GraphDistribution(torch.zeros(4, 4), logits, layout_of(4))
    value = float(regularizer()(distribution)["connectivity"])
    assert value == pytest.approx(0.25 + 0.25 + 1.5)


def test_three_unlikely_bonds_do_not_connect() -> None:
    """In expectation 0.9 bonds reach node 3; the most likely graph has none of them."""
    presence = torch.tensor([SURE, SURE, -0.85, SURE, -0.85, -0.85])  # 0, 1, 2 are a ring
    pair_logits = torch.stack([torch.zeros(6), presence], dim=1)
    distribution = GraphDistribution(torch.zeros(4, 4), pair_logits, layout_of(4))
    value = PriorRegularizer(VALENCIES, (1.0,))(distribution)["connectivity"]
    assert value.item() == pytest.approx(2 * 0.85)


def test_connected_graphs_are_free() -> None:
    for graph in (nx.path_graph(9), nx.cycle_graph(6), nx.complete_graph(5), nx.star_graph(3)):
        value = float(regularizer()(hard_single(graph))["connectivity"])
        assert value == pytest.approx(0.0, abs=1e-3)


def hard_single(graph: nx.Graph) -> GraphDistribution:
    bonds = {(min(i, j), max(i, j)): 1 for i, j in graph.edges}
    return hard([CARBON] * graph.number_of_nodes(), bonds)


@pytest.mark.parametrize(
    "pieces",
    [
        [nx.path_graph(1), nx.path_graph(1)],
        [nx.path_graph(1), nx.path_graph(4)],
        [nx.path_graph(4), nx.path_graph(1)],
        [nx.cycle_graph(5), nx.path_graph(2)],
        [nx.path_graph(3), nx.cycle_graph(6)],
    ],
)
def test_pieces_cost_much(pieces: list[nx.Graph]) -> None:
    graph = nx.disjoint_union_all(pieces)
    assert float(regularizer()(hard_single(graph))["connectivity"]) > 10


def test_more_pieces_cost_more() -> None:
    chains = [{(i, i + 1): 1 for i in range(num_bonds)} for num_bonds in (3, 2, 1, 0)]
    penalty = regularizer()
    values = [float(penalty(hard([CARBON] * 4, chain))["connectivity"]) for chain in chains]
    assert values[0] < 0.01
    assert all(b > a + 10 for a, b in pairwise(values))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 10_000))
def test_against_plain_numbers(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(*sizes, edges=-1.5)
    penalties = regularizer().double()(distribution)
    expected = plain_penalties(distribution)
    assert float(penalties["valency"]) == pytest.approx(expected[0], abs=1e-9)
    assert float(penalties["connectivity"]) == pytest.approx(expected[1], abs=1e-9)


def plain_penalties(distribution: GraphDistribution) -> tuple[float, float]:
    """The mean of both penalties over graphs, one at a time."""
    node = distribution.node_logits.softmax(-1).detach().numpy()
    pair = distribution.pair_logits.softmax(-1).detach().numpy()
    index, ptr = distribution.pair_index.t().tolist(), distribution.ptr.tolist()
    orders, limits = np.array([0.0, *ORDERS]), np.array(VALENCIES)
    valency = connectivity = 0.0
    for first, last in pairwise(ptr):
        n = last - first
        soft, most_likely, graph = np.zeros(n), np.zeros(n), nx.empty_graph(n)
        gains = {}
        for (i, j), p in zip(index, pair, strict=True):
            if first <= i < last:
                i, j = i - first, j - first
                soft[[i, j]] += p @ orders
                most_likely[[i, j]] += orders[p.argmax()]
                gains[i, j] = math.log(p[1:].max()) - math.log(p[0])
                if gains[i, j] > 0:
                    graph.add_edge(i, j)
        soft_excess = np.maximum(soft - node[first:last] @ limits, 0)
        hard_excess = np.maximum(most_likely - limits[node[first:last].argmax(axis=1)], 0)
        valency += float(hard_excess.sum() + (soft_excess**2).sum())
        for piece in nx.connected_components(graph):
            out = [gain for (i, j), gain in gains.items() if (i in piece) != (j in piece)]
            connectivity -= max(out, default=0.0)
    return valency / (len(ptr) - 1), connectivity / (len(ptr) - 1)


def test_mixed_sizes_equal_one_by_one() -> None:
    sizes = [5, 1, 9, 2, 3, 9, 1]
    distribution = random_distribution(*sizes, edges=-2.0)
    penalty = regularizer().double()
    together = penalty(distribution)
    ptr, pair_ptr = distribution.ptr.tolist(), distribution.layout.pair_ptr.tolist()
    for name in ("valency", "connectivity"):
        alone = [
            float(
                penalty(
                    GraphDistribution(
                        distribution.node_logits[ptr[k] : ptr[k + 1]],
                        distribution.pair_logits[pair_ptr[k] : pair_ptr[k + 1]],
                        layout_of(size),
                    )
                )[name]
            )
            for k, size in enumerate(sizes)
        ]
        assert float(together[name]) == pytest.approx(sum(alone) / len(sizes), abs=1e-9)
        assert float(together[name]) > 0.01


def test_does_not_depend_on_the_order_of_nodes() -> None:
    distribution = random_distribution(7, edges=-1.0)
    layout = distribution.layout
    perm = torch.randperm(7)
    i, j = layout.pair_index
    permuted = GraphDistribution(
        distribution.node_logits[perm],
        distribution.pair_logits[layout.pair_id(perm[i], perm[j])],
        layout,
    )
    penalty = regularizer().double()
    for name, value in penalty(distribution).items():
        assert float(penalty(permuted)[name]) == pytest.approx(float(value), abs=1e-9)


@pytest.mark.parametrize("sizes", [[], [1], [1, 1, 1]])
def test_nothing_to_pay_without_pairs(sizes: list[int]) -> None:
    distribution = trainable(random_distribution(*sizes))
    penalties = regularizer().double()(distribution)
    assert {name: value.item() for name, value in penalties.items()} == {
        "valency": 0.0,
        "connectivity": 0.0,
    }
    sum(penalties.values()).backward()


def test_gradient_against_differences() -> None:
    """Connectivity as it is; valency is straight-through, where differences say something else."""
    start = random_distribution(4, 3, 1, edges=-1.5)
    penalty = regularizer().double()

    def value(pair_logits: Tensor) -> Tensor:
        return penalty(GraphDistribution(start.node_logits, pair_logits, start.layout))[
            "connectivity"
        ]

    assert float(value(start.pair_logits)) > 0.1
    assert torch.autograd.gradcheck(value, (start.pair_logits.requires_grad_(),))


def test_the_gradient_asks_for_a_missing_bond() -> None:
    bonds = [[0.02, 0.96, 0.01, 0.01], [0.96, 0.02, 0.01, 0.01], [0.96, 0.02, 0.01, 0.01]]
    nodes = [[0.97, 0.01, 0.01, 0.01]] * 3  # Bonded: 0 and 1. Alone: 2.
    distribution = trainable(with_probabilities(nodes, bonds))
    penalties = regularizer().double()(distribution)
    penalties["connectivity"].backward()
    gradient = distribution.pair_logits.grad
    assert bool((gradient[1:, 0] > 0.1).all())  # "No bond" goes down,
    assert bool((gradient[1:, 1] < -0.1).all())  # the likeliest kind of bond goes up.
    assert float(gradient[0].abs().max()) == 0  # The bond that is there is well.


@pytest.mark.parametrize(("name", "edges"), [("valency", 2.0), ("connectivity", -4.0)])
def test_descent_mends_graphs(name: str, edges: float) -> None:
    distribution = trainable(random_distribution(9, 9, 6, 4, 2, 1, edges=edges))
    logits = [distribution.node_logits, distribution.pair_logits]
    optimizer = torch.optim.Adam(logits, lr=0.1)
    penalty = regularizer().double()
    first = penalty(distribution)[name].item()
    for _ in range(100):
        optimizer.zero_grad()
        penalty(distribution)[name].backward()
        optimizer.step()
    assert first > 1
    assert penalty(distribution)[name].item() < 0.05 * first


@pytest.mark.parametrize("logit", [0.0, 5.0, 20.0, 100.0, 1000.0])
def test_gradients_are_finite_in_single_precision(logit: float) -> None:
    """Pieces of all kinds, up to probabilities of exactly 0 and 1."""
    for edges in (0.0, 0.1, 0.3, 1.0):
        layout = layout_of(*range(1, 13), *range(1, 13))
        kind = torch.randint(1, 4, (layout.pair_index.size(1),))
        kind = kind * (torch.rand(kind.shape) < edges)
        pair_logits = (logit * torch.eye(4)[kind]).requires_grad_()
        node_logits = torch.randn(layout.batch.numel(), 4)
        penalties = regularizer()(GraphDistribution(node_logits, pair_logits, layout))
        total = penalties["valency"] + penalties["connectivity"]
        total.backward()
        assert bool(total.isfinite())
        assert bool(pair_logits.grad.isfinite().all())


def test_both_penalties_have_names_and_move_with_the_module() -> None:
    penalty = regularizer()
    assert sorted(penalty.state_dict()) == ["edge_orders", "max_valencies"]
    assert list(penalty(hard([CARBON, CARBON], {(0, 1): 1}))) == ["valency", "connectivity"]


@given(st.data())
def test_flawed_graphs_are_those_networkx_says(data: st.DataObject) -> None:
    """All at once, so that no graph answers for another."""
    graphs, expected = [], []
    for _ in range(data.draw(st.integers(0, 4))):
        size = data.draw(st.integers(1, 5))
        types = data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
        pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
        bonds = {pair: data.draw(st.integers(0, 3)) for pair in pairs}
        graph = nx.empty_graph(size)
        graph.add_weighted_edges_from((i, j, k) for (i, j), k in bonds.items() if k)
        within = all(graph.degree(i, "weight") <= VALENCIES[types[i]] for i in graph)
        graphs.append(hard(types, bonds))
        expected.append(not (within and nx.is_connected(graph)))
    layout = layout_of(*(len(graph.layout.batch) for graph in graphs))
    node_logits = torch.cat([torch.empty(0, 4), *(graph.node_logits for graph in graphs)])
    pair_logits = torch.cat([torch.empty(0, 4), *(graph.pair_logits for graph in graphs)])
    together = GraphDistribution(node_logits, pair_logits, layout)
    assert regularizer().is_flawed(together).tolist() == expected


@pytest.mark.parametrize(
    ("valencies", "orders", "message"),
    [
        ((), (1.0,), r"'max_valencies' of at least 0 \(got \(\)\)"),
        ((4.0, -1.0), (1.0,), r"'max_valencies' of at least 0 \(got \(4.0, -1.0\)\)"),
        ((4.0,), (), r"'edge_orders' above 0 \(got \(\)\)"),
        ((4.0,), (0.0,), r"'edge_orders' above 0 \(got \(0.0,\)\)"),
    ],
)
def test_bad_chemistry_is_refused(
    valencies: tuple[float, ...], orders: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PriorRegularizer(valencies, orders)


def test_graphs_of_another_vocabulary_are_refused() -> None:
    other = PriorRegularizer((4.0, 3.0), (1.0,))
    for ask in (other, other.is_flawed):
        with pytest.raises(ValueError, match=r"2 node types and 1 edge types \(got 4 and 3\)"):
            ask(random_distribution(3))
