"""Graphs as weights of types, and the lines between them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_topn.transforms import CanonicalOrder, PermuteNodes
from pyg_topn.utils import Layout, RelaxedGraphs, candidate_layout


def graph(node_types: list[int], edges: dict[tuple[int, int], int]) -> Data:
    """A graph of 3 node types and 2 edge types."""
    both = sorted((*pair, t) for (i, j), t in edges.items() for pair in ((i, j), (j, i)))
    rows = torch.tensor(both, dtype=torch.int64).view(-1, 3).t()
    x, attr = torch.eye(3)[node_types], torch.eye(2)[rows[2]]
    return Data(x=x, edge_index=rows[:2], edge_attr=attr)


PATH = graph([0, 2, 1], {(0, 1): 0, (1, 2): 1})
STAR = graph([1, 0, 0, 0], {(0, 1): 1, (0, 2): 0, (0, 3): 0})
DOT = graph([2], {})


def batch_of(*graphs: Data) -> Batch:
    return Batch.from_data_list(list(graphs))


def test_weights_are_one_hot_in_the_order_of_the_batch() -> None:
    graphs = RelaxedGraphs.from_batch(batch_of(PATH, DOT, STAR), canonical=False)
    assert graphs.nodes.argmax(dim=1).tolist() == [0, 2, 1, 2, 1, 0, 0, 0]
    #  01 02 12 of the path, none of the dot, 01 02 03 12 13 23 of the star
    assert graphs.pairs.argmax(dim=1).tolist() == [1, 0, 2, 2, 1, 1, 0, 0, 0]
    assert torch.equal(graphs.pairs.sum(dim=1), torch.ones(9))
    assert graphs.pairs.dtype == graphs.nodes.dtype == torch.float32
    assert graphs.num_graphs == 3
    double = batch_of(PATH)
    double.x = double.x.double()
    assert RelaxedGraphs.from_batch(double).pairs.dtype == torch.float64


@pytest.mark.parametrize("stored", [False, True])
def test_the_canonical_order_does_not_depend_on_that_of_the_batch(stored: bool) -> None:
    batch = batch_of(PATH, STAR, DOT, STAR)
    expected = RelaxedGraphs.from_batch(batch)
    moved = False
    for seed in range(5):
        permuted = PermuteNodes(seed=seed)(batch.clone())
        if stored:
            permuted = batch_of(*map(CanonicalOrder(), permuted.to_data_list()))
        found = RelaxedGraphs.from_batch(permuted)
        assert torch.equal(found.nodes, expected.nodes)
        assert torch.equal(found.pairs, expected.pairs)
        plain = RelaxedGraphs.from_batch(permuted, canonical=False)
        moved = moved or not torch.equal(plain.pairs, expected.pairs)
    assert moved


def test_the_canonical_order_changes_no_graph() -> None:
    """Degrees by type and node, as a multiset."""
    batch = batch_of(STAR, PATH)

    def signature(graphs: RelaxedGraphs) -> list[list[float]]:
        i, j = graphs.layout.pair_index
        degree = torch.zeros(7, 3).index_add(0, i, graphs.pairs).index_add(0, j, graphs.pairs)
        rows = torch.cat([graphs.layout.batch.unsqueeze(1), graphs.nodes, degree], dim=1)
        return sorted(rows.tolist())

    plain = RelaxedGraphs.from_batch(batch, canonical=False)
    assert signature(RelaxedGraphs.from_batch(batch)) == signature(plain)


def test_lines_between_graphs() -> None:
    first = RelaxedGraphs.from_batch(batch_of(PATH, STAR), canonical=False)
    other = RelaxedGraphs(torch.rand(7, 3), torch.rand(9, 3), first.layout)
    middle = first.lerp(other, torch.tensor([0.25, 1.0]))
    expected: Tensor = 0.75 * first.nodes + 0.25 * other.nodes
    torch.testing.assert_close(middle.nodes[:3], expected[:3])
    torch.testing.assert_close(middle.nodes[3:], other.nodes[3:])
    expected = 0.75 * first.pairs + 0.25 * other.pairs
    torch.testing.assert_close(middle.pairs[:3], expected[:3])
    torch.testing.assert_close(middle.pairs[3:], other.pairs[3:])
    start = first.lerp(other, torch.zeros(2))
    assert torch.equal(start.nodes, first.nodes)
    assert torch.equal(start.pairs, first.pairs)


def test_without_gradient() -> None:
    layout = Layout(torch.tensor([2]), torch.device("cpu"))
    nodes, pairs = (torch.rand(n, 3, requires_grad=True) for n in (2, 1))
    graphs = RelaxedGraphs(nodes, pairs, layout)
    assert graphs.nodes.requires_grad
    detached = graphs.detach()
    assert not detached.nodes.requires_grad
    assert not detached.pairs.requires_grad


def test_what_does_not_fit_is_refused() -> None:
    layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
    with pytest.raises(ValueError, match=r"5 rows of nodes and 4 of pairs \(got 4 and 4\)"):
        RelaxedGraphs(torch.rand(4, 3), torch.rand(4, 3), layout)
    with pytest.raises(ValueError, match=r"5 rows of nodes and 4 of pairs \(got 5 and 9\)"):
        RelaxedGraphs(torch.rand(5, 3), torch.rand(9, 3), layout)
    few = candidate_layout(layout, torch.tensor([[0], [1]]))
    with pytest.raises(ValueError, match=r"all pairs \(got one that leaves some out\)"):
        RelaxedGraphs(torch.rand(5, 3), torch.rand(1, 3), few)
    untyped = batch_of(PATH, STAR)
    del untyped.edge_attr
    with pytest.raises(ValueError, match=r"one-hot rows 'edge_attr' \(got None\)"):
        RelaxedGraphs.from_batch(untyped)
    graphs = RelaxedGraphs.from_batch(batch_of(PATH, STAR))
    with pytest.raises(ValueError, match=r"same sizes on both sides \(got \[3, 4\] and \[4, 3\]\)"):
        graphs.lerp(RelaxedGraphs.from_batch(batch_of(STAR, PATH)), torch.rand(2))


def test_no_graphs() -> None:
    layout = Layout(torch.empty(0, dtype=torch.int64), torch.device("cpu"))
    graphs = RelaxedGraphs(torch.empty(0, 3), torch.empty(0, 3), layout)
    assert graphs.lerp(graphs, torch.empty(0)).nodes.shape == (0, 3)
