"""Every index of a restricted layout against plain loops."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.utils import Layout, SparseLayout
from pyg_topn.utils.pairs import add_pair_sum_, message_sum, node_sum, pair_sum

CPU = torch.device("cpu")
SIZES = [[3, 1, 4, 2], [1], [1, 1], [4, 4], []]


def restricted(sizes: list[int], share: float = 0.5, weighted: bool = False) -> SparseLayout:
    """Some of all pairs."""
    full = Layout(torch.tensor(sizes, dtype=torch.int64), CPU)
    kept = torch.rand(full.pair_index.size(1)) < share
    weight = 2.0 * (torch.rand(int(kept.sum())) < 0.5) if weighted else None
    return SparseLayout(full.num_nodes, CPU, full.pair_index[:, kept], weight)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_indices(sizes: list[int], share: float) -> None:
    layout = restricted(sizes, share)
    pairs = layout.pair_index.t().tolist()
    graph = [g for g, n in enumerate(sizes) for _ in range(n)]
    of_pair = [graph[i] for i, _ in pairs]
    assert layout.is_restricted
    assert layout.sample_weight is None
    assert layout.pair_batch.tolist() == of_pair
    assert layout.pair_ptr.tolist() == [
        sum(g < end for g in of_pair) for end in range(len(sizes) + 1)
    ]
    degree = [sum(node in pair for pair in pairs) for node in range(sum(sizes))]
    assert layout.degree.tolist() == layout.num_partners.tolist() == degree
    nodes, transposed = layout.incidence
    expected = torch.zeros(sum(sizes), len(pairs))
    for column, (i, j) in enumerate(pairs):
        expected[i, column] = expected[j, column] = 1
    assert torch.equal(nodes.to_dense(), expected)
    assert torch.equal(transposed.to_dense(), expected.t())


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_pair_id_finds_pairs_and_says_what_is_left_out(sizes: list[int], share: float) -> None:
    layout = restricted(sizes, share)
    pairs = [tuple(pair) for pair in layout.pair_index.t().tolist()]
    i, j = Layout(layout.num_nodes, CPU).pair_index
    asked = list(zip(i.tolist(), j.tolist(), strict=True))
    expected = [pairs.index(pair) if pair in pairs else -1 for pair in asked]
    assert layout.pair_id(i, j).tolist() == expected
    assert layout.pair_id(j, i).tolist() == expected


@pytest.mark.parametrize("sizes", SIZES)
def test_with_all_pairs_it_is_the_layout(sizes: list[int]) -> None:
    full = Layout(torch.tensor(sizes, dtype=torch.int64), CPU)
    sparse = SparseLayout(full.num_nodes, CPU, full.pair_index)
    assert not full.is_restricted
    for name in ("pair_index", "pair_ptr", "pair_batch", "degree", "num_partners", "batch", "ptr"):
        assert torch.equal(getattr(sparse, name), getattr(full, name)), name
    for mine, other in zip(sparse.incidence, full.incidence, strict=True):
        assert torch.equal(mine.to_dense(), other.to_dense())


def test_sums_between_nodes_and_pairs() -> None:
    layout = restricted([3, 1, 5, 2], 0.6, weighted=True)
    assert layout.weight is not None
    assert 0 < int((layout.weight > 0).sum()) < layout.weight.numel()
    x, e = torch.randn(11, 2), torch.randn(layout.pair_index.size(1), 2)
    i, j = layout.pair_index
    torch.testing.assert_close(pair_sum(x, layout), x[i] + x[j])
    torch.testing.assert_close(add_pair_sum_(e.clone(), x, layout), e + x[i] + x[j])
    of_all, of_candidates = torch.zeros(11, 2), torch.zeros(11, 2)
    partners = [0] * 11
    for row, pair in enumerate(layout.pair_index.t().tolist()):
        for node in pair:
            of_all[node] += e[row]
            if layout.weight[row] == 0:
                of_candidates[node] += e[row]
                partners[node] += 1
    torch.testing.assert_close(node_sum(e, layout), of_all)
    torch.testing.assert_close(message_sum(e, layout), of_candidates)
    assert layout.num_partners.tolist() == partners
    assert layout.sample_weight is layout.weight


def test_to_a_device() -> None:
    layout = restricted([3, 2], 1.0, weighted=True)
    moved = layout.to(torch.device("meta"))
    assert moved.pair_index.device == moved.device == torch.device("meta")
    assert moved.sample_weight is not None
    assert moved.sample_weight.is_meta
    same = layout.to(CPU)
    assert torch.equal(same.pair_index, layout.pair_index)
    assert same.sample_weight is not None
    assert torch.equal(same.sample_weight, layout.weight)
    assert Layout(torch.tensor([2]), CPU).to(torch.device("meta")).device.type == "meta"


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        (torch.zeros(2, 1), r"dtype torch.int64 .got shape \[2, 1\] and dtype torch.float32"),
        (torch.zeros(3, 1, dtype=torch.int64), r"got shape \[3, 1\]"),
        (torch.tensor([[1], [0]]), "pairs i < j of 5 nodes"),
        (torch.tensor([[0], [5]]), "pairs i < j of 5 nodes"),
        (torch.tensor([[-1], [2]]), "pairs i < j of 5 nodes"),
        (torch.tensor([[0], [3]]), "within graphs"),
        (torch.tensor([[0, 0], [2, 1]]), "sorted by i, then by j"),
        (torch.tensor([[0, 0], [1, 1]]), "each once"),
    ],
)
def test_unfit_pairs(pairs: torch.Tensor, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SparseLayout(torch.tensor([3, 2]), CPU, pairs)


def test_unfit_weight() -> None:
    with pytest.raises(ValueError, match=r"'weight' of shape \[1\] .got \[2\]"):
        SparseLayout(torch.tensor([3]), CPU, torch.tensor([[0], [1]]), torch.zeros(2))
