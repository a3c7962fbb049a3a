"""Pooling against plain statistics of each graph."""

from __future__ import annotations

import torch

from pyg_topn.nn.encoder import PNAReadout
from pyg_topn.utils import build_batch

SIZES = [3, 1, 5]


def test_statistics_of_each_graph() -> None:
    x = torch.randn(9, 4)
    readout = PNAReadout(4, 6)
    expected = []
    for part in x.split(SIZES):
        # PyG keeps the square root away from zero.
        std = part.var(dim=0, unbiased=False).clamp(min=1e-5).sqrt()
        std = std.masked_fill(std <= 1e-5**0.5, 0)
        pooled = torch.cat([part.sum(dim=0), part.mean(dim=0), part.amax(dim=0), std])
        expected.append(readout.lin(readout.norm(pooled)))
    batch = build_batch(torch.tensor(SIZES), {"x": x})
    torch.testing.assert_close(readout(x, batch), torch.stack(expected))


def test_order_of_nodes_does_not_matter() -> None:
    x, readout = torch.randn(9, 4), PNAReadout(4, 6)
    perm = torch.cat([torch.tensor([2, 0, 1, 3]), 4 + torch.randperm(5)])
    before = readout(x, build_batch(torch.tensor(SIZES), {"x": x}))
    after = readout(x[perm], build_batch(torch.tensor(SIZES), {"x": x[perm]}))
    torch.testing.assert_close(after, before)


def test_gradients_and_reset() -> None:
    x, readout = torch.randn(9, 4, requires_grad=True), PNAReadout(4, 6)
    batch = build_batch(torch.tensor(SIZES), {"x": x})
    before = readout(x, batch)
    before.square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    readout.reset_parameters()
    assert not torch.equal(readout(x, batch), before)


def test_no_graphs() -> None:
    none = torch.empty(0, 4)
    batch = build_batch(torch.empty(0, dtype=torch.int64), {"x": none})
    assert PNAReadout(4, 6)(none, batch).shape == (0, 6)
