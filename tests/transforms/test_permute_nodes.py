"""Permuted graphs are the same graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.utils import coalesce, erdos_renyi_graph, to_dense_adj

from pyg_topn.transforms import PermuteNodes


def random_graph(num_nodes: int, seed: int = 0) -> Data:
    torch.manual_seed(seed)
    edge_index = coalesce(erdos_renyi_graph(num_nodes, 0.4))
    row, col = edge_index
    return Data(
        x=torch.randn(num_nodes, 2),
        edge_index=edge_index,
        edge_attr=torch.stack([row + col, row * col], dim=1),
        canonical_index=torch.randperm(num_nodes),
        node_id=torch.arange(num_nodes),  # Tells where nodes went.
        y=torch.randn(1, 3),
        smiles="CCO",
    )


def assert_same_graph(permuted: Data, data: Data) -> None:
    node = permuted.node_id
    assert torch.equal(node.sort().values, data.node_id)
    assert torch.equal(permuted.x, data.x[node])
    assert torch.equal(node[permuted.canonical_index], data.canonical_index)
    assert torch.equal(coalesce(permuted.edge_index), permuted.edge_index)
    back, attr = coalesce(node[permuted.edge_index], permuted.edge_attr)
    assert torch.equal(back, data.edge_index)
    assert torch.equal(attr, data.edge_attr)
    assert torch.equal(permuted.y, data.y)
    assert permuted.smiles == data.smiles


@given(st.integers(1, 9), st.integers(0, 1000))
def test_isomorphic(num_nodes: int, seed: int) -> None:
    data = random_graph(num_nodes, seed)
    assert_same_graph(PermuteNodes(seed)(data), data)


def test_as_many_edges_as_nodes() -> None:
    data = random_graph(4)
    data.edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    data.edge_attr = torch.tensor([[1], [1], [5], [5]])
    for seed in range(20):
        assert_same_graph(PermuteNodes(seed)(data), data)


def test_batches_keep_their_graphs() -> None:
    graphs = [random_graph(size, size) for size in (5, 1, 7, 3)]
    for data in graphs:
        data.node_id = data.node_id.clone()
    batch = Batch.from_data_list(graphs)
    permuted = PermuteNodes(seed=0)(batch)
    assert torch.equal(permuted.batch, batch.batch)
    assert not torch.equal(permuted.x, batch.x)
    for after, before in zip(permuted.to_data_list(), graphs, strict=True):
        assert_same_graph(after, before)


def test_graph_attributes_are_not_taken_for_edges() -> None:
    pairs = [Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]])) for _ in range(2)]
    isolated = [Data(x=torch.ones(1, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64))] * 2
    batch = Batch.from_data_list([*pairs, *isolated])
    batch.y = torch.arange(4)  # Four graphs, four directed edges.
    for seed in range(10):
        assert PermuteNodes(seed)(batch).y.tolist() == [0, 1, 2, 3]


def test_every_permutation_is_drawn_and_seeds_count() -> None:
    data = random_graph(3)
    transform, again = PermuteNodes(seed=1), PermuteNodes(seed=1)
    orders = [tuple(transform(data).node_id.tolist()) for _ in range(100)]
    assert len(set(orders)) == 6
    assert orders == [tuple(again(data).node_id.tolist()) for _ in range(100)]
    torch.manual_seed(0)
    first = PermuteNodes()(random_graph(9, 3)).node_id
    torch.manual_seed(0)
    assert data.node_id.tolist() == [0, 1, 2]  # The input is as it was.
    assert torch.equal(PermuteNodes()(random_graph(9, 3)).node_id, first)
    assert repr(transform) == "PermuteNodes(seed=1)"


def test_graphs_without_edges_or_nodes() -> None:
    data = PermuteNodes(seed=0)(Data(x=torch.arange(5.0)[:, None]))
    assert sorted(data.x.flatten().tolist()) == [0, 1, 2, 3, 4]
    assert PermuteNodes()(Data(x=torch.zeros(0, 2))).x.shape == (0, 2)


def named_path(names: str) -> Data:
    """A path whose nodes and directed edges have labels that are no tensors."""
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    bonds = [f"{names[i]}{names[j]}" for i, j in edge_index.t().tolist()]
    data = Data(x=list(names), edge_index=edge_index, edge_attr=bonds, num_nodes=len(names))
    data.number, data.smiles, data.pair = np.arange(len(names)), names, tuple(names)
    return data


def bonds_of(data: Data) -> list[str]:
    return [f"{data.x[i]}{data.x[j]}" for i, j in data.edge_index.t().tolist()]


def test_lists_and_arrays_move_too() -> None:
    for seed in range(6):
        data = PermuteNodes(seed)(named_path("abc"))
        assert data.edge_attr == bonds_of(data)
        assert sorted(data.edge_attr) == ["ab", "ba", "bc", "cb"]
        assert data.x == list(data.pair) == ["abc"[number] for number in data.number]
        assert data.smiles == "abc"


def test_lists_of_a_batch_move_within_their_graphs() -> None:
    graphs = [named_path("abc"), named_path("defg")]
    for graph in graphs:
        del graph.number, graph.pair
    graphs[1].numbers = graphs[0].numbers = [1, 2]  # Of neither nodes nor edges.
    moved = [PermuteNodes(seed)(Batch.from_data_list(graphs)) for seed in range(6)]
    assert len({str(batch.x) for batch in moved}) > 1
    for batch in moved:
        assert batch.numbers == [[1, 2], [1, 2]]
        for data, names in zip(batch.to_data_list(), ("abc", "defg"), strict=True):
            assert sorted(data.x) == list(names)
            assert data.edge_attr == bonds_of(data)
            assert data.smiles == names


@pytest.mark.filterwarnings("ignore:Sparse .*:UserWarning")  # PyTorch's, of any such matrix.
@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo, torch.strided])
def test_adjacency_matrices_move_with_both_sides(layout: torch.layout) -> None:
    data = random_graph(5)
    one_way = data.edge_index[0] < data.edge_index[1]
    data.edge_index, data.edge_attr = data.edge_index[:, one_way], data.edge_attr[one_way]
    dense = to_dense_adj(data.edge_index, max_num_nodes=5)[0]
    if layout == torch.strided:
        data.adj, data.edge_index, data.edge_attr = dense.t(), None, None
    else:
        data = T.ToSparseTensor(layout=layout)(data)
    for seed in range(5):
        permuted = PermuteNodes(seed)(data)
        matrix = permuted.adj if layout == torch.strided else permuted.adj_t
        assert matrix.layout == layout
        node = permuted.node_id
        matrix = matrix.to_dense()
        assert torch.equal(matrix, dense.t()[node][:, node])
        if layout != torch.strided:  # Edges have the order of the matrix.
            target, source = node[matrix.nonzero()].t()
            expected = torch.stack([source + target, source * target], dim=1)
            assert torch.equal(permuted.edge_attr, expected)


@pytest.mark.filterwarnings("ignore:Sparse .*:UserWarning")  # PyTorch's, of any such matrix.
def test_sparse_matrices_of_a_batch() -> None:
    graphs = [T.ToSparseTensor()(random_graph(size, size)) for size in (5, 3)]
    permuted = PermuteNodes(seed=0)(Batch.from_data_list(graphs))
    dense = torch.block_diag(*(graph.adj_t.to_dense() for graph in graphs))
    node = permuted.node_id + permuted.ptr[permuted.batch]  # Counted through the batch.
    assert not torch.equal(permuted.adj_t.to_dense(), dense)
    assert torch.equal(permuted.adj_t.to_dense(), dense[node][:, node])


def test_faces_keep_their_corners() -> None:
    corners = torch.tensor([[0, 1], [1, 2], [2, 3]])
    data = Data(pos=torch.randn(4, 3), face=corners)
    permuted = PermuteNodes(seed=1)(data)
    assert not torch.equal(permuted.face, corners)
    assert torch.equal(permuted.pos[permuted.face], data.pos[corners])


class Paths(Dataset[Any]):
    """Eight long paths, permuted when they are read."""

    def __init__(self, transform: PermuteNodes) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Data:
        return self.transform(Data(x=torch.arange(50)))


def test_workers_and_epochs_differ_and_can_be_repeated() -> None:
    def epochs() -> list[str]:
        torch.manual_seed(3)
        loader = DataLoader(Paths(PermuteNodes(seed=0)), num_workers=2)
        return [str(batch.x.tolist()) for _ in range(2) for batch in loader]

    drawn = epochs()
    assert len(set(drawn)) == 16
    assert drawn == epochs()


def test_bad_input() -> None:
    with pytest.raises(TypeError, match=r"homogeneous graph or batch \(got HeteroData\)"):
        PermuteNodes()(HeteroData())
    wrong: Any = "one"
    with pytest.raises(TypeError, match=r"'seed' to be an integer or None \(got 'one'\)"):
        PermuteNodes(wrong)
    with pytest.raises(TypeError, match=r"'seed' to be an integer or None \(got True\)"):
        PermuteNodes(True)
    data = random_graph(3)
    data.canonical_index = [2, 0, 1]
    with pytest.raises(TypeError, match=r"'canonical_index' to be a tensor \(got list\)"):
        PermuteNodes()(data)
    with pytest.raises(TypeError, match=r"'adj' to be a tensor \(got ndarray\)"):
        PermuteNodes()(Data(x=torch.eye(2), adj=np.eye(2)))
    with pytest.raises(ValueError, match=r"'adj' of a row and a column a node \(got .2, 3. and 2"):
        PermuteNodes()(Data(x=torch.eye(2), adj=torch.ones(2, 3)))
