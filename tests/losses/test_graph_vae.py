"""Every term of the loss against plain numbers, and what the loss must not depend on."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch_geometric.data import Batch, Data

from pyg_topn.losses import GraphVAELoss, aligned_pair_type
from pyg_topn.losses.matching import AtomScoreMatcher, CanonicalMatcher, Matcher, NoneMatcher
from pyg_topn.models import build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.transforms import CanonicalOrder, PermuteNodes
from pyg_topn.utils import Layout

Chem = pytest.importorskip("rdkit.Chem")

CPU = torch.device("cpu")
ORDERS = (1.0, 2.0, 3.0)
TERMS = ["node", "edge", "edge_type", "formula", "edge_count", "edge_type_share", "valency"]
SYMMETRIC = ["CC(C)(C)C", "c1ccccc1", "C1CCCCC1", "FC(F)(F)C(F)(F)F", "C#C", "C", "C1CC2CC1C2"]
OTHERS = ["CCO", "CC#N", "CC(=O)NC", "c1ccncc1", "OCC1CN1", "FC=C(F)C#N", "O=C1C=CC(=O)N1", "CCCCC"]


def molecule(smiles: str) -> Data:
    return MoleculeVocabulary.qm9().from_molecule(Chem.MolFromSmiles(smiles))


def batch_of(*smiles: str) -> Batch:
    return Batch.from_data_list([CanonicalOrder()(molecule(s)) for s in smiles])


def random_distribution(sizes: list[int], dtype: torch.dtype = torch.float32) -> GraphDistribution:
    layout = Layout(torch.tensor(sizes, dtype=torch.int64), CPU)
    num_pairs = layout.pair_index.size(1)
    node_logits = 2 * torch.randn(sum(sizes), 4, dtype=dtype)
    return GraphDistribution(node_logits, 2 * torch.randn(num_pairs, 4, dtype=dtype), layout)


def sizes_of(batch: Batch) -> list[int]:
    sizes: list[int] = batch.ptr.diff().tolist()
    return sizes


def sure_of(target: Batch, perm: Tensor, logit: float = 60.0) -> GraphDistribution:
    """The distribution whose slots are certain to be the nodes `perm` of the target."""
    layout = Layout.from_batch(target)
    blank = GraphDistribution(target.x, torch.zeros(layout.pair_index.size(1), 4), layout)
    pair_type = aligned_pair_type(blank, target, perm)
    return GraphDistribution(logit * target.x[perm], logit * torch.eye(4)[pair_type], layout)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def plain_terms(node: np.ndarray, pairs: np.ndarray, types: list[int], kinds: dict) -> dict:
    """All terms of one graph: logits [n, A], [n (n - 1) / 2, 1 + T]; node types, {(i, j): type}."""
    n, num_types, num_kinds = node.shape[0], node.shape[1], pairs.shape[1] - 1
    terms = dict.fromkeys(TERMS, 0.0)
    formula = np.zeros(num_types)
    for i in range(n):
        p = softmax(node[i])
        terms["node"] -= math.log(p[types[i]])
        formula += p
        formula[types[i]] -= 1
    expected, true = np.zeros(num_kinds), np.zeros(num_kinds)
    valency = np.zeros(n)
    row = 0
    for i in range(n):
        for j in range(i + 1, n):
            p = softmax(pairs[row])
            row += 1
            kind = kinds.get((i, j))
            terms["edge"] -= math.log(p[0] if kind is None else 1 - p[0])
            if kind is not None:
                terms["edge_type"] -= math.log(p[1 + kind] / (1 - p[0]))
                true[kind] += 1
            expected += p[1:]
            error = sum(p[1 + t] * ORDERS[t] for t in range(num_kinds))
            error -= 0 if kind is None else ORDERS[kind]
            valency[[i, j]] += error
    terms["formula"] = float(np.mean(formula**2))
    terms["edge_count"] = float((expected.sum() - true.sum()) / n) ** 2
    share = expected / max(expected.sum(), 1e-6) - true / max(true.sum(), 1e-6)
    terms["edge_type_share"] = float(np.mean(share**2))
    terms["valency"] = float(np.mean(valency**2))
    return terms


def plain_loss(distribution: GraphDistribution, target: Batch) -> dict[str, float]:
    """The mean over graphs, one at a time, slots in the order of the target's nodes."""
    layout = distribution.layout
    node = distribution.node_logits.double().numpy()
    pair = distribution.pair_logits.double().numpy()
    total = dict.fromkeys(TERMS, 0.0)
    sizes = sizes_of(target)
    first_node = first_pair = 0
    for n, data in zip(sizes, target.to_data_list(), strict=True):
        num_pairs = n * (n - 1) // 2
        edges = data.edge_index.t().tolist()
        kinds = dict(zip(map(tuple, edges), data.edge_attr.argmax(dim=1).tolist(), strict=True))
        terms = plain_terms(
            node[first_node : first_node + n],
            pair[first_pair : first_pair + num_pairs],
            data.x.argmax(dim=1).tolist(),
            kinds,
        )
        for term, value in terms.items():
            weight = n / sum(sizes) if term == "valency" else 1 / len(sizes)
            total[term] += weight * value
        first_node, first_pair = first_node + n, first_pair + num_pairs
    assert first_pair == layout.pair_index.size(1)
    return total


