"""Scores do not depend on the order of nodes, and have gradients of both orders."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from torch import Tensor

from pyg_topn.nn.encoder import GraphCritic, dense_weights
from pyg_topn.utils import Layout, RelaxedGraphs, build_batch

SIZES = (5, 1, 9, 2, 3, 9, 1)


def layout_of(*sizes: int) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def random_graphs(*sizes: int, dtype: torch.dtype = torch.float64) -> RelaxedGraphs:
    layout = layout_of(*sizes)
    nodes = torch.rand(sum(sizes), 4, dtype=dtype)
    pairs = torch.rand(layout.pair_index.size(1), 4, dtype=dtype).square()
    return RelaxedGraphs(nodes, pairs / pairs.sum(dim=1, keepdim=True), layout)


def make(**options: object) -> GraphCritic:
    return GraphCritic(4, 3, **{"hidden_channels": 16, **options}).double()


def shuffled(graphs: RelaxedGraphs) -> RelaxedGraphs:
    """The same graphs with the nodes of each in another order."""
    layout = graphs.layout
    ends = zip(layout.ptr[:-1].tolist(), layout.ptr[1:].tolist(), strict=True)
    perm = torch.cat([start + torch.randperm(end - start) for start, end in ends])
    i, j = layout.pair_index
    return RelaxedGraphs(graphs.nodes[perm], graphs.pairs[layout.pair_id(perm[i], perm[j])], layout)


@pytest.mark.parametrize("batch_std", [True, False])
def test_the_order_of_nodes_does_not_matter(batch_std: bool) -> None:
    critic, graphs = make(batch_std=batch_std), random_graphs(*SIZES)
    scores = critic(graphs)
    assert scores.shape == (7,)
    assert len({round(score, 6) for score in scores.tolist()}) == 7
    for _ in range(5):
        permuted = shuffled(graphs)
        assert not torch.equal(permuted.nodes, graphs.nodes)
        torch.testing.assert_close(critic(permuted), scores, rtol=0, atol=1e-5)


def test_true_graphs_in_any_order() -> None:
    critic = make()
    nodes = {"x": torch.eye(4, dtype=torch.float64)[[0, 1, 2]]}
    attr = torch.eye(3, dtype=torch.float64)[[0, 0, 2, 2]]
    path = build_batch(
        torch.tensor([3]), nodes, torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), {"edge_attr": attr}
    )
    swap = torch.tensor([2, 1, 0])
    reverse = build_batch(
        torch.tensor([3]),
        {"x": nodes["x"][swap]},
        torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        {"edge_attr": attr[[2, 3, 0, 1]]},
    )
    first, second = (RelaxedGraphs.from_batch(batch, canonical=False) for batch in (path, reverse))
    assert not torch.equal(first.pairs, second.pairs)
    torch.testing.assert_close(critic(first), critic(second), rtol=0, atol=1e-12)


def test_mixed_sizes_equal_one_by_one() -> None:
    critic, graphs = make(batch_std=False), random_graphs(*SIZES)
    ptr, pair_ptr = graphs.layout.ptr.tolist(), graphs.layout.pair_ptr.tolist()
    for k, (size, score) in enumerate(zip(SIZES, critic(graphs), strict=True)):
        nodes, pairs = (
            graphs.nodes[ptr[k] : ptr[k + 1]],
            graphs.pairs[pair_ptr[k] : pair_ptr[k + 1]],
        )
        alone = critic(RelaxedGraphs(nodes, pairs, layout_of(size)))
        torch.testing.assert_close(alone[0], score)


def test_the_spread_of_the_batch_is_seen_on_demand() -> None:
    graphs = random_graphs(9, 9, 9)
    same = RelaxedGraphs(
        graphs.nodes[:9].repeat(3, 1), graphs.pairs[:36].repeat(3, 1), graphs.layout
    )
    for batch_std in (True, False):
        critic = make(batch_std=batch_std)
        unchanged = torch.allclose(critic(graphs)[0], critic(same)[0], rtol=0, atol=1e-9)
        assert unchanged is not batch_std


@torch.no_grad()
def score(critic: GraphCritic, graph: nx.Graph) -> Tensor:
    layout = layout_of(graph.number_of_nodes())
    pairs = torch.eye(4, dtype=torch.float64)[
        [int(graph.has_edge(i, j)) for i, j in layout.pair_index.t().tolist()]
    ]
    nodes = torch.eye(4, dtype=torch.float64)[:1].expand(len(graph), 4)
    return critic(RelaxedGraphs(nodes, pairs, layout))


def test_random_walks_tell_rings_apart() -> None:
    """Message passing alone gives a ring of 6 and two rings of 3 the same score."""
    ring, rings = nx.cycle_graph(6), nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))
    blind, seeing = make(num_steps=0), make(num_steps=3)
    assert float(abs(score(blind, ring) - score(blind, rings))) < 1e-9
    assert float(abs(score(seeing, ring) - score(seeing, rings))) > 1e-6


def test_returns_are_probabilities_of_a_walk() -> None:
    """A triangle: each step stays in it with probability 2 / 3."""
    critic = make(num_steps=4)
    triangle = torch.ones(1, 3, 3, dtype=torch.float64) - torch.eye(3, dtype=torch.float64)
    steps = triangle[0] / 3
    expected = [torch.linalg.matrix_power(steps, k)[0, 0].item() for k in (2, 3, 4)]
    returns = critic._returns(triangle)
    assert returns.shape == (1, 3, 3)
    assert returns[0, 0].tolist() == pytest.approx(expected)
    assert expected[:2] == pytest.approx([2 / 9, 2 / 27])


@pytest.mark.parametrize("batch_std", [True, False])
def test_gradients_of_both_orders(batch_std: bool) -> None:
    critic = make(hidden_channels=4, num_layers=1, num_steps=3, batch_std=batch_std)
    start = random_graphs(3, 1, 2)
    inputs = start.nodes.requires_grad_(), start.pairs.requires_grad_()

    def scores(nodes: Tensor, pairs: Tensor) -> Tensor:
        return critic(RelaxedGraphs(nodes, pairs, start.layout))

    assert torch.autograd.gradcheck(scores, inputs)
    assert torch.autograd.gradgradcheck(scores, inputs)


def test_a_gradient_reaches_every_parameter_and_input() -> None:
    critic, graphs = make(), random_graphs(*SIZES)
    nodes, pairs = graphs.nodes.requires_grad_(), graphs.pairs.requires_grad_()
    critic(RelaxedGraphs(nodes, pairs, graphs.layout)).square().sum().backward()
    for name, parameter in critic.named_parameters():
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name
    assert bool((nodes.grad != 0).all())
    # The weight of "no edge" is what the others leave, and not looked at.
    assert bool((pairs.grad[:, 1:] != 0).all())
    assert bool((pairs.grad[:, 0] == 0).all())


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2,), (9,)])
def test_gradients_of_few_graphs_without_edges_are_finite(sizes: tuple[int, ...]) -> None:
    layout = layout_of(*sizes)
    nodes = torch.eye(4)[:1].repeat(sum(sizes), 1).requires_grad_()
    pairs = torch.eye(4)[:1].repeat(layout.pair_index.size(1), 1).requires_grad_()
    GraphCritic(4, 3)(RelaxedGraphs(nodes, pairs, layout)).sum().backward()
    assert bool(nodes.grad.isfinite().all())
    assert bool(pairs.grad.isfinite().all())


def test_no_graphs() -> None:
    assert make()(random_graphs()).shape == (0,)


def test_dense_weights() -> None:
    layout = layout_of(3, 1, 2)
    pairs = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    dense = dense_weights(pairs, layout)
    assert dense.shape == (3, 2, 3, 3)
    assert dense[0, 0].tolist() == [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    assert torch.equal(dense[1], torch.zeros(2, 3, 3))
    assert dense[2, 1].tolist() == [[0, 40, 0], [40, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("batch_std", [True, False])
def test_reset_reaches_every_parameter(batch_std: bool) -> None:
    critic = make(batch_std=batch_std)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.fill_(7.0)
    critic.reset_parameters()
    for name, parameter in critic.named_parameters():
        assert bool((parameter != 7.0).all()), name


def test_what_does_not_fit_is_refused() -> None:
    for name in ("num_node_types", "num_edge_types", "hidden_channels"):
        arguments = {"num_node_types": 4, "num_edge_types": 3, name: 0}
        with pytest.raises(ValueError, match=rf"'{name}' to be at least 1 \(got 0\)"):
            GraphCritic(**arguments)
    for name in ("num_layers", "num_steps"):
        with pytest.raises(ValueError, match=rf"'{name}' to be at least 0 \(got -2\)"):
            GraphCritic(4, 3, **{name: -2})
    layout = layout_of(2)
    graphs = RelaxedGraphs(torch.rand(2, 5), torch.rand(1, 3), layout)
    with pytest.raises(ValueError, match=r"4 node types and 3 edge types \(got 5 and 2\)"):
        GraphCritic(4, 3)(graphs)


def test_repr() -> None:
    assert repr(GraphCritic(4, 3)) == "GraphCritic(4, 3, num_layers=3, batch_std=True)"
