"""First-n against its equation."""

from __future__ import annotations

import torch

from pyg_topn.nn.creation import FirstNCreation


def test_equals_a_linear_layer_of_the_appended_latent_vector() -> None:
    layer = FirstNCreation(3, 5, max_num_nodes=6).double()
    z, sizes = torch.randn(3, 3, dtype=torch.float64), [2, 6, 1]
    batch = layer(z, torch.tensor(sizes))
    weight = torch.cat([layer.reference_lin.weight, layer.latent_lin.weight], dim=1)
    for g, n in enumerate(sizes):
        for i in range(n):
            appended = torch.cat([layer.reference[i], z[g]])
            expected = weight @ appended + layer.latent_lin.bias
            torch.testing.assert_close(batch[g].x[i], expected)


def test_unused_rows_get_no_gradient() -> None:
    layer = FirstNCreation(3, 5, max_num_nodes=6)
    layer(torch.randn(2, 3), torch.tensor([2, 4])).x.sum().backward()
    assert layer.reference.grad is not None
    assert layer.reference.grad.ne(0).any(dim=1).tolist() == [True] * 4 + [False] * 2
