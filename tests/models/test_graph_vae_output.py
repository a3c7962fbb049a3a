"""What a forward pass gives."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from pyg_topn.models import GraphVAEOutput
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.utils import Layout


def test_holds_what_it_is_given() -> None:
    layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
    distribution = GraphDistribution(torch.randn(5, 4), torch.randn(4, 4), layout)
    posterior = DiagonalGaussian(torch.zeros(2, 8), torch.zeros(2, 8))
    z = torch.randn(2, 8)
    output = GraphVAEOutput(distribution, posterior, z)
    assert output.distribution is distribution
    assert output.posterior is posterior
    assert output.z is z
    with pytest.raises(FrozenInstanceError):
        output.z = z  # type: ignore[misc]
