"""Batches built from tensors are the batches that PyG builds from graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.utils import coalesce, cumsum, erdos_renyi_graph, unbatch

from pyg_topn.utils.ragged import (
    batch_vector,
    build_batch,
    check_num_nodes,
    num_pairs,
    pair_index,
    undirected,
)

SIZES = [[3, 1, 4, 2], [1], [1, 1, 1], [5], [2, 6, 1]]


def random_graph(num_nodes: int) -> Data:
    edge_index = coalesce(erdos_renyi_graph(num_nodes, 0.6)) if num_nodes > 1 else empty_edges()
    return Data(
        x=torch.randn(num_nodes, 2),
        canonical_index=torch.randperm(num_nodes),
        edge_index=edge_index,
        edge_attr=torch.randn(edge_index.size(1), 3),
        y=torch.randn(1, 5),
    )


def empty_edges() -> Tensor:
    return torch.empty(2, 0, dtype=torch.int64)


def rebuild(theirs: Batch) -> Batch:
    """The same batch from its tensors alone."""
    return build_batch(
        theirs.ptr.diff(),
        {"x": theirs.x, "canonical_index": theirs.canonical_index},
        theirs.edge_index,
        {"edge_attr": theirs.edge_attr},
        {"y": theirs.y},
    )


def assert_same_data(ours: Data, theirs: Data) -> None:
    assert set(ours.keys()) == set(theirs.keys())
    for key, value in theirs.to_dict().items():
        if key == "_num_nodes":
            assert ours._store._num_nodes == value
        elif isinstance(value, Tensor):
            assert ours[key].dtype == value.dtype, key
            assert torch.equal(ours[key], value), key
        else:
            assert ours[key] == value, key


def assert_same_batch(ours: Batch, theirs: Batch) -> None:
    assert_same_data(ours, theirs)
    assert (type(ours), len(ours)) == (type(theirs), len(theirs))
    for name in ("_slice_dict", "_inc_dict"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.keys() == other.keys()
        for key, value in other.items():
            assert torch.equal(torch.as_tensor(mine[key]), torch.as_tensor(value)), (name, key)


@pytest.mark.parametrize("sizes", SIZES)
def test_equals_from_data_list(sizes: list[int]) -> None:
    graphs = [random_graph(size) for size in sizes]
    theirs = Batch.from_data_list(graphs)
    ours = rebuild(theirs)
    assert_same_batch(ours, theirs)
    for mine, graph in zip(ours.to_data_list(), graphs, strict=True):
        assert_same_data(mine, graph)
    for i in range(len(graphs)):
        assert_same_data(ours[i], graphs[i])
    for mine, graph in zip(unbatch(ours.x, ours.batch), graphs, strict=True):
        assert torch.equal(mine, graph.x)
    ours.validate()


def test_selections() -> None:
    graphs = [random_graph(size) for size in (3, 1, 4, 2)]
    ours = rebuild(Batch.from_data_list(graphs))
    for selection in (slice(1, 3), torch.tensor([3, 0]), torch.tensor([True, False, False, True])):
        expected = Batch.from_data_list(graphs).index_select(selection)
        for mine, other in zip(ours.index_select(selection), expected, strict=True):
            assert_same_data(mine, other)


def test_interchangeable_with_loader_batches() -> None:
    graphs = [random_graph(size) for size in (3, 1, 4, 2)]
    theirs = next(iter(DataLoader(graphs, batch_size=4)))
    ours = rebuild(theirs)
    both = Batch.from_data_list([*ours.to_data_list(), *theirs.to_data_list()])
    assert_same_batch(both, Batch.from_data_list(graphs + graphs))
    again = next(iter(DataLoader(ours.to_data_list(), batch_size=4)))
    assert_same_batch(again, theirs)


@pytest.mark.parametrize("sizes", [[3, 1, 2], [1]])
def test_no_node_attributes(sizes: list[int]) -> None:
    graphs = [Data(num_nodes=size, edge_index=empty_edges()) for size in sizes]
    theirs = Batch.from_data_list(graphs)
    ours = build_batch(torch.tensor(sizes), edge_index=theirs.edge_index)
    assert_same_batch(ours, theirs)
    assert [data.num_nodes for data in ours.to_data_list()] == sizes
    bare = build_batch(torch.tensor(sizes))
    assert bare.num_nodes == sum(sizes)
    assert torch.equal(bare.ptr, theirs.ptr)


def test_nodes_only() -> None:
    graphs = [Data(x=torch.randn(n, 2)) for n in (2, 3)]
    theirs = Batch.from_data_list(graphs)
    assert_same_batch(build_batch(torch.tensor([2, 3]), {"x": theirs.x}), theirs)


def test_empty_batch() -> None:
    none = torch.empty(0, dtype=torch.int64)
    batch = build_batch(none, {"x": torch.empty(0, 4)}, empty_edges(), {"edge_attr": none})
    assert (len(batch), batch.num_graphs, batch.num_nodes) == (0, 0, 0)
    assert batch.ptr.tolist() == [0]
    assert batch.batch.tolist() == []
    assert batch.to_data_list() == []
    assert pair_index(none).shape == (2, 0)
    assert batch_vector(none).shape == (0,)


def test_the_batch_can_be_differentiated_through() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    batch = build_batch(torch.tensor([2, 1]), {"x": x})
    batch[1].x.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("sizes", [*SIZES, []])
def test_pairs_against_loops(sizes: list[int]) -> None:
    expected, start = [], 0
    for size in sizes:
        expected += [(start + i, start + j) for i in range(size) for j in range(i + 1, size)]
        start += size
    num_nodes = torch.tensor(sizes, dtype=torch.int64)
    assert pair_index(num_nodes).t().tolist() == [list(pair) for pair in expected]
    assert int(num_pairs(num_nodes).sum()) == len(expected)
    vector = [g for g, size in enumerate(sizes) for _ in range(size)]
    assert batch_vector(num_nodes).tolist() == vector


def test_undirected_is_coalesced() -> None:
    pairs = pair_index(torch.tensor([4, 1, 3]))[:, [8, 1, 5, 2]]
    weight, label = torch.randn(4, 2), torch.arange(4)
    edge_index, attrs = undirected(pairs, 8, {"weight": weight, "label": label})
    both = torch.cat([pairs, pairs.flip(0)], dim=1)
    expected, value = coalesce(both, torch.cat([weight, weight]))
    assert torch.equal(edge_index, expected)
    assert torch.equal(attrs["weight"], value)
    assert torch.equal(weight[attrs["label"]], value)
    assert undirected(empty_edges(), 3, {})[0].shape == (2, 0)


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        ([1, 2], TypeError, "to be a Tensor .got list"),
        (torch.tensor([1.0]), ValueError, "dtype torch.int64 .got dtype torch.float32"),
        (torch.tensor([1], dtype=torch.int32), ValueError, "got dtype torch.int32"),
        (torch.tensor([[1]]), ValueError, r"shape \(1, 1\)"),
        (torch.tensor(1), ValueError, "vector"),
        (torch.tensor([3, 0]), ValueError, "at least 1 everywhere .got 0"),
        (torch.tensor([3, -2]), ValueError, "at least 1 everywhere .got -2"),
        (torch.tensor([3, 10]), ValueError, "at most 9 everywhere .got 10"),
    ],
)
def test_sizes_are_checked(value: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        check_num_nodes(value, max_num_nodes=9)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"node_attrs": {"x": torch.ones(4, 1)}}, "'x' to have 3 rows, one for each of the nodes"),
        ({"node_attrs": {"x": torch.tensor(1)}}, "'x' to have 3 rows"),
        ({"graph_attrs": {"y": torch.ones(3)}}, "'y' to have 2 rows, one for each of the graphs"),
        (
            {"edge_index": torch.tensor([[0], [1]]), "edge_attrs": {"e": torch.ones(2)}},
            "'e' to have 1 rows, one for each of the edges",
        ),
        ({"edge_index": torch.tensor([[2, 0], [2, 1]])}, "ordered by graph"),
        ({"num_nodes": torch.tensor([0])}, "at least 1"),
    ],
)
def test_misfits_are_refused(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build_batch(**{"num_nodes": torch.tensor([2, 1]), **arguments})


def test_slices_follow_the_edges() -> None:
    edge_index = torch.tensor([[0, 1, 4, 5], [1, 0, 5, 4]])
    batch = build_batch(torch.tensor([2, 2, 2]), edge_index=edge_index)
    assert torch.equal(batch._slice_dict["edge_index"], cumsum(torch.tensor([2, 0, 2])))
    assert batch[1].num_edges == 0
    assert batch[2].edge_index.tolist() == [[0, 1], [1, 0]]
