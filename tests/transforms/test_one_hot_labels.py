"""The transform from labels of nodes and edges to the one-hot format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.utils import coalesce

from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.transforms import CanonicalOrder, OneHotLabels

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def path(**attrs: Any) -> Data:
    """The path 0 - 1 - 2, its edges in no order: 2 > 1, 0 > 1, 1 > 2, 1 > 0."""
    return Data(edge_index=torch.tensor([[2, 0, 1, 1], [1, 1, 2, 0]]), **attrs)


def labelled(shape: tuple[int, ...] = (-1,)) -> Data:
    """Nodes 7, 3, 7; edge 0 - 1 is of type 20, edge 1 - 2 of type 10."""
    return path(
        x=torch.tensor([7, 3, 7]).view(shape), edge_attr=torch.tensor([10, 20, 10, 20]).view(shape)
    )


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_integers(shape: tuple[int, ...]) -> None:
    one_hot = OneHotLabels((3, 7), (10, 20, 30))(labelled(shape))
    assert one_hot.x.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert one_hot.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert one_hot.edge_attr.tolist() == [[0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]]
    assert one_hot.x.dtype == one_hot.edge_attr.dtype == torch.float32
    assert sorted(one_hot.keys()) == ["edge_attr", "edge_index", "x"]


def test_the_input_stays_as_it_is() -> None:
    data = labelled()
    OneHotLabels((3, 7), (10, 20))(data)
    assert data.x.tolist() == [7, 3, 7]
    assert data.edge_index.tolist() == [[2, 0, 1, 1], [1, 1, 2, 0]]


def test_any_hashable_label_of_any_attribute() -> None:
    colours, bonds = [("red", 1), None, "blue"], ["weak", "strong", "weak", "strong"]
    data = path(x=torch.ones(3, 5), colour=colours, bond=bonds, y=torch.tensor([1.0]))
    transform = OneHotLabels(("blue", ("red", 1), None), ("strong", "weak"), "colour", "bond")
    one_hot = transform(data)
    assert one_hot.x.argmax(dim=1).tolist() == [1, 2, 0]
    assert one_hot.edge_attr.argmax(dim=1).tolist() == [0, 0, 1, 1]
    assert sorted(one_hot.keys()) == ["edge_attr", "edge_index", "x", "y"]
    assert transform.labels(one_hot) == (colours, ["strong", "strong", "weak", "weak"])
    array = path(x=np.array(["b", "a", "b"]), num_nodes=3)
    assert OneHotLabels(("a", "b"))(array).x.argmax(dim=1).tolist() == [1, 0, 1]


def test_graphs_without_labels() -> None:
    transform = OneHotLabels()
    one_hot = transform(path(num_nodes=4))
    assert one_hot.x.tolist() == [[1.0]] * 4
    assert one_hot.edge_attr.tolist() == [[1.0]] * 4
    assert "num_nodes" not in one_hot
    assert transform.labels(one_hot) == ([None] * 4, [None] * 4)
    assert (transform.num_node_types, transform.num_edge_types) == (1, 1)
    features = path(x=torch.randn(3, 8), edge_attr=torch.randn(4, 2))  # Not looked at.
    assert OneHotLabels()(features).x.shape == (3, 1)
    assert OneHotLabels()(features).edge_attr.shape == (4, 1)


def test_graphs_without_edges() -> None:
    one_hot = OneHotLabels((0, 1), (0, 1))(
        Data(x=torch.tensor([1]), edge_index=NO_EDGES, edge_attr=torch.zeros(0, 1))
    )
    assert one_hot.x.tolist() == [[0.0, 1.0]]
    assert one_hot.edge_index.shape == (2, 0)
    assert one_hot.edge_attr.shape == (0, 2)


def test_other_attributes_of_edges_are_sorted_too() -> None:
    data = labelled()
    data.edge_weight = torch.tensor([0.0, 1.0, 2.0, 3.0])  # 2 > 1, 0 > 1, 1 > 2, 1 > 0
    data.edge_label_index = torch.tensor([[0, 1, 2, 0]] * 2)
    data.canonical_index = torch.tensor([0, 1, 2])
    one_hot = OneHotLabels((3, 7), (10, 20))(data)
    assert one_hot.edge_weight.tolist() == [1.0, 3.0, 2.0, 0.0]
    assert torch.equal(one_hot.edge_label_index, data.edge_label_index)
    assert "canonical_index" not in one_hot


@given(st.integers(1, 8), st.integers(0, 1000))
def test_labels_come_back(num_nodes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(num_nodes, 0.5, seed=seed)
    colour = {node: "abc"[rng.integers(3)] for node in graph}
    weight = {tuple(edge): int(rng.integers(5)) for edge in graph.edges}
    directed = [(i, j, w) for (i, j), w in weight.items()]
    directed += [(j, i, w) for i, j, w in directed]
    rng.shuffle(directed)
    rows = torch.tensor(directed, dtype=torch.int64).view(-1, 3)
    data = Data(
        x=[colour[node] for node in range(num_nodes)],
        edge_index=rows[:, :2].t(),
        edge_attr=rows[:, 2],
    )
    transform = OneHotLabels(tuple("cab"), range(5))
    one_hot = transform(data)
    nodes, edges = transform.labels(one_hot)
    assert nodes == data.x
    pairs = map(tuple, one_hot.edge_index.t().tolist())
    assert dict(zip(pairs, edges, strict=True)) == {(i, j): w for i, j, w in directed}
    assert torch.equal(coalesce(one_hot.edge_index), one_hot.edge_index)


def test_a_batch_is_its_graphs_one_by_one() -> None:
    single = Data(
        x=torch.tensor([3]), edge_index=NO_EDGES, edge_attr=torch.zeros(0, dtype=torch.int64)
    )
    graphs, transform = [labelled(), single, labelled()], OneHotLabels((3, 7), (10, 20))
    expected = Batch.from_data_list([transform(data) for data in graphs])
    together = transform(Batch.from_data_list(graphs))
    for key in ("x", "edge_index", "edge_attr", "batch", "ptr"):
        assert torch.equal(together[key], expected[key]), key
    for mine, data in zip(together.to_data_list(), expected.to_data_list(), strict=True):
        assert torch.equal(mine.edge_index, data.edge_index)
        assert torch.equal(mine.edge_attr, data.edge_attr)
    assert transform.labels(together)[0] == [7, 3, 7, 3, 7, 3, 7]


def test_a_batch_of_lists_and_of_graphs_without_labels() -> None:
    graphs = [path(colour=["a", "b", "b"], num_nodes=3), path(colour=["b"] * 3, num_nodes=3)]
    transform = OneHotLabels(("a", "b"), node_key="colour")
    one_hot = transform(Batch.from_data_list(graphs))
    assert transform.labels(one_hot)[0] == ["a", "b", "b", "b", "b", "b"]
    assert one_hot[1].edge_attr.shape == (4, 1)
    assert one_hot[1].x.tolist() == [[0.0, 1.0]] * 3


def test_the_graph_half_reads_it() -> None:
    transform = OneHotLabels.from_dataset([labelled()])
    data = CanonicalOrder()(transform(labelled()))
    encoder = GraphEncoder(
        transform.num_node_types, transform.num_edge_types, 4, readout="canonical", max_num_nodes=3
    )
    assert encoder(Batch.from_data_list([data])).mean.shape == (1, 4)


def test_from_dataset() -> None:
    single = Data(x=torch.tensor([1]), edge_index=NO_EDGES, edge_attr=torch.zeros(0, 1))
    transform = OneHotLabels.from_dataset([labelled(), single])
    assert (transform.node_types, transform.edge_types) == ((1, 3, 7), (10, 20))
    assert (transform.num_node_types, transform.num_edge_types) == (3, 2)
    assert OneHotLabels.from_dataset([single]).edge_types is None  # No edge at all.
    plain = OneHotLabels.from_dataset([path(num_nodes=3)])
    assert (plain.node_types, plain.edge_types) == (None, None)
    features = path(x=torch.randn(3, 8))
    assert OneHotLabels.from_dataset([features], node_key=None).node_types is None
    mixed = OneHotLabels.from_dataset([path(kind=["b", 2, "a"])], node_key="kind")
    assert mixed.node_types == ("a", "b", 2)  # As their texts are sorted: 'a', 'b', 2.
    assert mixed.node_key == "kind"


ARGUMENTS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no graphs": (
        lambda: OneHotLabels.from_dataset([]),
        ValueError,
        "all or none have node labels .got 0 with labels among 0",
    ),
    "some graphs": (
        lambda: OneHotLabels.from_dataset([labelled(), path(x=torch.ones(3))]),
        ValueError,
        "all or none have edge labels .got 1 with labels among 2",
    ),
    "features": (
        lambda: OneHotLabels.from_dataset([path(x=torch.randn(3, 8))]),
        ValueError,
        r"node labels 'x' of one column .got shape \[3, 8\]",
    ),
    "unhashable": (
        lambda: OneHotLabels.from_dataset([path(x=[["a"], ["b"], ["c"]])]),
        TypeError,
        "hashable node labels .got: unhashable",
    ),
    "a batch in place of its graphs": (
        lambda: OneHotLabels.from_dataset(Batch.from_data_list([labelled()])),
        TypeError,
        "dataset or list of homogeneous graphs .got tuple in DataBatch",
    ),
    "string": (lambda: OneHotLabels("CNO"), TypeError, "sequence of labels .got the string 'CNO'"),
    "empty": (lambda: OneHotLabels(()), ValueError, "'node_types' to be one or more distinct"),
    "twice": (
        lambda: OneHotLabels(None, (1, 2, 1)),
        ValueError,
        r"'edge_types' to be one or more distinct labels .got .1, 2, 1..",
    ),
    "list in a vocabulary": (lambda: OneHotLabels(([1],)), TypeError, "hashable listed labels"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_unfit_arguments(name: str) -> None:
    make, error, match = ARGUMENTS[name]
    with pytest.raises(error, match=match):
        make()


def edges(*pairs: tuple[int, int]) -> Data:
    return Data(num_nodes=3, edge_index=torch.tensor(pairs, dtype=torch.int64).view(-1, 2).t())


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (edges((0, 1)), "every edge in both directions .* 0 -> 1"),
        (edges((0, 1), (1, 0), (2, 2)), "without self-loops .* 2 -> 2"),
        (edges((0, 1), (1, 0), (0, 1), (1, 0)), "every edge once in each direction .got"),
        (edges((0, 3), (3, 0)), r"'edge_index' between 0 and 2 .got 0 to 3"),
        (Data(x=torch.ones(2, 1)), "graph with 'edge_index' .got none"),
    ],
)
def test_graphs_that_are_not_simple(data: Data, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        OneHotLabels()(data)


@pytest.mark.parametrize(
    ("attrs", "error", "match"),
    [
        ({"x": torch.tensor([7, 4, 7])}, ValueError, r"node labels among .3, 7. .got the label 4"),
        ({"x": ["a", 3, 7]}, ValueError, r"node labels among .3, 7. .got the label 'a'"),
        ({"x": torch.tensor([3.5, 3, 7])}, ValueError, "got the label 3.5"),
        ({"x": torch.eye(3)}, ValueError, r"'x' of one column .got shape \[3, 3\]"),
        ({"x": torch.tensor([3, 7])}, ValueError, "'edge_index' between 0 and 1"),
        ({"x": [3, 7], "pos": torch.ones(3, 2)}, ValueError, "3 node labels in 'x' .got 2"),
        ({"x": None, "num_nodes": 3}, ValueError, "node labels as 'x' .got none"),
        ({"x": "337"}, ValueError, "node labels as 'x' .got str"),
        ({"x": [{}, 3, 7]}, TypeError, "hashable node labels"),
        ({"edge_attr": torch.tensor([10, 20, 30, 20])}, ValueError, "got the label 30"),
        ({"edge_attr": torch.tensor([10, 20])}, ValueError, "4 edge labels in 'edge_attr' .got 2"),
        ({"edge_attr": None}, ValueError, "edge labels as 'edge_attr' .got none"),
        (
            {"edge_attr": torch.tensor([10, 10, 20, 10])},
            ValueError,
            "equal labels in both directions of an edge",
        ),
    ],
)
def test_unfit_labels(attrs: dict[str, Any], error: type[Exception], match: str) -> None:
    data = labelled()
    for key, value in attrs.items():
        data[key] = value
    with pytest.raises(error, match=match):
        OneHotLabels((3, 7), (10, 20))(data)


def test_other_input() -> None:
    with pytest.raises(TypeError, match=r"homogeneous graph or batch \(got HeteroData\)"):
        OneHotLabels()(HeteroData())
    transform = OneHotLabels((3, 7), (10, 20))
    with pytest.raises(ValueError, match=r"'x' of 2 columns .got \[3\]"):
        transform.labels(labelled())
    with pytest.raises(ValueError, match=r"'edge_attr' of 2 columns .got None"):
        transform.labels(Data(x=torch.eye(2)))


def test_repr() -> None:
    assert repr(OneHotLabels()) == "OneHotLabels(node_types=None, edge_types=None)"
    assert repr(OneHotLabels(("a", 1), range(2), node_key="kind", edge_key="bond")) == (
        "OneHotLabels(node_types=('a', 1), edge_types=(0, 1), node_key='kind', edge_key='bond')"
    )
