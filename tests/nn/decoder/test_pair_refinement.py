"""Rounds between nodes and pairs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pyg_topn.nn.decoder import PairRefinement
from pyg_topn.utils import Layout

ORDERS = torch.tensor([1.0, 2.0, 3.0])
SIZES = [3, 1, 4, 2]


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def by_hand(layer: PairRefinement, x: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    """One round of one graph, with every pair at [i, j] and [j, i]."""
    n = x.size(0)
    full = torch.zeros(n, n, e.size(1), dtype=e.dtype)
    i, j = torch.triu_indices(n, n, offset=1)
    full[i, j] = full[j, i] = layer.pair_norm(e)
    rows = []
    for node in range(n):
        others = [k for k in range(n) if k != node]
        message = full[node, others].mean(dim=0) if others else full[0, 0]
        share = layer.pair_type_lin(full[node, others]).softmax(dim=1)[:, 1:]
        valency = (share * layer.edge_orders).sum()[None]
        normed = layer.node_norm(x[node])
        node_type = layer.node_type_lin(normed).softmax(dim=0)
        rows.append(torch.cat([normed, message, node_type, valency]))
    x = x + layer.node_mlp(torch.stack(rows))
    sums = layer.to_pair(x)[i] + layer.to_pair(x)[j]
    return x, e + layer.pair_out(torch.relu(layer.pair_in(layer.pair_norm(e)) + sums))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_one_round_by_hand(n: int) -> None:
    layer = PairRefinement(5, 6, num_node_types=4, edge_orders=ORDERS).double()
    layout = layout_of([n])
    x, e = torch.randn(n, 5).double(), torch.randn(n * (n - 1) // 2, 6).double()
    for mine, expected in zip(layer(x, e, layout), by_hand(layer, x, e), strict=True):
        torch.testing.assert_close(mine, expected)


def test_a_batch_is_its_graphs_one_by_one() -> None:
    layer = PairRefinement(5, 6, num_node_types=4, edge_orders=ORDERS)
    x, e = torch.randn(10, 5), torch.randn(10, 6)
    pairs = [3, 0, 6, 1]
    parts = zip(x.split(SIZES), e.split(pairs), SIZES, strict=True)
    alone = [layer(a, b, layout_of([n])) for a, b, n in parts]
    together = layer(x, e, layout_of(SIZES))
    torch.testing.assert_close(together[0], torch.cat([a for a, _ in alone]))
    torch.testing.assert_close(together[1], torch.cat([b for _, b in alone]))


def test_permutation_equivariant() -> None:
    layer = PairRefinement(5, 6, num_node_types=4, edge_orders=ORDERS)
    layout, perm = layout_of([4]), torch.tensor([2, 0, 3, 1])
    i, j = layout.pair_index
    pair_perm = layout.pair_id(perm[i], perm[j])
    x, e = torch.randn(4, 5), torch.randn(6, 6)
    before = layer(x, e, layout)
    after = layer(x[perm], e[pair_perm], layout)
    torch.testing.assert_close(after[0], before[0][perm])
    torch.testing.assert_close(after[1], before[1][pair_perm])


def test_gradients_and_reset() -> None:
    layer = PairRefinement(5, 6, num_node_types=4, edge_orders=ORDERS)
    x, e, layout = torch.randn(10, 5), torch.randn(10, 6), layout_of(SIZES)
    before = layer(x, e, layout)
    sum(value.square().sum() for value in before).backward()
    for name, leaf in layer.named_parameters():
        assert leaf.grad is not None, name
        assert leaf.grad.ne(0).any(), name
    assert "edge_orders" not in layer.state_dict()
    layer.reset_parameters()
    assert not torch.equal(layer(x, e, layout)[0], before[0])
