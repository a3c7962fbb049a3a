"""Candidates and pairs drawn at random against plain counts."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.utils import Layout, candidate_layout, random_pairs

CPU = torch.device("cpu")


def layout_of(sizes: list[int]) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), CPU)


def test_pairs_are_drawn_within_graphs(generator: torch.Generator) -> None:
    layout = layout_of([1, 2, 6, 1])
    (i, j), share = random_pairs(layout, 5, generator)
    assert i.numel() == 5 * 8
    assert torch.equal(layout.batch[i], layout.batch[j])
    assert not (i == j).any()
    expected = torch.tensor([(n - 1) / 10 for n in (2, 6) for _ in range(5 * n)])
    assert torch.equal(share, expected)
    again = random_pairs(layout, 5, torch.Generator().manual_seed(0))[0]
    assert torch.equal(again, torch.stack([i, j]))


def test_the_estimate_is_unbiased(generator: torch.Generator) -> None:
    """Every pair stands for itself on average, with a standard error of 0.01."""
    layout = layout_of([2, 5])
    (i, j), share = random_pairs(layout, 20000, generator)
    counted = torch.zeros(11).index_add_(0, layout.pair_id(i, j), share)
    torch.testing.assert_close(counted, torch.ones(11), rtol=0, atol=0.05)


def test_no_pairs_are_drawn() -> None:
    for sizes, number in (([3], 0), ([1, 1], 4), ([], 4)):
        pairs, share = random_pairs(layout_of(sizes), number)
        assert pairs.shape == (2, 0)
        assert share.shape == (0,)
    with pytest.raises(ValueError, match="'num_per_node' to be at least 0 .got -1"):
        random_pairs(layout_of([3]), -1)


def test_candidates_come_first() -> None:
    layout = layout_of([3, 2])
    candidates = torch.tensor([[4, 1, 0, 1], [3, 0, 1, 0]])
    drawn = torch.tensor([[2, 0, 1, 0], [0, 2, 0, 2]])
    sparse = candidate_layout(layout, candidates, drawn, torch.tensor([0.5, 0.5, 9.0, 2.0]))
    assert sparse.pair_index.tolist() == [[0, 0, 3], [1, 2, 4]]
    assert sparse.sample_weight is not None
    assert sparse.sample_weight.tolist() == [0, 3, 0]
    assert sparse.num_nodes is layout.num_nodes
    plain = candidate_layout(layout, candidates)
    assert plain.pair_index.tolist() == [[0, 3], [1, 4]]
    assert plain.sample_weight is None


def test_no_candidates() -> None:
    empty = torch.empty(2, 0, dtype=torch.int64)
    for sizes in ([3], []):
        assert candidate_layout(layout_of(sizes), empty).pair_index.shape == (2, 0)


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        (torch.tensor([[0], [3]]), "pairs of 3 nodes .got other numbers"),
        (torch.tensor([[-1], [1]]), "pairs of 3 nodes .got other numbers"),
        (torch.tensor([[1], [1]]), "pairs i < j"),
        (torch.tensor([0, 1]), r"'pairs' of shape \[2, C\] .*got shape \[2\]"),
        (torch.tensor([[0.0], [1.0]]), "dtype torch.float32"),
    ],
)
def test_unfit_pairs(pairs: torch.Tensor, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        candidate_layout(layout_of([3]), pairs)