def assert_close(terms: dict[str, Tensor], expected: dict[str, float], rel: float = 1e-9) -> None:
    for term, value in expected.items():
        assert float(terms[term]) == pytest.approx(value, rel=rel, abs=1e-9), term


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(0, 10_000))
def test_every_term_against_plain_numbers(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(sizes, torch.float64)
    target = random_distribution(sizes).mode()
    terms = GraphVAELoss(NoneMatcher(), ORDERS)(distribution, target)
    assert list(terms) == [*TERMS, "loss"]
    expected = plain_loss(distribution, target)
    assert_close(terms, expected)
    assert float(terms["loss"]) == pytest.approx(sum(expected.values()))


@pytest.mark.parametrize("matcher", [AtomScoreMatcher(), CanonicalMatcher()])
def test_matched_terms_against_plain_numbers(matcher: Matcher) -> None:
    target = batch_of(*SYMMETRIC, *OTHERS)
    distribution = random_distribution(sizes_of(target), torch.float64)
    perm = matcher(distribution, target)
    # The target with its nodes in the order of the slots, through another way.
    place = perm.argsort()
    aligned = target.clone()
    aligned.x = target.x[perm]
    aligned.edge_index = place[target.edge_index]
    terms = GraphVAELoss(matcher, ORDERS)(distribution, target)
    assert_close(terms, plain_loss(distribution, aligned))


def test_by_hand() -> None:
    """C=O and a prediction that knows nothing, but for the presence of the bond: p = 3/4."""
    layout = Layout(torch.tensor([2]), CPU)
    distribution = GraphDistribution(torch.zeros(2, 4), torch.zeros(1, 4), layout)
    terms = GraphVAELoss(NoneMatcher(), ORDERS)(distribution, batch_of("C=O"))
    expected = {
        "node": 2 * math.log(4),
        "edge": -math.log(3 / 4),
        "edge_type": math.log(3),
        "formula": (0.5**2 * 4) / 4,  # Half a node of each type; true are one C and one O.
        "edge_count": ((3 / 4 - 1) / 2) ** 2,
        "edge_type_share": (2 * (1 / 3) ** 2 + (2 / 3) ** 2) / 3,
        "valency": (6 / 4 - 2) ** 2,
    }
    assert_close(terms, expected, rel=1e-5)


def test_without_edges() -> None:
    terms = GraphVAELoss(CanonicalMatcher(), ORDERS)(
        random_distribution([1, 1], torch.float64), batch_of("C", "O")
    )
    for term in ("edge", "edge_type", "edge_count", "edge_type_share", "valency"):
        assert float(terms[term]) == 0.0
    assert float(terms["node"]) > 0


def test_of_no_graphs_is_zero() -> None:
    distribution = random_distribution([])
    terms = GraphVAELoss(AtomScoreMatcher(), ORDERS)(distribution, distribution.mode())
    assert all(float(value) == 0 for value in terms.values())


def test_terms_add_up_to_the_likelihood() -> None:
    """Cross entropies only: minus the log-probability of the aligned target."""
    target = batch_of("CC#N")
    distribution = random_distribution([3], torch.float64)
    weights = dict.fromkeys(TERMS[3:], 0.0)
    terms = GraphVAELoss(NoneMatcher(), ORDERS, weights)(distribution, target)
    node = distribution.node_logits.log_softmax(-1)[[0, 1, 2], [0, 0, 1]].sum()
    pair = distribution.pair_logits.log_softmax(-1)[[0, 1, 2], [1, 0, 3]].sum()
    assert float(terms["loss"]) == pytest.approx(-float(node + pair))


@pytest.mark.parametrize("matcher", [AtomScoreMatcher(), CanonicalMatcher(), NoneMatcher()])
def test_mixed_sizes_equal_one_by_one(matcher: Matcher) -> None:
    target = batch_of(*SYMMETRIC, *OTHERS, "C", "O")
    sizes = sizes_of(target)
    distribution = random_distribution(sizes, torch.float64)
    loss = GraphVAELoss(matcher, ORDERS)
    together = loss(distribution, target)
    ptr, pair_ptr = distribution.ptr.tolist(), distribution.layout.pair_ptr.tolist()
    mean = dict.fromkeys(TERMS, 0.0)
    for k, data in enumerate(target.to_data_list()):
        alone = GraphDistribution(
            distribution.node_logits[ptr[k] : ptr[k + 1]],
            distribution.pair_logits[pair_ptr[k] : pair_ptr[k + 1]],
            Layout(torch.tensor(sizes[k : k + 1]), CPU),
        )
        terms = loss(alone, Batch.from_data_list([data]))
        for term in TERMS:
            weight = sizes[k] / sum(sizes) if term == "valency" else 1 / len(sizes)
            mean[term] += weight * float(terms[term])
    assert_close(together, mean)


def test_a_perfect_prediction_costs_nothing() -> None:
    target = batch_of(*SYMMETRIC, *OTHERS)
    posterior = DiagonalGaussian(torch.zeros(15, 3), torch.zeros(15, 3))
    distribution = sure_of(target, target.canonical_index)
    terms = GraphVAELoss(CanonicalMatcher(), ORDERS)(distribution, target, posterior)
    assert list(terms) == [*TERMS, "kl", "loss"]
    for term, value in terms.items():
        assert 0 <= float(value) < 1e-6, term


def test_a_perfect_prediction_in_any_order_costs_nothing_without_ties() -> None:
    target = batch_of("CCO", "CC#N", "CC(=O)C#N", "C", "FC=O")
    sizes = sizes_of(target)
    loss = GraphVAELoss(AtomScoreMatcher(), ORDERS)
    for _ in range(5):
        perm = torch.cat(
            [s + torch.randperm(n) for s, n in zip(target.ptr.tolist(), sizes, strict=False)]
        )
        assert float(loss(sure_of(target, perm), target)["loss"]) < 1e-6


def test_counts_do_not_depend_on_the_matching() -> None:
    target = batch_of("CC(=O)NC#N", "OCC1CN1")
    perm = torch.arange(target.num_nodes)
    perm[:6], perm[6:] = perm[:6].flip(0), perm[6:].flip(0)
    terms = GraphVAELoss(NoneMatcher(), ORDERS)(sure_of(target, perm), target)
    assert float(terms["node"]) > 1
    assert float(terms["edge"]) > 1
    for term in ("formula", "edge_count", "edge_type_share"):
        assert float(terms[term]) < 1e-6


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("matcher", [AtomScoreMatcher(), CanonicalMatcher()])
@pytest.mark.parametrize("smiles", [*([s] for s in SYMMETRIC), OTHERS, SYMMETRIC + OTHERS])
def test_does_not_depend_on_the_order_of_the_target(
    smiles: list[str], matcher: Matcher, stored: bool
) -> None:
    graphs = [molecule(s) for s in smiles]
    if stored:
        graphs = [CanonicalOrder()(data) for data in graphs]
    target = Batch.from_data_list(graphs)
    loss, permute = GraphVAELoss(matcher, ORDERS), PermuteNodes(seed=0)
    for _ in range(5):
        distribution = random_distribution(sizes_of(target))
        terms = loss(distribution, target)
        for other in (
            permute(target.clone()),
            Batch.from_data_list([permute(data.clone()) for data in graphs]),
        ):
            permuted = loss(distribution, other)
            for term, value in terms.items():
                assert torch.equal(permuted[term], value), term


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.sampled_from([AtomScoreMatcher(), CanonicalMatcher()]),
    st.integers(0, 10_000),
)
def test_invariant_for_any_graphs(sizes: list[int], matcher: Matcher, seed: int) -> None:
    """Carbons and single bonds only, so that symmetry is the rule."""
    torch.manual_seed(seed)
    drawn = random_distribution(sizes)
    drawn.node_logits[:, 0] += 100
    drawn.pair_logits[:, :2] += 100
    target = drawn.mode()
    distribution, loss = random_distribution(sizes), GraphVAELoss(matcher, ORDERS)
    terms = loss(distribution, target)
    permuted = loss(distribution, PermuteNodes(seed)(target.clone()))
    for term, value in terms.items():
        assert torch.equal(permuted[term], value), term


