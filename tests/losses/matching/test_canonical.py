"""Matching by the canonical order of the target."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.losses import aligned_pair_type
from pyg_topn.losses.matching import CanonicalMatcher
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.transforms import CanonicalOrder, PermuteNodes
from pyg_topn.utils import Layout

Chem = pytest.importorskip("rdkit.Chem")

SMILES = ["CCO", "C", "CC(C)(C)C", "c1ccccc1", "C1CCCCC1", "FC(F)(F)C(F)(F)F", "C#C", "CC(=O)NC#N"]


def molecules() -> list[Data]:
    vocabulary = MoleculeVocabulary.qm9()
    return [vocabulary.from_molecule(Chem.MolFromSmiles(smiles)) for smiles in SMILES]


def random_distribution(target: Batch) -> GraphDistribution:
    layout = Layout.from_batch(target)
    num_nodes, num_pairs = layout.batch.numel(), layout.pair_index.size(1)
    return GraphDistribution(torch.randn(num_nodes, 4), torch.randn(num_pairs, 4), layout)


def test_slot_k_is_compared_with_position_k() -> None:
    target = Batch.from_data_list([CanonicalOrder()(data) for data in molecules()])
    perm = CanonicalMatcher()(random_distribution(target), target)
    for start, data in zip(target.ptr.tolist(), target.to_data_list(), strict=False):
        part = perm[start : start + data.num_nodes]
        assert torch.equal(part, start + data.canonical_index)


def test_a_stored_order_is_taken_as_it_is() -> None:
    target = Batch.from_data_list(molecules())
    starts = target.ptr.tolist()
    target.canonical_index = torch.cat(
        [torch.arange(start, end).flip(0) for start, end in pairwise(starts)]
    )
    perm = CanonicalMatcher()(random_distribution(target), target)
    assert torch.equal(perm, target.canonical_index)


def test_computed_equals_stored() -> None:
    target = Batch.from_data_list(molecules())
    stored = Batch.from_data_list([CanonicalOrder()(data) for data in molecules()])
    distribution = random_distribution(target)
    matcher = CanonicalMatcher()
    assert torch.equal(matcher(distribution, target), matcher(distribution, stored))


@pytest.mark.parametrize("stored", [True, False])
def test_the_aligned_target_does_not_depend_on_the_order(stored: bool) -> None:
    graphs = molecules()
    if stored:
        graphs = [CanonicalOrder()(data) for data in graphs]
    target = Batch.from_data_list(graphs)
    distribution, matcher = random_distribution(target), CanonicalMatcher()
    perm = matcher(distribution, target)
    permute = PermuteNodes(seed=0)
    moved = False
    for _ in range(10):
        other = Batch.from_data_list([permute(data.clone()) for data in graphs])
        other_perm = matcher(distribution, other)
        assert torch.equal(other.x[other_perm], target.x[perm])
        pair_type = aligned_pair_type(distribution, other, other_perm)
        assert torch.equal(pair_type, aligned_pair_type(distribution, target, perm))
        moved = moved or not torch.equal(other_perm, perm)
    assert moved


def test_the_prediction_is_not_looked_at() -> None:
    target = Batch.from_data_list(molecules())
    first, second = random_distribution(target), random_distribution(target)
    matcher = CanonicalMatcher()
    assert torch.equal(matcher(first, target), matcher(second, target))


def test_repr() -> None:
    assert repr(CanonicalMatcher()) == "CanonicalMatcher()"
