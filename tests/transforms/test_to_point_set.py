"""The transform from graphs to sets of points."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from pyg_topn.losses import ChamferLoss
from pyg_topn.nn.encoder import SetEncoder
from pyg_topn.transforms import ToPointSet


def triangle(**others: Any) -> Data:
    """Three nodes with as many edges as nodes, which shapes alone would confuse."""
    return Data(
        x=torch.tensor([[1, 0], [0, 1], [0, 1]]),
        pos=torch.tensor([[0.0, 3.0], [3.0, 0.0], [6.0, 0.0]]),
        edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]),
        edge_attr=torch.ones(3, 4),
        edge_weight=torch.ones(3),
        canonical_index=torch.tensor([2, 1, 0]),
        face=torch.tensor([[0], [1], [2]]),
        z=torch.tensor([6, 7, 8]),
        y=torch.tensor([5.0]),
        name="triangle",
        **others,
    )


def test_positions_by_default() -> None:
    data = triangle()
    points = ToPointSet()(data)
    assert sorted(points.keys()) == ["name", "pos", "x", "y", "z"]
    assert torch.equal(points.pos, data.pos)
    assert points.name == "triangle"
    assert data.num_edges == 3  # The input stays as it is.
    assert "face" in data


def test_attributes_are_concatenated_in_order() -> None:
    points = ToPointSet(("z", "pos", "x"))(triangle())
    assert points.pos.tolist() == [[6, 0, 3, 1, 0], [7, 3, 0, 0, 1], [8, 6, 0, 0, 1]]
    assert points.pos.dtype == torch.float32
    assert sorted(points.keys()) == ["name", "pos", "y"]


def test_another_attribute_in_place_of_positions() -> None:
    points = ToPointSet("x")(triangle(num_nodes=3))
    assert points.pos.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert "x" not in points
    assert "num_nodes" not in points
    assert points.num_nodes == 3
    double = ToPointSet("x")(Data(x=torch.ones(2, 1, dtype=torch.float64)))
    assert double.pos.dtype == torch.float64
    flags = ToPointSet("flag")(Data(flag=torch.tensor([True, False])))
    assert flags.pos.tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("center", "expected"),
    [
        (False, [[0, 3, 6], [3, 0, 7], [6, 0, 8]]),
        (True, [[-3, 2, -1], [0, -1, 0], [3, -1, 1]]),
        ("pos", [[-3, 2, 6], [0, -1, 7], [3, -1, 8]]),
        (("z",), [[0, 3, -1], [3, 0, 0], [6, 0, 1]]),
    ],
)
def test_centring(center: Any, expected: list[list[float]]) -> None:
    assert ToPointSet(("pos", "z"), center)(triangle()).pos.tolist() == expected


@pytest.mark.parametrize("keys", [("pos",), ("x",), ("pos", "x")])
@pytest.mark.parametrize("center", [False, True])
def test_a_batch_is_its_graphs_one_by_one(keys: tuple[str, ...], center: bool) -> None:
    graphs = [triangle(), triangle(), Data(**triangle().subgraph(torch.tensor([1])).to_dict())]
    transform = ToPointSet(keys, center)
    batch = Batch.from_data_list(graphs)
    together = transform(batch)
    expected = Batch.from_data_list([transform(data) for data in graphs])
    assert sorted(together.keys()) == sorted(expected.keys())
    assert torch.equal(together.pos, expected.pos)
    for mine, data in zip(together.to_data_list(), expected.to_data_list(), strict=True):
        assert torch.equal(mine.pos, data.pos)
        assert mine.num_edges == 0
    assert torch.equal(batch.pos, Batch.from_data_list(graphs).pos)  # The input stays.
    assert batch[1].num_edges == 3


def test_the_set_half_reads_it() -> None:
    batch = Batch.from_data_list([ToPointSet(("pos", "x"))(triangle()) for _ in range(2)])
    assert SetEncoder(4, latent_channels=3)(batch).mean.shape == (2, 3)
    assert ChamferLoss()(batch, batch) == 0


def test_sets_without_points() -> None:
    for center in (False, True):
        assert ToPointSet(center=center)(Data(pos=torch.zeros(0, 3))).pos.shape == (0, 3)
    empty = Batch(
        pos=torch.zeros(0, 3),
        batch=torch.zeros(0, dtype=torch.int64),
        ptr=torch.zeros(1, dtype=torch.int64),
    )
    assert ToPointSet(center=True)(empty).pos.shape == (0, 3)


@pytest.mark.parametrize(
    ("keys", "data", "match"),
    [
        (("pos",), Data(x=torch.ones(2, 1)), r"tensor 'pos' to make points of .got none among"),
        (("name",), Data(name="a"), r"tensor 'name' .* .got str among"),
        (("x",), Data(x=torch.ones(2, 1, 1)), r"'x' to have the shape .* .got \[2, 1, 1\]"),
        (("x",), Data(x=torch.tensor(1.0)), r"'x' to have the shape .* .got \[\]"),
        (
            ("pos", "x"),
            Data(pos=torch.ones(2, 1), x=torch.ones(3, 1)),
            "the rows ..pos.: 2, .x.: 3",
        ),
        (("y",), triangle(), r"a row a node .got 3 nodes, and the rows \{'y': 1\}"),
        (("u", "v"), Data(u=torch.ones(1), v=torch.ones(2)), "got an unknown number of nodes"),
    ],
)
def test_unfit_graphs(keys: tuple[str, ...], data: Data, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ToPointSet(keys)(data)


def test_unfit_arguments() -> None:
    with pytest.raises(TypeError, match=r"homogeneous graph or batch \(got HeteroData\)"):
        ToPointSet()(HeteroData())
    for keys in ((), ("x", "x")):
        with pytest.raises(ValueError, match="'keys' to be one or more distinct names .got"):
            ToPointSet(keys)
    with pytest.raises(ValueError, match=r"'center' to be among .'pos',. .got .'x',.."):
        ToPointSet(center="x")


def test_repr() -> None:
    assert repr(ToPointSet()) == "ToPointSet(('pos',), center=())"
    assert repr(ToPointSet(("pos", "x"), True)) == "ToPointSet(('pos', 'x'), center=('pos', 'x'))"