def test_without_matching_the_order_counts() -> None:
    target = batch_of("CC(=O)NC#N")
    distribution = random_distribution([6])
    loss, permute = GraphVAELoss(NoneMatcher(), ORDERS), PermuteNodes(seed=0)
    values = {float(loss(distribution, permute(target.clone()))["loss"]) for _ in range(5)}
    assert len(values) > 1


def test_the_divergence_from_another_prior() -> None:
    target = batch_of("CCO", "C#C")
    distribution = random_distribution([3, 2])
    posterior = DiagonalGaussian(torch.randn(2, 4), torch.randn(2, 4))
    loss = GraphVAELoss(NoneMatcher(), ORDERS)
    normal = loss(distribution, target, posterior)
    assert torch.equal(normal["kl"], posterior.kl().sum() / 2)
    other = loss(distribution, target, posterior, torch.tensor([3.0, 5.0]))
    assert float(other["kl"]) == 4.0
    difference = float(other["loss"] - normal["loss"])
    assert difference == pytest.approx(4.0 - float(normal["kl"]), abs=1e-4)


def test_weights() -> None:
    target = batch_of("CCO", "C#C")
    distribution = random_distribution([3, 2], torch.float64)
    posterior = DiagonalGaussian(torch.randn(2, 4).double(), torch.randn(2, 4).double())
    weights = {"node": 2.0, "edge": 0.0, "kl": 0.3, "valency": 5.0}
    plain = GraphVAELoss(AtomScoreMatcher(), ORDERS)(distribution, target, posterior)
    weighted = GraphVAELoss(AtomScoreMatcher(), ORDERS, weights)(distribution, target, posterior)
    for term in [*TERMS, "kl"]:
        assert torch.equal(weighted[term], plain[term])
    total = sum(weights.get(term, 1.0) * float(plain[term]) for term in [*TERMS, "kl"])
    assert float(weighted["loss"]) == pytest.approx(total)


