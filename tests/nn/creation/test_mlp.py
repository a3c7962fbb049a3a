"""MLP creation against its equation."""

from __future__ import annotations

import torch

from pyg_topn.nn.creation import MLPCreation


def test_first_rows_of_the_reshaped_output() -> None:
    layer = MLPCreation(3, 5, max_num_nodes=6, hidden_channels=4).double()
    z, sizes = torch.randn(3, 3, dtype=torch.float64), [2, 6, 1]
    batch = layer(z, torch.tensor(sizes))
    first, second = layer.mlp.lins
    for g, n in enumerate(sizes):
        hidden = torch.relu(first.weight @ z[g] + first.bias)
        rows = (second.weight @ hidden + second.bias).reshape(6, 5)
        torch.testing.assert_close(batch[g].x, rows[:n])
