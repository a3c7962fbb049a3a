"""The contract of every matcher."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses.matching import (
    AtomScoreMatcher,
    CanonicalMatcher,
    HungarianMatcher,
    Matcher,
    NoneMatcher,
)
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.utils import Layout

MATCHERS = [AtomScoreMatcher(), CanonicalMatcher(), HungarianMatcher(), NoneMatcher()]


class Reverse(Matcher):
    """Slot 0 is compared with the last node of the batch: for graphs of one size only."""

    def match(self, distribution: GraphDistribution, target: Batch) -> Tensor:
        self.had_grad = torch.is_grad_enabled()
        return torch.arange(target.x.size(0)).flip(0)


def random_distribution(sizes: list[int]) -> GraphDistribution:
    layout = Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))
    num_nodes, num_pairs = sum(sizes), sum(n * (n - 1) // 2 for n in sizes)
    node_logits = torch.randn(num_nodes, 4, requires_grad=True)
    pair_logits = torch.randn(num_pairs, 4, requires_grad=True)
    return GraphDistribution(node_logits, pair_logits, layout)


def random_target(sizes: list[int]) -> Batch:
    return random_distribution(sizes).mode()


def test_the_contract_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Matcher()  # type: ignore[abstract]


def test_a_variant_implements_match() -> None:
    matcher = Reverse()
    assert matcher(random_distribution([2, 2]), random_target([2, 2])).tolist() == [3, 2, 1, 0]
    assert not matcher.had_grad
    assert repr(matcher) == "Reverse()"


@pytest.mark.parametrize("matcher", MATCHERS)
@pytest.mark.parametrize("sizes", [[], [1], [1, 1, 1], [9], [3, 1, 9, 2, 9]])
def test_every_slot_gets_a_node_of_its_own_graph(matcher: Matcher, sizes: list[int]) -> None:
    target = random_target(sizes)
    perm = matcher(random_distribution(sizes), target)
    assert perm.dtype == torch.int64
    assert torch.equal(perm.sort().values, torch.arange(sum(sizes)))
    assert torch.equal(target.batch[perm], target.batch)


@pytest.mark.parametrize("matcher", MATCHERS)
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([3, 4, 1], r"target of 2 graphs and 7 nodes \(got 3 graphs and 8 nodes\)"),
        ([7], r"target of 2 graphs and 7 nodes \(got 1 graphs and 7 nodes\)"),
        ([3, 5], r"target of 2 graphs and 7 nodes \(got 2 graphs and 8 nodes\)"),
        ([4, 3], "the same sizes"),
    ],
)
def test_other_sizes_are_refused(matcher: Matcher, sizes: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matcher(random_distribution([3, 4]), random_target(sizes))
