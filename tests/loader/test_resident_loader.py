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


def of_sizes(sizes: list[int]) -> Stored:
    """Graphs with edges of which each knows its number."""
    graphs = [mixed_graph(n) for n in sizes]
    for i, graph in enumerate(graphs):
        graph.label = i
    return Stored(graphs)


SIZES = [3, 9, 1, 9, 2, 5, 9, 4, 3, 8, 9, 1, 7, 9, 6, 2, 3, 9, 5, 9, 4, 9, 8]


def padding(loader: ResidentLoader) -> int:
    """The slots of the padded batches of an epoch that hold no node."""
    return sum(int(batch.ptr.diff().max()) * batch.num_graphs - batch.num_nodes for batch in loader)


@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets_hold_every_graph_once(shuffle: bool) -> None:
    loader = ResidentLoader(of_sizes(SIZES), 4, shuffle=shuffle, bucket=True)
    assert len(loader) == 6
    for _ in range(3):
        batches = list(loader)
        assert sorted(batch.num_graphs for batch in batches) == [3, 4, 4, 4, 4, 4]
        seen = torch.cat([batch.label for batch in batches]).tolist()
        assert sorted(seen) == list(range(len(SIZES)))


@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets_need_less_padding(shuffle: bool) -> None:
    dataset = of_sizes(SIZES)
    plain = padding(ResidentLoader(dataset, 4, shuffle=shuffle))
    # What no order of the graphs avoids: the sizes of a batch of sorted ones differ, too.
    ordered = torch.tensor(SIZES).sort()[0].split(4)
    least = sum(int((part.max() - part).sum()) for part in ordered)
    for _ in range(2):
        bucketed = ResidentLoader(dataset, 4, shuffle=shuffle, bucket=True)
        assert padding(bucketed) == least < plain / 5


@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets_equal_the_batches_of_data_loader(shuffle: bool) -> None:
    dataset = of_sizes(SIZES)[torch.randperm(len(SIZES))[:18]]
    for batch in ResidentLoader(dataset, 4, shuffle=shuffle, bucket=True):
        stored = [dataset.get(label) for label in batch.label.tolist()]
        (expected,) = DataLoader(stored, batch_size=len(stored))
        assert_same_batch(batch, expected)


def test_buckets_without_shuffling_are_sorted() -> None:
    seen = labels(ResidentLoader(of_sizes([3, 1, 2, 1, 3]), 2, bucket=True))
    assert seen == [1, 3, 2, 0, 4]  # Equal sizes stay in the order of the data set.


def test_buckets_shuffle_graphs_of_a_size_and_batches() -> None:
    dataset = of_sizes(SIZES)
    loader = ResidentLoader(dataset, 4, shuffle=True, seed=3, bucket=True)
    epochs = [[batch.label.tolist() for batch in loader] for _ in range(2)]
    assert epochs[0] != epochs[1]
    of_largest = [{i for part in epoch for i in part if SIZES[i] == 9} for epoch in epochs]
    assert of_largest[0] == of_largest[1]
    # Which graphs are together changes, and batches do not come by size.
    assert {frozenset(part) for part in epochs[0]} != {frozenset(part) for part in epochs[1]}
    assert any(max(SIZES[i] for i in part) < 9 for part in epochs[0][1:])
    assert epochs[0] != sorted(epochs[0], key=lambda part: SIZES[part[0]])
    again = ResidentLoader(dataset, 4, shuffle=True, seed=3, bucket=True)
    assert [batch.label.tolist() for batch in again] == epochs[0]
    other = ResidentLoader(dataset, 4, shuffle=True, seed=4, bucket=True)
    assert [batch.label.tolist() for batch in other] != epochs[0]


def test_buckets_drop_any_graphs_not_the_largest() -> None:
    dataset = of_sizes([9, 9, 9, 1, 2, 3, 4])
    ordered = labels(ResidentLoader(dataset, 3, drop_last=True, bucket=True))
    assert ordered == [3, 4, 5, 0, 1, 2]  # Without the last one, as without buckets.
    loader = ResidentLoader(dataset, 3, shuffle=True, drop_last=True, bucket=True)
    dropped = set()
    for _ in range(20):
        seen = labels(loader)
        assert len(seen) == len(set(seen)) == 6
        dropped |= set(range(7)) - set(seen)
    assert len(dropped) > 3


@pytest.mark.parametrize("bucket", [False, True])
def test_fewer_graphs_than_a_batch(bucket: bool) -> None:
    arguments: dict[str, Any] = {"shuffle": True, "bucket": bucket}
    assert [b.num_graphs for b in ResidentLoader(mixed(), 9, **arguments)] == [5]
    assert list(ResidentLoader(mixed(), 9, drop_last=True, **arguments)) == []


