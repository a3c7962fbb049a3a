"""Activations of ChemNet, the network that the Frechet ChemNet distance looks through."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_topn.utils.optional import require

_PAD = 350  # The length that the published distances were measured with; another changes them.
_WIDTH = 512


def chemnet_activations(
    smiles: Sequence[str], batch_size: int = 256, device: str | torch.device | None = None
) -> NDArray[np.float32]:
    r"""Penultimate activations of ChemNet, one row for every SMILES string: :obj:`[N, 512]`.

    Equal strings are computed once. Nine tenths of the time go into the products of one LSTM of
    512 units that reads 88 positions however short the string is, so that only more threads, or a
    GPU, make it faster: 10,000 molecules take about 20 seconds on two CPU cores.
    """
    distinct, where = np.unique(np.asarray(smiles, dtype=object), return_inverse=True)
    if len(distinct) == 0:
        return np.zeros((0, _WIDTH), dtype=np.float32)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model = _load().to(device)
    length = max(_PAD, 1 + max(len(text) for text in distinct))
    rows = []
    with torch.no_grad():
        for start in range(0, len(distinct), batch_size):
            inputs = _one_hot(
                distinct[start : start + batch_size].tolist(), length
            )  # [B, length, 35]
            output = model(torch.from_numpy(inputs).to(device).transpose(1, 2))  # [B, 512]
            rows.append(output.cpu().numpy())
    return np.concatenate(rows)[where]


def _load() -> Any:
    """The network with the weights that the fcd package carries; nothing is downloaded."""
    fcd = require("fcd", extra="fcd")
    # Named explicitly: without a path the package copies them to a temporary folder that it leaks.
    return fcd.load_ref_model(
        os.path.join(os.path.dirname(fcd.__file__), "ChemNet_v0.13_pretrained.pt")
    )


def _one_hot(smiles: Sequence[str], length: int) -> NDArray[np.float32]:
    encode = require("fcd.utils", extra="fcd").get_one_hot
    stacked = np.stack([encode(text, pad_len=length) for text in smiles])
    return (stacked / stacked.shape[2]).astype(np.float32)