def test_weights_are_a_copy() -> None:
    weights = {"kl": 0.3}
    loss = GraphVAELoss(NoneMatcher(), ORDERS, weights)
    weights["kl"] = 1.0
    assert loss.weights == {"kl": 0.3}
    assert repr(loss) == "GraphVAELoss(NoneMatcher(), weights={'kl': 0.3})"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"node": -1.0}, r"weights >= 0 of terms among node, .*, kl \(got -1.0 of 'node'\)"),
        ({"edge": math.nan}, r"got nan of 'edge'"),
        ({"nodes": 1.0}, r"got 1.0 of 'nodes'"),
        ({"loss": 1.0}, r"got 1.0 of 'loss'"),
    ],
)
def test_wrong_weights(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphVAELoss(NoneMatcher(), ORDERS, weights)


@pytest.mark.parametrize("sizes", [[2], [3, 2, 1], [2, 3], [4, 2]])
def test_other_sizes_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        GraphVAELoss(NoneMatcher(), ORDERS)(random_distribution(sizes), batch_of("CCO", "C#C"))


def test_kl_against_torch() -> None:
    target = batch_of("CCO", "C#C", "C")
    mean, log_variance = torch.randn(3, 5).double(), torch.randn(3, 5).double()
    terms = GraphVAELoss(CanonicalMatcher(), ORDERS)(
        random_distribution([3, 2, 1]), target, DiagonalGaussian(mean, log_variance)
    )
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1).mean()
    assert float(terms["kl"]) == pytest.approx(float(expected))


