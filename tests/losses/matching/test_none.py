"""No matching: nodes are compared as they are given."""

from __future__ import annotations

import torch
from torch_geometric.data import Batch, Data

from pyg_topn.losses import GraphVAELoss
from pyg_topn.losses.matching import NoneMatcher
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.utils import Layout


def ethanol(backwards: bool = False) -> Data:
    path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    types = [2, 0, 0] if backwards else [0, 0, 2]
    return Data(x=torch.eye(4)[types], edge_index=path, edge_attr=torch.eye(3)[[0, 0, 0, 0]])


def sure_of_ethanol() -> GraphDistribution:
    layout = Layout(torch.tensor([3]), torch.device("cpu"))
    pair_type = torch.tensor([1, 0, 1])  # C-C, C O, C-O
    return GraphDistribution(50 * ethanol().x, 50 * torch.eye(4)[pair_type], layout)


def test_the_order_is_kept() -> None:
    target = Batch.from_data_list([ethanol(), ethanol(backwards=True)])
    layout = Layout(torch.tensor([3, 3]), torch.device("cpu"))
    distribution = GraphDistribution(torch.randn(6, 4), torch.randn(6, 4), layout)
    assert NoneMatcher()(distribution, target).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_loss_depends_on_the_order_of_nodes() -> None:
    loss = GraphVAELoss(NoneMatcher(), edge_orders=(1, 2, 3))
    same = loss(sure_of_ethanol(), Batch.from_data_list([ethanol()]))
    other = loss(sure_of_ethanol(), Batch.from_data_list([ethanol(backwards=True)]))
    assert float(same["loss"]) < 1e-6
    assert float(other["node"]) > 90  # Two of three nodes are wrong, at 50 nats each.
    assert float(other["formula"]) < 1e-6


def test_repr() -> None:
    assert repr(NoneMatcher()) == "NoneMatcher()"
