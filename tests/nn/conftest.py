"""Graphs in the format of the datasets, of mixed sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data

from pyg_topn.transforms import CanonicalOrder
from pyg_topn.utils import pair_index, undirected


def random_graph(num_nodes: int) -> Data:
    """One-hot node types (4) and edge types (3), both directions, sorted."""
    pairs = pair_index(torch.tensor([num_nodes]))
    pairs = pairs[:, torch.rand(pairs.size(1)) < 0.6]
    types = torch.randint(3, (pairs.size(1),))
    edge_index, attrs = undirected(pairs, num_nodes, {"edge_attr": F.one_hot(types, 3).float()})
    x = F.one_hot(torch.randint(4, (num_nodes,)), 4).float()
    return Data(x=x, edge_index=edge_index, edge_attr=attrs["edge_attr"])


@pytest.fixture
def graphs() -> list[Data]:
    """Graphs with a canonical order, one-node graphs among them."""
    return [CanonicalOrder()(random_graph(n)) for n in (5, 1, 7, 2, 1, 4)]
