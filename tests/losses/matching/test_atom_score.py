"""The score of the paper, as printed, and the matching by it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_topn.losses import aligned_pair_type
from pyg_topn.losses.matching import AtomScoreMatcher, atom_score
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.transforms import CanonicalOrder, PermuteNodes
from pyg_topn.utils import Layout

Chem = pytest.importorskip("rdkit.Chem")

CPU = torch.device("cpu")
SYMMETRIC = ["CC(C)(C)C", "c1ccccc1", "C1CCCCC1", "FC(F)(F)C(F)(F)F", "C#C", "C", "CC", "C1CC1"]


def molecule(smiles: str) -> Data:
    return MoleculeVocabulary.qm9().from_molecule(Chem.MolFromSmiles(smiles))


def score(data: Data) -> list[int]:
    types, kinds = data.x.argmax(dim=-1), data.edge_attr.argmax(dim=-1)
    values: list[int] = atom_score(types, data.edge_index, kinds).tolist()
    return values


def plain_score(data: Data) -> list[int]:
    """The printed formula, an atom at a time."""
    atom_type = [row.index(1.0) + 1 for row in data.x.tolist()]
    edges = zip(data.edge_index.t().tolist(), data.edge_attr.tolist(), strict=True)
    neighbours: list[list[tuple[int, int]]] = [[] for _ in atom_type]
    for (i, j), row in edges:
        neighbours[i].append((j, row.index(1.0) + 1))
    return [
        10**5 * atom_type[i]
        + 10**4 * len(neighbours[i])
        + sum(kind * atom_type[j] for j, kind in neighbours[i])
        for i in range(len(atom_type))
    ]


def random_graphs(sizes: list[int]) -> GraphDistribution:
    layout = Layout(torch.tensor(sizes), CPU)
    pair_logits = torch.randn(layout.pair_index.size(1), 4)
    pair_logits[:, 0] += 1
    return GraphDistribution(torch.randn(sum(sizes), 4), pair_logits, layout)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("C", [100_000]),
        ("F", [400_000]),
        # C: 1 carbon, 1 edge, 1 * C. C: 2 edges, 1 * C + 1 * O. O: 1 edge, 1 * C.
        ("CCO", [110_001, 120_001 + 3, 310_001]),
        # The carbon in the middle: 2 edges, 1 * C + 3 * N.
        ("CC#N", [110_001, 120_001 + 3 * 2, 210_003]),
        ("CC=O", [110_001, 120_001 + 2 * 3, 310_002]),
        ("FC#N", [410_001, 120_004 + 3 * 2, 210_003]),
        ("C#C", [110_003, 110_003]),
        ("c1ccccc1", [120_003] * 6),
        ("C1CCCCC1", [120_002] * 6),
        ("CC(C)(C)C", [110_001, 140_004, 110_001, 110_001, 110_001]),
        ("FC(F)(F)C(F)(F)F", [410_001, 140_013, 410_001, 410_001, 140_013] + [410_001] * 3),
    ],
)
def test_by_hand(smiles: str, expected: list[int]) -> None:
    data = molecule(smiles)
    assert score(data) == expected
    assert plain_score(data) == expected


@given(st.lists(st.integers(1, 10), min_size=1, max_size=6), st.integers(0, 10_000))
def test_random_graphs(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    batch = random_graphs(sizes).mode()
    expected = [value for data in batch.to_data_list() for value in plain_score(data)]
    assert score(batch) == expected


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 10_000))
def test_both_sides_are_sorted_by_the_score(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    prediction, target = random_graphs(sizes), random_graphs(sizes).mode()
    perm = AtomScoreMatcher()(prediction, target).tolist()
    start = 0
    for predicted, data in zip(
        prediction.mode().to_data_list(), target.to_data_list(), strict=True
    ):
        place = CanonicalOrder()(data).canonical_index.argsort().tolist()
        of_slot, of_node = plain_score(predicted), plain_score(data)
        slots = sorted(range(len(place)), key=lambda k: (of_slot[k], k))
        nodes = sorted(range(len(place)), key=lambda k: (of_node[k], place[k]))
        for slot, node in zip(slots, nodes, strict=True):
            assert perm[start + slot] == start + node
        start += len(place)


def test_a_molecule_without_ties_meets_itself_in_any_order() -> None:
    permute = PermuteNodes(seed=0)
    target = Batch.from_data_list([molecule(smiles) for smiles in ("CCO", "CC#N", "CC(=O)C#N")])
    layout = Layout.from_batch(target)
    for _ in range(10):
        copy = permute(target.clone())
        pair_type = aligned_pair_type(
            GraphDistribution(copy.x, torch.zeros(layout.pair_index.size(1), 4), layout),
            copy,
            torch.arange(copy.num_nodes),
        )
        prediction = GraphDistribution(copy.x, torch.eye(4)[pair_type], layout)
        perm = AtomScoreMatcher()(prediction, target)
        assert torch.equal(target.x[perm], copy.x)
        assert torch.equal(aligned_pair_type(prediction, target, perm), pair_type)


@pytest.mark.parametrize("stored", [True, False])
def test_ties_do_not_depend_on_the_order_of_the_target(stored: bool) -> None:
    graphs = [molecule(smiles) for smiles in (*SYMMETRIC, "CCCCO", "CC(C)CN", "C1CC2CC1C2")]
    if stored:
        graphs = [CanonicalOrder()(data) for data in graphs]
    target = Batch.from_data_list(graphs)
    prediction = random_graphs(target.ptr.diff().tolist())
    matcher, permute = AtomScoreMatcher(), PermuteNodes(seed=1)
    perm = matcher(prediction, target)
    for _ in range(10):
        other = Batch.from_data_list([permute(data.clone()) for data in graphs])
        other_perm = matcher(prediction, other)
        assert torch.equal(other.x[other_perm], target.x[perm])
        pair_type = aligned_pair_type(prediction, other, other_perm)
        assert torch.equal(pair_type, aligned_pair_type(prediction, target, perm))


def test_equal_slots_keep_their_order() -> None:
    layout = Layout(torch.tensor([6]), CPU)
    blank = GraphDistribution(torch.zeros(6, 4), torch.zeros(15, 4), layout)
    target = Batch.from_data_list([CanonicalOrder()(molecule("C1CCCCC1"))])
    assert torch.equal(AtomScoreMatcher()(blank, target), target.canonical_index)


def test_repr() -> None:
    assert repr(AtomScoreMatcher()) == "AtomScoreMatcher()"
