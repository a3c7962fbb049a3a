"""Modes and draws of a distribution over graphs, in the format of the datasets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import coalesce

from pyg_topn.nn.decoder import GraphDistribution, expected_valency
from pyg_topn.utils import Layout

SIZES = [3, 1, 2]
NODE_TYPE = torch.tensor([0, 2, 1, 3, 1, 0])
PAIR_TYPE = torch.tensor([1, 0, 3, 2])  # 0-1 single, none, 1-2 triple; 0-1 double


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def sure(value: float = 50.0) -> GraphDistribution:
    """All but certain of the graphs above."""
    return GraphDistribution(
        value * torch.eye(4)[NODE_TYPE], value * torch.eye(4)[PAIR_TYPE], layout_of(SIZES)
    )


def expected_batch() -> Batch:
    x, bond = torch.eye(4)[NODE_TYPE], torch.eye(3)
    path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    none = torch.empty(2, 0, dtype=torch.int64)
    edge = torch.tensor([[0, 1], [1, 0]])
    return Batch.from_data_list(
        [
            Data(x=x[:3], edge_index=path, edge_attr=bond[[0, 0, 2, 2]]),
            Data(x=x[3:4], edge_index=none, edge_attr=bond[:0]),
            Data(x=x[4:], edge_index=edge, edge_attr=bond[[1, 1]]),
        ]
    )


def assert_same_batch(ours: Batch, theirs: Batch) -> None:
    assert set(ours.keys()) == set(theirs.keys())
    for key, value in theirs.to_dict().items():
        assert ours[key].dtype == value.dtype, key
        assert torch.equal(ours[key], value), key
    for mine, other in zip(ours.to_data_list(), theirs.to_data_list(), strict=True):
        for key, value in other.to_dict().items():
            assert torch.equal(mine[key], value), key


def test_mode_and_draws_are_exact(generator: torch.Generator) -> None:
    assert_same_batch(sure().mode(), expected_batch())
    assert_same_batch(sure().sample(generator), expected_batch())
    assert_same_batch(sure(5.0).sample(generator, temperature=0.05), expected_batch())
    assert_same_batch(sure().to("cpu").mode(), expected_batch())


def test_chosen_types() -> None:
    uniform = GraphDistribution(torch.zeros(6, 4), torch.zeros(4, 4), layout_of(SIZES))
    assert_same_batch(uniform.to_batch(NODE_TYPE, PAIR_TYPE), expected_batch())
    with pytest.raises(ValueError, match="6 rows of node types and 4 of pair types .got 6 and 3"):
        uniform.to_batch(NODE_TYPE, PAIR_TYPE[1:])
    with pytest.raises(ValueError, match="6 rows of node types and 4 of pair types .got 5 and 4"):
        uniform.to_batch(NODE_TYPE[1:], PAIR_TYPE)


def test_views() -> None:
    distribution = sure()
    assert distribution.num_graphs == 3
    assert distribution.ptr.tolist() == [0, 3, 4, 6]
    assert distribution.batch.tolist() == [0, 0, 0, 1, 2, 2]
    assert distribution.pair_index.tolist() == [[0, 0, 1, 4], [1, 2, 2, 5]]


@pytest.mark.parametrize("sizes", [[4, 1, 6, 2], [1, 1], [9], []])
def test_format_of_the_datasets(sizes: list[int]) -> None:
    layout = layout_of(sizes)
    num_pairs = layout.pair_index.size(1)
    distribution = GraphDistribution(torch.randn(sum(sizes), 4), torch.randn(num_pairs, 4), layout)
    for batch in (distribution.mode(), distribution.sample()):
        assert batch.num_graphs == len(sizes)
        assert batch.x.shape == (sum(sizes), 4)
        assert batch.edge_attr.shape == (batch.edge_index.size(1), 3)
        assert batch.x.sum(dim=1).eq(1).all()
        assert batch.edge_attr.sum(dim=1).eq(1).all()
        assert (batch.x.dtype, batch.edge_index.dtype) == (torch.float32, torch.int64)
        assert torch.equal(coalesce(batch.edge_index), batch.edge_index)
        if sizes:
            assert batch.is_undirected()
            assert not batch.has_self_loops()
        _, attr = coalesce(batch.edge_index.flip(0), batch.edge_attr)
        assert torch.equal(attr, batch.edge_attr)
        graph = batch.batch[batch.edge_index]
        assert torch.equal(graph[0], graph[1])


def test_draws_follow_the_logits(generator: torch.Generator) -> None:
    num, node, pair = 20_000, torch.randn(4), torch.randn(4)
    layout = layout_of([2] * num)
    distribution = GraphDistribution(node.expand(2 * num, 4), pair.expand(num, 4), layout)
    batch = distribution.sample(generator, temperature=2.0)
    torch.testing.assert_close(batch.x.mean(dim=0), (node / 2).softmax(0), rtol=0, atol=0.02)
    share = batch.edge_attr.sum(dim=0) / (2 * num)
    torch.testing.assert_close(share, (pair / 2).softmax(0)[1:], rtol=0, atol=0.02)


def test_draws_are_seeded() -> None:
    layout = layout_of([9] * 4)
    distribution = GraphDistribution(torch.zeros(36, 4), torch.zeros(144, 4), layout)
    draws = [distribution.sample(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert_same_batch(draws[0], draws[1])
    assert not torch.equal(draws[0].x, draws[2].x)


def test_expected_valency() -> None:
    orders = torch.tensor([1.0, 2.0, 3.0])
    valency = sure().expected_valency(orders)
    torch.testing.assert_close(valency, torch.tensor([1.0, 4.0, 3.0, 0.0, 2.0, 2.0]))
    layout, logits = layout_of(SIZES), torch.randn(4, 4)
    expected: list[Tensor] = [torch.tensor(0.0)] * 6
    for row, (i, j) in zip(logits.softmax(1), layout.pair_index.t().tolist(), strict=True):
        order = (row[1:] * orders).sum()
        expected[i], expected[j] = expected[i] + order, expected[j] + order
    torch.testing.assert_close(expected_valency(logits, orders, layout), torch.stack(expected))


def test_unfit_input() -> None:
    match = "Expected 6 rows of node logits and 4 of pair logits .got 6 and 3"
    with pytest.raises(ValueError, match=match):
        GraphDistribution(torch.zeros(6, 4), torch.zeros(3, 4), layout_of(SIZES))
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="'temperature' to be positive"):
            sure().sample(temperature=temperature)
