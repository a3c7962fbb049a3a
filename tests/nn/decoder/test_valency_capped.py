"""Valency-aware modes against a plain loop over graphs, and numbers by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import coalesce, scatter

from pyg_topn.nn.decoder import GraphDistribution, valency_capped_mode
from pyg_topn.utils import Layout

VALENCIES, ORDERS = (4.0, 3.0, 2.0, 1.0), (1.0, 2.0, 3.0)
CARBON, NITROGEN, OXYGEN, FLUORINE = range(4)
NONE, SINGLE, DOUBLE, TRIPLE = range(4)
SIZES = st.lists(st.integers(1, 9), max_size=6)
SEEDS = st.integers(0, 10_000)
Bonds = dict[tuple[int, int], int]


def layout_of(*sizes: int) -> Layout:
    return Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))


def random_distribution(*sizes: int, edges: float = 0.0) -> GraphDistribution:
    """Random logits; the lower :obj:`edges`, the fewer edges are likely."""
    layout = layout_of(*sizes)
    pair_logits = 2 * torch.randn(layout.pair_index.size(1), 4, dtype=torch.float64)
    pair_logits[:, 0] -= edges
    node_logits = torch.randn(sum(sizes), 4, dtype=torch.float64)
    return GraphDistribution(node_logits, pair_logits, layout)


def by_hand(types: list[int], logits: dict[tuple[int, int], list[float]]) -> GraphDistribution:
    """One graph: node types, and the logits of some pairs i < j; other pairs have no edge."""
    layout = layout_of(len(types))
    rows = [logits.get((i, j), [9.0, 0, 0, 0]) for i, j in layout.pair_index.t().tolist()]
    return GraphDistribution(torch.eye(4)[types], torch.tensor(rows).view(-1, 4), layout)


def capped(distribution: GraphDistribution, connect: bool = False) -> Batch:
    return valency_capped_mode(distribution, VALENCIES, ORDERS, connect=connect)


def bonds_of(data: Data) -> Bonds:
    kinds = (data.edge_attr.argmax(dim=-1) + 1).tolist()
    edges = zip(data.edge_index.t().tolist(), kinds, strict=True)
    return {(i, j): kind for (i, j), kind in edges if i < j}


def valency_of(batch: Data) -> Tensor:
    order = torch.tensor(ORDERS)[batch.edge_attr.argmax(dim=-1)]
    return scatter(order, batch.edge_index[0], dim_size=batch.num_nodes)


def limit_of(batch: Data) -> Tensor:
    return torch.tensor(VALENCIES)[batch.x.argmax(dim=-1)]


def pieces_of(size: int, bonds: Bonds) -> list[set[int]]:
    graph = nx.empty_graph(size)
    graph.add_edges_from(bonds)
    return list(nx.connected_components(graph))


def assert_same_graph(ours: Data, theirs: Data) -> None:
    assert set(ours.keys()) == set(theirs.keys())
    for key, value in theirs.to_dict().items():
        assert ours[key].dtype == value.dtype, key
        assert torch.equal(ours[key], value), key


def plain_graphs(distribution: GraphDistribution, connect: bool) -> list[tuple[list[int], Bonds]]:
    """Types and bonds of every graph: a loop over graphs, pairs and classes."""
    nodes, pairs = distribution.node_logits.tolist(), distribution.pair_logits.tolist()
    index, graphs = distribution.pair_index.t().tolist(), []
    for first, last in pairwise(distribution.ptr.tolist()):
        types = [row.index(max(row)) for row in nodes[first:last]]
        rows = {
            (i - first, j - first): row
            for (i, j), row in zip(index, pairs, strict=True)
            if first <= i < last
        }
        bonds = plain_cap(types, rows)
        graphs.append((types, plain_join(types, rows, bonds) if connect else bonds))
    return graphs


def plain_room(types: list[int], bonds: Bonds, pair: tuple[int, int]) -> float:
    def left(node: int) -> float:
        used = sum(ORDERS[kind - 1] for ends, kind in bonds.items() if node in ends)
        return VALENCIES[types[node]] - used

    return min(left(pair[0]), left(pair[1]))


def plain_cap(types: list[int], rows: dict[tuple[int, int], list[float]]) -> Bonds:
    def certainty(pair: tuple[int, int]) -> float:
        none, *edge = rows[pair]
        return sum(math.exp(logit) for logit in edge) / math.exp(none)

    bonds: Bonds = {}
    for pair in sorted(rows, key=certainty, reverse=True):
        row = rows[pair]
        if row.index(max(row)) == NONE:
            continue
        room = plain_room(types, bonds, pair)
        fitting = [NONE, *(kind for kind in (1, 2, 3) if ORDERS[kind - 1] <= room)]
        kind = max(fitting, key=lambda k: row[k])
        if kind != NONE:
            bonds[pair] = kind
    return bonds


def plain_join(types: list[int], rows: dict[tuple[int, int], list[float]], bonds: Bonds) -> Bonds:
    bonds = dict(bonds)
    while True:
        graph = nx.empty_graph(len(types))
        graph.add_edges_from(bonds)
        options = [
            (row[kind] - row[NONE], pair, kind)
            for pair, row in rows.items()
            for kind in (SINGLE, DOUBLE, TRIPLE)
            if not nx.has_path(graph, *pair) and ORDERS[kind - 1] <= plain_room(types, bonds, pair)
        ]
        if not options:
            return bonds
        _, pair, kind = max(options)
        bonds[pair] = kind


@given(SIZES, SEEDS, st.floats(-8, 2), st.booleans())
def test_against_a_plain_loop(sizes: list[int], seed: int, edges: float, connect: bool) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(*sizes, edges=edges)
    batch = capped(distribution, connect)
    assert batch.num_graphs == len(sizes)
    expected = plain_graphs(distribution, connect)
    graphs = [(data.x.argmax(dim=-1).tolist(), bonds_of(data)) for data in batch.to_data_list()]
    assert graphs == expected


@given(SIZES, SEEDS, st.floats(-8, 2), st.booleans())
def test_no_valency_is_exceeded(sizes: list[int], seed: int, edges: float, connect: bool) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(*sizes, edges=edges)
    batch = capped(distribution, connect)
    assert (valency_of(batch) <= limit_of(batch)).all()


@given(SIZES, SEEDS, st.floats(-8, 0))
def test_graphs_without_excess_are_the_modes(sizes: list[int], seed: int, edges: float) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(*sizes, edges=edges)
    mode, batch = distribution.mode(), capped(distribution)
    assert torch.equal(batch.x, mode.x)
    for ours, theirs in zip(batch.to_data_list(), mode.to_data_list(), strict=True):
        if (valency_of(theirs) <= limit_of(theirs)).all():
            assert_same_graph(ours, theirs)
        else:
            assert bonds_of(ours) != bonds_of(theirs)
        assert bonds_of(ours).keys() <= bonds_of(theirs).keys()


@given(SIZES, SEEDS, st.floats(-6, 0))
def test_joining_only_adds(sizes: list[int], seed: int, edges: float) -> None:
    torch.manual_seed(seed)
    distribution = random_distribution(*sizes, edges=edges)
    apart, joined = capped(distribution), capped(distribution, connect=True)
    for before, after in zip(apart.to_data_list(), joined.to_data_list(), strict=True):
        old, new = bonds_of(before), bonds_of(after)
        assert old.items() <= new.items()
        if len(pieces_of(before.num_nodes, old)) == 1:
            assert_same_graph(after, before)
        # All edges have a probability here, so at most one piece can have valency left.
        open_nodes = (valency_of(after) < limit_of(after)).nonzero().flatten().tolist()
        pieces = pieces_of(after.num_nodes, new)
        assert sum(not piece.isdisjoint(open_nodes) for piece in pieces) <= 1


def test_random_graphs_are_of_all_kinds() -> None:
    """With and without excess valency, joined and not: the properties say something."""
    distribution = random_distribution(*[5] * 400, edges=-4.0)
    mode = distribution.mode()
    excess = scatter(valency_of(mode) - limit_of(mode), mode.batch, reduce="max") > 0
    assert 100 < int(excess.sum()) < 300
    apart, left = (
        sum(len(pieces_of(5, bonds_of(data))) > 1 for data in capped(distribution, connect)[:])
        for connect in (False, True)
    )
    assert 50 < left < 200 < apart


def test_the_least_certain_edge_gives_way() -> None:
    """Three single bonds at an oxygen: the least likely one goes, whatever its place."""
    for weakest in (1, 2, 3):
        logits = {(0, k): [0.0, 1.0 + (k != weakest), -9, -9] for k in (1, 2, 3)}
        graph = capped(by_hand([OXYGEN, CARBON, CARBON, CARBON], logits))[0]
        assert bonds_of(graph) == {(0, k): SINGLE for k in (1, 2, 3) if k != weakest}


def test_certainty_is_that_of_an_edge() -> None:
    """Sure of some bond, but not which, comes before all but sure of one kind of bond."""
    logits = {(0, 1): [0.0, -9, 4, -9], (0, 2): [0.0, -9, 3.9, 3.8]}
    graph = capped(by_hand([OXYGEN, CARBON, CARBON], logits))[0]
    assert bonds_of(graph) == {(0, 2): DOUBLE}


def test_of_equally_certain_edges_the_first_stays() -> None:
    logits = {(0, k): [0.0, 5.0, -9, -9] for k in range(1, 6)}
    graph = capped(by_hand([OXYGEN, *[CARBON] * 5], logits))[0]
    assert bonds_of(graph) == {(0, 1): SINGLE, (0, 2): SINGLE}


@pytest.mark.parametrize(
    ("types", "row", "kind"),
    [
        ([CARBON, CARBON], [0.0, 1, 2, 3], TRIPLE),
        ([CARBON, OXYGEN], [0.0, 1, 2, 3], DOUBLE),
        ([OXYGEN, CARBON], [0.0, 2, 1, 3], SINGLE),
        ([CARBON, FLUORINE], [0.0, 1, 2, 3], SINGLE),
        ([CARBON, FLUORINE], [1.0, 0, 2, 3], NONE),
        ([CARBON, OXYGEN], [1.0, 0, -1, 3], NONE),
        ([CARBON, CARBON], [3.0, 2, 1, 0], NONE),
    ],
)
def test_the_most_likely_class_that_fits(types: list[int], row: list[float], kind: int) -> None:
    graph = capped(by_hand(types, {(0, 1): row}))[0]
    assert bonds_of(graph) == ({} if kind == NONE else {(0, 1): kind})


def test_a_pair_without_an_edge_gets_none() -> None:
    """Even where a bond that is dropped leaves room, and an edge of some kind is likely."""
    logits = {(0, 1): [0.0, -9, 9, -9], (0, 2): [0.0, -9, 8, -9], (1, 2): [1.0, 0.9, 0.9, 0.9]}
    graph = capped(by_hand([OXYGEN, CARBON, CARBON], logits))[0]
    assert bonds_of(graph) == {(0, 1): DOUBLE}


def test_an_impossible_class_is_no_way_out() -> None:
    """Classes of probability zero that fit do not win over those that do not."""
    logits = {(0, 1): [-math.inf, -math.inf, -math.inf, 0.0]}
    graph = capped(by_hand([CARBON, FLUORINE], logits), connect=True)[0]
    assert bonds_of(graph) == {}


def test_joining_by_hand() -> None:
    """C-C, O and F: first O-F, which leaves no valency for C-F and one for C-O."""
    logits = {
        (0, 1): [0.0, 9.0, 0.0, 0.0],
        (2, 3): [1.0, 0.5, 0.95, 0.9],  # only the single bond fits, -0.5
        (0, 3): [1.0, 0.4, 0.0, 0.0],  # -0.6, too late
        (1, 2): [3.0, 1.0, 1.5, 2.9],  # at first the double bond fits, -1.5, at last the single
        (0, 2): [3.0, 0.0, 0.0, 0.0],
    }
    distribution = by_hand([CARBON, CARBON, OXYGEN, FLUORINE], logits)
    assert bonds_of(capped(distribution)[0]) == {(0, 1): SINGLE}
    joined = bonds_of(capped(distribution, connect=True)[0])
    assert joined == {(0, 1): SINGLE, (1, 2): SINGLE, (2, 3): SINGLE}


def test_pieces_without_valency_stay_apart() -> None:
    logits = {(0, 1): [0.0, 9.0, 0, 0], (2, 3): [0.0, 9.0, 0, 0]}
    graph = capped(by_hand([FLUORINE] * 4, logits), connect=True)[0]
    assert bonds_of(graph) == {(0, 1): SINGLE, (2, 3): SINGLE}


@pytest.mark.parametrize("connect", [False, True])
def test_mixed_sizes_equal_one_by_one(connect: bool) -> None:
    sizes = [5, 1, 9, 2, 3, 9, 1, 12]
    distribution = random_distribution(*sizes, edges=-1.0)
    together = capped(distribution, connect).to_data_list()
    ptr, pair_ptr = distribution.ptr.tolist(), distribution.layout.pair_ptr.tolist()
    for k, size in enumerate(sizes):
        alone = GraphDistribution(
            distribution.node_logits[ptr[k] : ptr[k + 1]],
            distribution.pair_logits[pair_ptr[k] : pair_ptr[k + 1]],
            layout_of(size),
        )
        assert_same_graph(together[k], capped(alone, connect)[0])


@pytest.mark.parametrize("connect", [False, True])
@pytest.mark.parametrize("sizes", [[], [1], [1, 1, 1], [2], [4, 1, 6, 2]])
def test_format_of_the_datasets(sizes: list[int], connect: bool) -> None:
    distribution = random_distribution(*sizes, edges=3.0)
    batch, mode = capped(distribution, connect), distribution.mode()
    assert set(batch.keys()) == set(mode.keys())
    for key, value in mode.to_dict().items():
        assert batch[key].dtype == value.dtype, key
    assert batch.edge_attr.shape == (batch.edge_index.size(1), 3)
    assert torch.equal(coalesce(batch.edge_index), batch.edge_index)
    assert torch.equal(batch.ptr, mode.ptr)


def test_tensors_as_numbers_and_logits_with_gradients() -> None:
    distribution = random_distribution(9, 8)
    plain = capped(distribution, connect=True)
    before = distribution.pair_logits.clone()
    distribution.node_logits.requires_grad_()
    distribution.pair_logits.requires_grad_()
    valencies, orders = torch.tensor([4, 3, 2, 1]), torch.tensor(ORDERS, dtype=torch.float64)
    batch = valency_capped_mode(distribution, valencies, orders, connect=True)
    assert_same_graph(batch, plain)
    assert torch.equal(distribution.pair_logits, before)


def test_half_precision() -> None:
    distribution = random_distribution(9, 8)
    half = GraphDistribution(
        distribution.node_logits.bfloat16(),
        distribution.pair_logits.bfloat16(),
        distribution.layout,
    )
    batch = capped(half, connect=True)
    assert batch.x.dtype == torch.float32
    assert (valency_of(batch) <= limit_of(batch)).all()


def test_half_orders() -> None:
    """Four edges of order 1.5 at a node of valency 4: two fit, and no third of order 1."""
    layout = layout_of(5)
    first = (layout.pair_index[0] == 0).float()
    pair_logits = torch.stack([1 - first, -9 * torch.ones(10), 2 * first], dim=1)
    distribution = GraphDistribution(torch.zeros(5, 1), pair_logits, layout)
    graph = valency_capped_mode(distribution, (4,), (1, 1.5))[0]
    assert bonds_of(graph) == {(0, 1): 2, (0, 2): 2}


def test_unfit_numbers() -> None:
    distribution = random_distribution(3)
    match = "'max_valencies' to hold 4 numbers, one for each node type .got shape .3"
    with pytest.raises(ValueError, match=match):
        valency_capped_mode(distribution, VALENCIES[1:], ORDERS)
    match = "'edge_orders' to hold 3 numbers, one for each edge type .got shape .4"
    with pytest.raises(ValueError, match=match):
        valency_capped_mode(distribution, VALENCIES, (0.0, *ORDERS))
    with pytest.raises(ValueError, match=r"'max_valencies' to be at least 0 .* -1"):
        valency_capped_mode(distribution, (4, 3, 2, -1), ORDERS)
    with pytest.raises(ValueError, match=r"'edge_orders' to be at least 0 .*nan"):
        valency_capped_mode(distribution, VALENCIES, (1, 2, math.nan))