@pytest.mark.parametrize("stop", range(1, 12))
def test_buckets_go_on_in_the_middle_of_an_epoch(stop: int) -> None:
    def fresh() -> ResidentLoader:
        return ResidentLoader(of_sizes(SIZES), 4, shuffle=True, bucket=True)

    whole, killed, resumed = fresh(), fresh(), fresh()
    expected = labels(whole) + labels(whole)
    seen: list[int] = []
    while stop > 0:  # over the end of the first epoch, too
        for batch in killed:
            seen += batch.label.tolist()
            stop -= 1
            if stop == 0:
                break
    resumed.load_state_dict(killed.state_dict())
    while len(seen) < len(expected):
        seen += torch.cat([b.label for b in resumed] or [torch.empty(0).long()]).tolist()
    assert seen == expected


def test_no_graphs() -> None:
    batch = ResidentLoader(mixed()).gather(torch.empty(0, dtype=torch.int64))
    assert batch.num_graphs == 0
    assert batch.x.shape == (0, 3)
    assert batch.edge_index.shape == (2, 0)
    assert batch.ptr.tolist() == [0]
    assert batch.to_data_list() == []


def test_rows_of_any_width() -> None:
    def graph(num_nodes: int) -> Data:
        small = torch.rand(num_nodes, 3) < 0.5
        return Data(
            x=torch.randn(num_nodes, 2, dtype=torch.float64),  # 16 bytes a row
            half=torch.randn(num_nodes, 4, dtype=torch.bfloat16),  # 8
            single=torch.randn(num_nodes, 1),  # 4
            short=torch.randint(9, (num_nodes, 1), dtype=torch.int16),  # 2
            flag=small[:, :1],  # 1
            odd=small,  # 3
            matrix=torch.randn(num_nodes, 2, 2),  # 16
            empty=torch.empty(num_nodes, 0),  # 0
            edge_index=torch.randint(num_nodes, (2, 4), dtype=torch.int32),
            hyper_index=torch.randint(num_nodes, (2, 3, 4)),
            flag_index=small[:, 0],  # counted through the batch by its name, as PyG does
        )

    dataset = Stored([graph(n) for n in (3, 1, 4, 2)])
    dataset._data.x[0] = torch.tensor([torch.nan, -0.0])
    for mine, other in zip(ResidentLoader(dataset, 3), DataLoader(dataset, 3), strict=True):
        assert mine.x.view(torch.int64).equal(other.x.view(torch.int64))
        assert all(value.is_contiguous() for value in mine.to_dict().values())
        assert_same_batch(_without_x(mine), _without_x(other))


def _without_x(batch: Batch) -> Batch:
    """Not a number equals nothing, itself included."""
    batch.x = torch.zeros_like(batch.x)
    return batch


def test_batches_share_nothing() -> None:
    dataset = mixed()
    loader = ResidentLoader(dataset, 2)
    first, second = loader.gather(torch.tensor([0, 1])), loader.gather(torch.tensor([0, 1]))
    first.x.fill_(-1)
    first.batch.fill_(-1)
    first.more = torch.ones(2)
    assert "more" not in second
    assert second.batch.tolist() == [0, 0, 0, 1]
    assert torch.equal(second.x, dataset._data.x[:4])


def test_repr() -> None:
    assert repr(ResidentLoader(mixed(), 2)) == (
        "ResidentLoader(5 graphs, batch_size=2, shuffle=False)"
    )
    assert repr(ResidentLoader(mixed(), 2, shuffle=True, bucket=True)) == (
        "ResidentLoader(5 graphs, batch_size=2, shuffle=True, bucket=True)"
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
        (Stored([Data(x=EDGE, my_batch=EDGE)] * 2), ValueError, "'exclude_keys' .got 'my_batch'"),
        (Stored([Data(x=EDGE, adj=EDGE.to_sparse())] * 2), ValueError, "no sparse.*'adj'"),
        (Stored([Data(x=EDGE, more={"y": EDGE})] * 2), ValueError, "collections.*'more'"),
        (Stored([Data(x=EDGE, more=[EDGE])] * 2), ValueError, "collections.*'more'"),
    ],
)
def test_unfit_data_sets(dataset: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ResidentLoader(dataset)


def test_unfit_batch_size() -> None:
    with pytest.raises(ValueError, match=r"'batch_size' to be at least 1 .got 0"):
        ResidentLoader(mixed(), batch_size=0)


def test_unfit_bucket() -> None:
    with pytest.raises(TypeError, match=r"'bucket' to be True or False .got 4"):
        ResidentLoader(mixed(), bucket=4)  # type: ignore[arg-type]
