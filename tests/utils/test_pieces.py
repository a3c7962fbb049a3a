from __future__ import annotations

import networkx as nx
import pytest
import torch

from pyg_topn.utils import Layout, SparseLayout
from pyg_topn.utils.pieces import connected_pieces


@pytest.mark.parametrize("density", [0.0, 0.1, 0.2, 0.5, 1.0])
def test_against_networkx(density: float) -> None:
    layout = Layout(torch.tensor([1, 7, 2, 12, 1, 9, 3]), torch.device("cpu"))
    has_edge = torch.rand(layout.pair_index.size(1)) < density
    graph = nx.Graph()
    graph.add_nodes_from(range(layout.batch.numel()))
    graph.add_edges_from(layout.pair_index[:, has_edge].t().tolist())
    pieces = connected_pieces(has_edge, layout).tolist()
    for component in nx.connected_components(graph):
        assert {pieces[node] for node in component} == {min(component)}


def test_long_paths() -> None:
    """The worst case: the two ends of a path."""
    for size in (2, 3, 16, 17, 33):
        layout = Layout(torch.tensor([size]), torch.device("cpu"))
        i, j = layout.pair_index
        assert connected_pieces(j == i + 1, layout).tolist() == [0] * size


def test_no_graphs_and_no_pairs() -> None:
    for sizes in ([], [1, 1]):
        layout = Layout(torch.tensor(sizes, dtype=torch.int64), torch.device("cpu"))
        pieces = connected_pieces(torch.zeros(0, dtype=torch.bool), layout)
        assert pieces.tolist() == list(range(len(sizes)))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_along_the_pairs_of_a_restricted_layout(share: float) -> None:
    """The same pieces as by squaring, where all pairs that are left out have no edge."""
    full = Layout(torch.tensor([7, 1, 30, 12]), torch.device("cpu"))
    has_edge = torch.rand(full.pair_index.size(1)) < share
    kept = has_edge | (torch.rand(has_edge.numel()) < 0.2)
    sparse = SparseLayout(full.num_nodes, full.device, full.pair_index[:, kept])
    expected = connected_pieces(has_edge, full)
    assert torch.equal(connected_pieces(has_edge[kept], sparse), expected)


def test_a_long_path_of_a_restricted_layout() -> None:
    order = torch.randperm(200)
    i, j = order[:-1], order[1:]
    pairs = torch.stack([torch.minimum(i, j), torch.maximum(i, j)])
    pairs = pairs[:, (pairs[0] * 200 + pairs[1]).argsort()]
    layout = SparseLayout(torch.tensor([200]), torch.device("cpu"), pairs)
    assert connected_pieces(torch.ones(199, dtype=torch.bool), layout).tolist() == [0] * 200
