"""Gathered batches are the batches of PyG's DataLoader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.datasets import FakeDataset, FakeHeteroDataset
from torch_geometric.loader import DataLoader

from pyg_topn.loader import ResidentLoader

EDGE = torch.tensor([[0, 1], [1, 0]])


class Stored(InMemoryDataset):
    """A data set of given graphs."""

    def __init__(self, graphs: list[Any], transform: Any = None) -> None:
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(graphs)


def mixed_graph(num_nodes: int) -> Data:
    """Every kind of attribute that a graph of a data set may have."""
    return Data(
        x=torch.randn(num_nodes, 3),
        edge_index=EDGE if num_nodes > 1 else EDGE[:, :0],
        edge_attr=torch.randn(2 if num_nodes > 1 else 0, 2),
        canonical_index=torch.randperm(num_nodes),
        face=torch.randint(num_nodes, (3, num_nodes)),
        y=torch.randn(1, 4),
        label=num_nodes,
        score=0.5 * num_nodes,
        smiles="C" * num_nodes,
    )


def mixed() -> Stored:
    return Stored([mixed_graph(n) for n in (3, 1, 4, 2, 5)])


def assert_same_batch(ours: Batch, theirs: Batch) -> None:
    assert set(ours.keys()) == set(theirs.keys())
    assert ours.num_graphs == theirs.num_graphs
    assert ours.num_nodes == theirs.num_nodes
    for key in theirs.keys():  # noqa: SIM118
        if isinstance(theirs[key], Tensor):
            assert ours[key].dtype == theirs[key].dtype, key
            assert torch.equal(ours[key], theirs[key]), key
        else:
            assert ours[key] == theirs[key], key
    for name in ("_slice_dict", "_inc_dict"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.keys() == other.keys()
        for key, value in other.items():
            if value is None:
                assert mine[key] is None
            else:
                assert torch.equal(torch.as_tensor(mine[key]), torch.as_tensor(value)), key
    for mine, other in zip(ours.to_data_list(), theirs.to_data_list(), strict=True):
        assert mine.keys() == other.keys()
        assert mine.num_nodes == other.num_nodes
        for key, value in other.to_dict().items():
            same = (
                torch.equal(mine[key], value) if isinstance(value, Tensor) else mine[key] == value
            )
            assert same, key


def assert_same_loaders(dataset: InMemoryDataset, **kwargs: Any) -> None:
    ours, theirs = ResidentLoader(dataset, **kwargs), DataLoader(dataset, **kwargs)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert_same_batch(mine, other)


DATASETS = {
    "fake": lambda: FakeDataset(num_graphs=7, avg_num_nodes=6, edge_dim=2),
    "graph-level": lambda: FakeDataset(num_graphs=7, avg_num_nodes=6, task="graph", global_z=2),
    "mixed": mixed,
    "shuffled": lambda: mixed()[torch.tensor([4, 0, 2, 1])],
    "split": lambda: mixed()[1:4],
    "no x": lambda: Stored([Data(edge_index=EDGE, pos=torch.randn(n, 3)) for n in (3, 2, 4)]),
    "no nodes": lambda: Stored([Data(edge_index=EDGE, num_nodes=n) for n in (3, 2, 4)]),
}


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_equals_data_loader(name: str, batch_size: int) -> None:
    assert_same_loaders(DATASETS[name](), batch_size=batch_size)


def test_arguments_as_data_loader() -> None:
    assert_same_loaders(mixed(), batch_size=2, drop_last=True)
    assert_same_loaders(mixed(), batch_size=2, exclude_keys=["smiles", "y"])
    ours = ResidentLoader(mixed(), batch_size=2, exclude_keys=["x"])
    theirs = DataLoader(mixed(), batch_size=2, exclude_keys=["x"])
    for mine, other in zip(ours, theirs, strict=True):
        assert "x" not in mine
        assert torch.equal(mine.batch, other.batch)


def test_molecules(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    from pyg_topn.datasets import SmilesDataset

    dataset = SmilesDataset(tmp_path, smiles=["CCO", "C#N", "C", "CC(=O)OC", "C1CC1"], log=False)
    assert_same_loaders(dataset, batch_size=2)


def test_moved_to_a_device() -> None:
    dataset = mixed()
    for mine, other in zip(
        ResidentLoader(dataset, 2, device="cpu"), DataLoader(dataset, 2), strict=True
    ):
        assert_same_batch(mine, other)


def labels(loader: ResidentLoader) -> list[int]:
    return torch.cat([batch.label for batch in loader]).tolist()


def test_shuffling_is_seeded_and_goes_on() -> None:
    dataset = Stored([Data(x=torch.ones(1, 1), label=i) for i in range(50)])
    loader = ResidentLoader(dataset, batch_size=8, shuffle=True, seed=3)
    first, second = labels(loader), labels(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert first != list(range(50))
    again = ResidentLoader(dataset, batch_size=8, shuffle=True, seed=3)
    assert labels(again) == first
    resumed = ResidentLoader(dataset, batch_size=8, shuffle=True, seed=3)
    resumed.load_state_dict(again.state_dict())
    assert labels(resumed) == second
    assert labels(ResidentLoader(dataset, 8, shuffle=True, seed=4)) != first


@pytest.mark.parametrize("stop", range(1, 6))
def test_goes_on_in_the_middle_of_an_epoch(stop: int) -> None:
    dataset = Stored([Data(x=torch.ones(1, 1), label=i) for i in range(10)])
    whole = ResidentLoader(dataset, batch_size=2, shuffle=True)
    expected = labels(whole) + labels(whole)
    killed = ResidentLoader(dataset, batch_size=2, shuffle=True)
    batches = iter(killed)
    seen = [label for _ in range(stop) for label in next(batches).label.tolist()]
    resumed = ResidentLoader(dataset, batch_size=2, shuffle=True)
    resumed.load_state_dict(killed.state_dict())
    while len(seen) < len(expected):
        seen += torch.cat([b.label for b in resumed] or [torch.empty(0).long()]).tolist()
    assert seen == expected


def test_repr() -> None:
    assert repr(ResidentLoader(mixed(), 2)) == (
        "ResidentLoader(5 graphs, batch_size=2, shuffle=False)"
    )


@pytest.mark.parametrize(
    ("dataset", "error", "match"),
    [
        ([Data()], TypeError, "InMemoryDataset of homogeneous graphs .got list"),
        (FakeHeteroDataset(num_graphs=2), TypeError, "got FakeHeteroDataset"),
        (Stored([HeteroData(), HeteroData()]), TypeError, "got Stored"),
        (Stored([mixed_graph(2)] * 2, transform=str), ValueError, "without 'transform'"),
        (Stored([mixed_graph(2)]), ValueError, "at least 2 stored graphs .got 1"),
        (mixed()[:0], ValueError, "got 0"),
        (Stored([Data(edge_index=EDGE)] * 2), ValueError, "'x', 'pos' or 'num_nodes'"),
    ],
)
def test_unfit_data_sets(dataset: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ResidentLoader(dataset)


def test_unfit_batch_size() -> None:
    with pytest.raises(ValueError, match=r"'batch_size' to be at least 1 .got 0"):
        ResidentLoader(mixed(), batch_size=0)
