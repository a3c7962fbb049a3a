"""A few digits in place of those of MNIST."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from pyg_topn.datasets import _mnist_files


@pytest.fixture
def mnist_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of the type of MNIST's: bars of 4 to 44 bright pixels."""
    folder = tmp_path / "mnist"
    (folder / "raw").mkdir(parents=True)
    for (images, labels), count in zip(_mnist_files.FILES.values(), (12, 5), strict=True):
        bars = np.zeros((count, 28, 28), dtype=np.uint8)
        for digit, bar in enumerate(bars):
            bar[4 : 6 + digit, 10 : 12 + digit % 3] = 255
        for name, array in ((images, bars), (labels, np.arange(count) % 10)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            content = header + array.astype(np.uint8).tobytes()
            (folder / "raw" / name).write_bytes(gzip.compress(content))
            monkeypatch.setitem(_mnist_files.SHA256, name, hashlib.sha256(content).hexdigest())
    return folder
