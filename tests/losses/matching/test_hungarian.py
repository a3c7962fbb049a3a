"""Matching by linear assignment: against brute force, and what it must not depend on."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_topn.losses import GraphVAELoss, aligned_pair_type
from pyg_topn.losses.matching import CanonicalMatcher, HungarianMatcher
from pyg_topn.models import build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.transforms import CanonicalOrder, PermuteNodes
from pyg_topn.utils import Layout

Chem = pytest.importorskip("rdkit.Chem")

CPU = torch.device("cpu")
ORDERS = (1.0, 2.0, 3.0)
CUBANE = "C12C3C4C1C5C2C3C45"
SYMMETRIC = [
    "C1=CC=CC=C1",
    "C1CCCCC1",
    CUBANE,
    "CC(C)(C)C",
    "FC(F)(F)C(F)(F)F",
    "C#C",
    "C1CC2CC1C2",
]
OTHERS = ["CCO", "CC#N", "C", "CC(=O)NC", "c1ccncc1", "OCC1CN1", "FC=C(F)C#N", "O=C1C=CC(=O)N1"]


def molecule(smiles: str) -> Data:
    return MoleculeVocabulary.qm9().from_molecule(Chem.MolFromSmiles(smiles))


def batch_of(*smiles: str) -> Batch:
    return Batch.from_data_list([CanonicalOrder()(molecule(s)) for s in smiles])


def random_distribution(
    sizes: list[int], dtype: torch.dtype = torch.float32, spread: float = 2.0
) -> GraphDistribution:
    layout = Layout(torch.tensor(sizes, dtype=torch.int64), CPU)
    num_pairs = layout.pair_index.size(1)
    node_logits = spread * torch.randn(sum(sizes), 4, dtype=dtype)
    return GraphDistribution(node_logits, spread * torch.randn(num_pairs, 4, dtype=dtype), layout)


def sizes_of(batch: Batch) -> list[int]:
    sizes: list[int] = batch.ptr.diff().tolist()
    return sizes


def sharp(target: Batch, perm: Tensor, logit: float, noise: float = 0.0) -> GraphDistribution:
    """Slots that are the nodes `perm` of the target, but for some noise on the logits."""
    layout = Layout.from_batch(target)
    blank = GraphDistribution(target.x, torch.zeros(layout.pair_index.size(1), 4), layout)
    pairs = torch.eye(4)[aligned_pair_type(blank, target, perm)]
    return GraphDistribution(
        logit * target.x[perm] + noise * torch.randn(target.x.shape),
        logit * pairs + noise * torch.randn(pairs.shape),
        layout,
    )


def shuffled(layout: Layout) -> Tensor:
    """A random permutation within every graph."""
    return (torch.rand(layout.batch.numel()) + 2 * layout.batch).argsort()


def nll(distribution: GraphDistribution, target: Batch, perm: Tensor) -> Tensor:
    """The negative log-likelihood of every aligned graph, [B]."""
    layout = distribution.layout
    node_type = target.x.argmax(dim=1)[perm]
    pair_type = aligned_pair_type(distribution, target, perm)
    nodes = F.cross_entropy(distribution.node_logits.double(), node_type, reduction="none")
    pairs = F.cross_entropy(distribution.pair_logits.double(), pair_type, reduction="none")
    total = nodes.new_zeros(layout.num_graphs).index_add(0, layout.batch, nodes)
    return total.index_add(0, layout.pair_batch, pairs)


def least_nll(distribution: GraphDistribution, target: Batch, size: int) -> Tensor:
    """Over all permutations of graphs of one size, [B]."""
    start = size * torch.arange(distribution.num_graphs).unsqueeze(1)
    return torch.stack(
        [
            nll(distribution, target, (start + torch.tensor(perm)).flatten())
            for perm in itertools.permutations(range(size))
        ]
    ).amin(dim=0)


def test_by_hand() -> None:
    """O=C-N: the prediction is sure of its atoms, in another order."""
    target = batch_of("O=CN")
    node_logits = 9 * torch.eye(4)[[1, 2, 0]]  # N O C
    blank = GraphDistribution(node_logits, torch.zeros(3, 4), Layout(torch.tensor([3]), CPU))
    for num_rounds in (0, 2):
        assert HungarianMatcher(num_rounds)(blank, target).tolist() == [2, 0, 1]


def test_edges_decide_where_nodes_are_alike() -> None:
    """Propane: the slot with two edges is the carbon in the middle."""
    target = batch_of("CCC")
    for middle in range(3):
        layout = Layout(torch.tensor([3]), CPU)
        touches = (layout.pair_index == middle).any(dim=0).long()
        distribution = GraphDistribution(torch.zeros(3, 4), 9 * torch.eye(4)[touches], layout)
        for num_rounds in (0, 2):
            assert int(HungarianMatcher(num_rounds)(distribution, target)[middle]) == 1


def test_walks_decide_where_neighbours_are_alike() -> None:
    """Heptane before any round: every carbon by its distance from the nearer end."""
    target = batch_of("CCCCCCC")
    perm = torch.tensor([1, 4, 2, 6, 0, 3, 5])
    found = HungarianMatcher(num_rounds=0)(sharp(target, perm, 9.0), target)
    assert torch.equal(torch.minimum(found, 6 - found), torch.minimum(perm, 6 - perm))


# Not cubane: its atoms are alike, and exchanges lead to optima that are not the best.
@pytest.mark.parametrize("smiles", [s for s in SYMMETRIC + OTHERS if s != CUBANE])
def test_a_sure_prediction_is_recognised_in_any_order(smiles: str) -> None:
    target = batch_of(smiles)
    loss = GraphVAELoss(HungarianMatcher(), ORDERS)
    for _ in range(10):
        terms = loss(sharp(target, shuffled(Layout.from_batch(target)), 60.0), target)
        assert all(float(value) < 1e-6 for value in terms.values())


# How often the optimum must be found, at three levels of noise on logits that are 4 apart.
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("noise", "often"), [(0.0, 1.0), (1.0, 0.98), (2.0, 0.94)])
def test_against_brute_force(size: int, noise: float, often: float) -> None:
    target = random_distribution([size] * 100).mode()
    distribution = sharp(target, shuffled(Layout.from_batch(target)), 4.0, noise)
    best = least_nll(distribution, target, size)
    found = nll(distribution, target, HungarianMatcher()(distribution, target))
    assert bool((found > best - 1e-4).all())
    assert float((found < best + 1e-4).double().mean()) >= often


def test_against_brute_force_where_nothing_is_sure() -> None:
    target, distribution = random_distribution([5] * 100).mode(), random_distribution([5] * 100)
    best = least_nll(distribution, target, 5)
    found = nll(distribution, target, HungarianMatcher()(distribution, target))
    assert float((found - best).mean()) < 1.0
    canonical = nll(distribution, target, CanonicalMatcher()(distribution, target))
    assert float((canonical - best).mean()) > 5.0


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.sampled_from([0.01, 2.0, 100.0]),
    st.integers(0, 10_000),
)
def test_no_round_is_worse(sizes: list[int], spread: float, seed: int) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(sizes, spread=spread)
    target = random_distribution(sizes).mode()
    slack = 1e-5 * spread * max(sizes) ** 2  # of sums in single precision
    before = nll(distribution, target, CanonicalMatcher()(distribution, target))
    for num_rounds in range(4):
        after = nll(distribution, target, HungarianMatcher(num_rounds)(distribution, target))
        assert bool((after <= before + slack).all())
        before = after


def test_rounds_help() -> None:
    target, distribution = random_distribution([9] * 100).mode(), random_distribution([9] * 100)
    means = [
        float(nll(distribution, target, HungarianMatcher(rounds)(distribution, target)).mean())
        for rounds in range(3)
    ]
    assert means[0] > means[1] + 5
    assert means[1] > means[2] + 0.5


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("num_rounds", [0, 1, 2])
@pytest.mark.parametrize("smiles", [*([s] for s in SYMMETRIC), OTHERS, SYMMETRIC + OTHERS])
def test_does_not_depend_on_the_order_of_the_target(
    smiles: list[str], num_rounds: int, stored: bool
) -> None:
    graphs = [molecule(s) for s in smiles]
    if stored:
        graphs = [CanonicalOrder()(data) for data in graphs]
    target = Batch.from_data_list(graphs)
    loss, permute = GraphVAELoss(HungarianMatcher(num_rounds), ORDERS), PermuteNodes(seed=0)
    layout = Layout.from_batch(target)
    blank = GraphDistribution(
        torch.zeros(target.num_nodes, 4), torch.zeros(layout.pair_index.size(1), 4), layout
    )
    for distribution in (
        random_distribution(sizes_of(target)),
        random_distribution(sizes_of(target), spread=30.0),
        sharp(target, shuffled(layout), 4.0, 1.0),
        blank,
    ):
        terms = loss(distribution, target)
        for other in (
            permute(target.clone()),
            Batch.from_data_list([permute(data.clone()) for data in graphs]),
        ):
            permuted = loss(distribution, other)
            for term, value in terms.items():
                assert torch.equal(permuted[term], value), term


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 10_000))
def test_invariant_for_any_graphs(sizes: list[int], seed: int) -> None:
    """Carbons and single bonds only, so that symmetry is the rule."""
    torch.manual_seed(seed)
    drawn = random_distribution(sizes)
    drawn.node_logits[:, 0] += 100
    drawn.pair_logits[:, :2] += 100
    target = drawn.mode()
    distribution, loss = random_distribution(sizes), GraphVAELoss(HungarianMatcher(), ORDERS)
    terms = loss(distribution, target)
    permuted = loss(distribution, PermuteNodes(seed)(target.clone()))
    for term, value in terms.items():
        assert torch.equal(permuted[term], value), term


def test_a_graph_does_not_depend_on_the_batch() -> None:
    target = random_distribution([7, 1, 9, 4, 9, 2, 6]).mode()
    distribution = random_distribution(sizes_of(target), torch.float64)
    together = HungarianMatcher()(distribution, target)
    first_pair = 0
    for graph, (start, end) in enumerate(itertools.pairwise(target.ptr.tolist())):
        size = end - start
        last_pair = first_pair + size * (size - 1) // 2
        alone = GraphDistribution(
            distribution.node_logits[start:end],
            distribution.pair_logits[first_pair:last_pair],
            Layout(torch.tensor([size]), CPU),
        )
        perm = HungarianMatcher()(alone, Batch.from_data_list([target[graph]]))
        assert torch.equal(together[start:end], start + perm)
        first_pair = last_pair


@pytest.mark.parametrize("sizes", [[], [1], [1, 1], [2, 1, 2], [9, 1, 4]])
@pytest.mark.parametrize("num_rounds", [0, 2])
def test_targets_without_edges(sizes: list[int], num_rounds: int) -> None:
    distribution = random_distribution(sizes)
    drawn = random_distribution(sizes)
    drawn.pair_logits[:, 0] += 100
    target = drawn.mode()
    assert target.num_edges == 0
    perm = HungarianMatcher(num_rounds)(distribution, target)
    assert perm.dtype == torch.int64
    assert torch.equal(perm.sort().values, torch.arange(sum(sizes)))
    assert torch.equal(target.batch[perm], target.batch)


def test_equal_predictions_in_half_precision() -> None:
    target = batch_of(*SYMMETRIC, *OTHERS)
    exact = random_distribution(sizes_of(target), torch.bfloat16)
    layout = exact.layout
    single = GraphDistribution(exact.node_logits.float(), exact.pair_logits.float(), layout)
    expected = HungarianMatcher()(single, target)
    assert torch.equal(HungarianMatcher()(exact, target), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(HungarianMatcher()(single, target), expected)


def test_impossible_types_are_avoided() -> None:
    """Carbon alone is possible at the first slot, oxygen at the second, and no bond at all."""
    target = batch_of("CO")
    node_logits = torch.full((2, 4), -math.inf)
    node_logits[0, 2] = node_logits[1, 0] = 0.0
    pair_logits = torch.tensor([[0.0, -math.inf, -math.inf, -math.inf]])
    distribution = GraphDistribution(node_logits, pair_logits, Layout(torch.tensor([2]), CPU))
    assert HungarianMatcher()(distribution, target).tolist() == [1, 0]


def test_predictions_that_are_no_numbers_are_refused() -> None:
    distribution = random_distribution([3])
    distribution.node_logits[1, 2] = math.nan
    with pytest.raises(ValueError, match="Expected finite costs"):
        HungarianMatcher()(distribution, batch_of("CCO"))


def test_gradients_reach_the_model() -> None:
    target = batch_of(*SYMMETRIC, *OTHERS)
    widths = {"hidden_channels": 16, "pair_channels": 8, "creation_channels": 16, "heads": 2}
    depths = {"num_layers": 1, "encoder_layers": 2, "latent_channels": 6}
    vae = build_graph_vae(4, ORDERS, [0] + [1] * 9, readout="pna", **widths, **depths)
    output = vae(target)
    loss = GraphVAELoss(HungarianMatcher(), ORDERS)
    loss(output.distribution, target, output.posterior)["loss"].backward()
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


def test_a_negative_number_of_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'num_rounds' to be at least 0 \(got -1\)"):
        HungarianMatcher(num_rounds=-1)


def test_repr() -> None:
    assert repr(HungarianMatcher()) == "HungarianMatcher(num_rounds=2)"
    assert repr(HungarianMatcher(0)) == "HungarianMatcher(num_rounds=0)"