def test_gradients_of_logits_against_differences() -> None:
    target = batch_of("CC#N", "C=O", "C")
    start = random_distribution([3, 2, 1], torch.float64)
    loss = GraphVAELoss(CanonicalMatcher(), ORDERS)

    def value(node_logits: Tensor, pair_logits: Tensor) -> Tensor:
        return loss(GraphDistribution(node_logits, pair_logits, start.layout), target)["loss"]

    logits = (start.node_logits.requires_grad_(), start.pair_logits.requires_grad_())
    assert torch.autograd.gradcheck(value, logits)


@pytest.mark.parametrize("sure", [60.0, 1000.0])
def test_finite_where_the_prediction_is_sure(sure: float) -> None:
    """Probabilities of exactly 0 and 1 in float32, right and wrong."""
    target = batch_of(*OTHERS)
    wrong = torch.cat([torch.arange(int(a), int(b)).flip(0) for a, b in target.ptr.unfold(0, 2, 1)])
    for perm in (target.canonical_index, wrong):
        certain = sure_of(target, perm, sure)
        node_logits = certain.node_logits.requires_grad_()
        pair_logits = certain.pair_logits.requires_grad_()
        distribution = GraphDistribution(node_logits, pair_logits, certain.layout)
        terms = GraphVAELoss(CanonicalMatcher(), ORDERS)(distribution, target)
        terms["loss"].backward()
        assert all(bool(value.isfinite()) for value in terms.values())
        assert bool(node_logits.grad.isfinite().all())
        assert bool(pair_logits.grad.isfinite().all())


@pytest.mark.parametrize("creation", ["top_n", "first_n", "mlp", "iid"])
@pytest.mark.parametrize(
    ("matcher", "readout"), [(AtomScoreMatcher(), "pna"), (CanonicalMatcher(), "canonical")]
)
def test_gradients_reach_every_parameter(creation: str, matcher: Matcher, readout: str) -> None:
    target = batch_of(*SYMMETRIC, *OTHERS)
    vae = small_vae(creation=creation, readout=readout)
    output = vae(target)
    output.z.retain_grad()
    loss = GraphVAELoss(matcher, ORDERS)(output.distribution, target, output.posterior)["loss"]
    loss.backward()
    assert bool(output.z.grad.isfinite().all())
    assert bool((output.z.grad != 0).any(dim=1).all())
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


@pytest.mark.parametrize("smiles", [["C"], ["C", "O"], ["CC"], ["C", "CCO"], ["CCO"]])
@pytest.mark.parametrize("readout", ["pna", "canonical"])
def test_small_batches_train(smiles: list[str], readout: str) -> None:
    target = batch_of(*smiles)
    vae = small_vae(readout=readout)
    output = vae(target)
    matcher: Matcher = CanonicalMatcher() if readout == "canonical" else AtomScoreMatcher()
    loss = GraphVAELoss(matcher, ORDERS)(output.distribution, target, output.posterior)["loss"]
    loss.backward()
    assert bool(loss.isfinite())
    for name, parameter in vae.named_parameters():
        if parameter.grad is not None:
            assert bool(parameter.grad.isfinite().all()), name


def small_vae(**arguments: object) -> torch.nn.Module:
    widths = {"hidden_channels": 16, "pair_channels": 8, "creation_channels": 16}
    depths = {"num_layers": 1, "encoder_layers": 2, "latent_channels": 6, "heads": 2}
    return build_graph_vae(4, ORDERS, [0] + [1] * 9, **{**widths, **depths, **arguments})


def test_the_loss_is_saved_without_surprises() -> None:
    loss = GraphVAELoss(CanonicalMatcher(), ORDERS, {"kl": 0.5})
    target = batch_of("CCO")
    distribution = random_distribution([3])
    assert torch.equal(
        copy.deepcopy(loss)(distribution, target)["loss"], loss(distribution, target)["loss"]
    )
    assert loss.edge_orders.tolist() == [1, 2, 3]


def test_aligned_pair_type() -> None:
    target = batch_of("CC#N")  # Nodes C, C, N
    distribution = random_distribution([3])
    for perm, expected in (([0, 1, 2], [1, 0, 3]), ([2, 1, 0], [3, 0, 1]), ([1, 0, 2], [1, 3, 0])):
        pair_type = aligned_pair_type(distribution, target, torch.tensor(perm))
        assert pair_type.tolist() == expected
