"""The output of the set VAE holds what it was given."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from pyg_topn.models import SetVAEOutput
from pyg_topn.nn.encoder import DiagonalGaussian
from pyg_topn.utils import build_batch


def test_it_cannot_be_changed() -> None:
    sets = build_batch(torch.tensor([2]), {"pos": torch.zeros(2, 3)})
    posterior = DiagonalGaussian(torch.zeros(1, 8), torch.zeros(1, 8))
    output = SetVAEOutput(sets, posterior, posterior.mean)
    assert output.prediction is sets
    assert output.posterior is posterior
    with pytest.raises(FrozenInstanceError):
        output.z = torch.ones(1, 8)  # type: ignore[misc]
