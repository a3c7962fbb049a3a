"""Digits as sets: files made by the tests, and those of MNIST where they are found.

The environment variable PYG_TOPN_MNIST names a folder with the four files.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import struct
import time
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pyg_topn.datasets import SetMNIST, _mnist_files

COUNTS = {"train": 12, "test": 5}
MNIST = os.environ.get("PYG_TOPN_MNIST")


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write(path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a file whose checksum is the right one."""
    path.write_bytes(gzip.compress(content))
    monkeypatch.setitem(_mnist_files.SHA256, path.name, hashlib.sha256(content).hexdigest())


def digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(COUNTS[split])
    images = rng.integers(0, 60, (COUNTS[split], 28, 28))
    return images, rng.integers(0, 10, COUNTS[split])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small files in place of those of MNIST, and no network."""
    (tmp_path / "raw").mkdir()
    for split, names in _mnist_files.FILES.items():
        for name, array in zip(names, digits(split), strict=True):
            write(tmp_path / "raw" / name, idx(array), monkeypatch)

    def offline(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(_mnist_files, "download_url", offline)
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("protocol", ["tspn", "dspn"])
def test_points_are_bright_pixels(root: Path, split: str, protocol: str) -> None:
    dataset = SetMNIST(root, split, protocol)
    images, labels = digits(split)
    assert len(dataset) == COUNTS[split]
    for data, image, label in zip(dataset, images, labels, strict=True):
        if protocol == "tspn":
            expected = np.argwhere(image / 255 > 20 / 255) / 28
        else:
            expected = np.argwhere((image / 255 - 0.1307) / 0.3081 > 0) / 27
        assert data.pos.dtype == torch.float32
        np.testing.assert_allclose(data.pos, expected, rtol=1e-6)
        assert data.y.tolist() == [label]
        assert data.y.dtype == torch.int64
        assert data.num_nodes == len(expected)


def test_thresholds_are_exclusive(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((1, 28, 28))
    image[0, 27, :4] = [20, 21, 33, 34]
    for name, array in zip(_mnist_files.FILES["test"], (image, np.array([3])), strict=True):
        write(root / "raw" / name, idx(array), monkeypatch)
    tspn = SetMNIST(root, "test", "tspn")
    assert len(tspn) == 1
    torch.testing.assert_close(tspn[0].pos * 28, torch.tensor([[27.0, 1], [27, 2], [27, 3]]))
    assert tspn.size_histogram().tolist() == [0, 0, 0, 1]
    dspn = SetMNIST(root, "test", "dspn")
    torch.testing.assert_close(dspn[0].pos, torch.tensor([[1.0, 3 / 27]]))


def test_all_digits_are_those_of_both_splits(root: Path) -> None:
    every, train, test = (SetMNIST(root, split) for split in (None, "train", "test"))
    assert len(every) == 17
    assert torch.equal(every.y, torch.cat([train.y, test.y]))
    assert torch.equal(every[14].pos, test[2].pos)
    assert every.size_histogram().sum() == 17
    batch = next(iter(DataLoader(every, batch_size=17)))
    assert torch.equal(batch.pos, Batch.from_data_list(list(every)).pos)
    assert torch.equal(batch.ptr.diff(), torch.tensor([data.num_nodes for data in every]))


def test_the_cache_needs_no_files(root: Path) -> None:
    expected = SetMNIST(root, "test").pos
    shutil.rmtree(root / "raw")
    assert torch.equal(SetMNIST(root, "test").pos, expected)
    with pytest.raises(FileNotFoundError):
        SetMNIST(root, "test", "dspn")
    assert SetMNIST(root, "test", transform=lambda data: data.num_nodes)[0] > 0


def test_missing_files_are_downloaded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _mnist_files.FILES["test"][1]
    path = root / "raw" / name
    content, asked = path.read_bytes(), []

    def download(url: str, folder: str, log: bool) -> str:
        asked.append(url)
        (Path(folder) / name).write_bytes(content)
        return str(Path(folder) / name)

    monkeypatch.setattr(_mnist_files, "download_url", download)
    path.unlink()
    assert len(SetMNIST(root, "test")) == 5
    assert asked == [f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}"]
    assert path.read_bytes() == content
    assert sorted(item.name for item in (root / "raw").iterdir()) == sorted(_mnist_files.SHA256)


def test_without_files_and_network(root: Path) -> None:
    shutil.rmtree(root / "raw")
    with pytest.raises(FileNotFoundError, match="no network") as raised:
        SetMNIST(root)
    message = str(raised.value)
    assert repr(str(root / "raw")) in message
    assert all(name in message for name in _mnist_files.SHA256)
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_an_interrupted_download_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str, folder: str, log: bool) -> None:
        (Path(folder) / "half").write_bytes(b"half")
        raise ConnectionResetError("connection lost")

    monkeypatch.setattr(_mnist_files, "download_url", interrupted)
    shutil.rmtree(root / "raw")
    with pytest.raises(FileNotFoundError, match="connection lost"):
        SetMNIST(root)
    assert list((root / "raw").iterdir()) == []


def _without_header(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content)[16:])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"", r"IDX data that begin with 00000803 \(got nothing\)"),
        (lambda content: b"<html>", r"a file compressed by gzip \(got Not a gzipped file"),
        (lambda content: content[: len(content) // 2], r"a file compressed by gzip \(got"),
        (lambda content: content[:100] + b"\0" * 9 + content[109:], "compressed by gzip"),
        (_without_header, r"IDX data that begin with 00000803 \(got"),
        (lambda content: gzip.compress(idx(np.zeros((2, 2)))), r"00000803 \(got 00000802\)"),
        (lambda content: gzip.compress(b"\0\0\x08\x03\0"), r"16 bytes, as its header .*got 5\)"),
        (
            lambda content: gzip.compress(gzip.decompress(content)[:-1]),
            r"3936 bytes, as its header says \(got 3935\)",
        ),
        (
            lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\xff"),
            r"the file of MNIST, with SHA-256 [0-9a-f]{64} once decompressed \(got [0-9a-f]{64}\)",
        ),
    ],
)
def test_damaged_files(root: Path, damage: object, message: str) -> None:
    path = root / "raw" / _mnist_files.FILES["test"][0]
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as raised:
        SetMNIST(root, "test")
    assert repr(str(path)) in str(raised.value)
    assert "Replace it, or delete it" in str(raised.value)
    assert not list(root.rglob("*.pt"))
    assert len(SetMNIST(root, "train")) == 12  # The other files are not looked at.


def test_other_compression_of_the_same_content(root: Path) -> None:
    path = root / "raw" / _mnist_files.FILES["test"][0]
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=5))
    assert len(SetMNIST(root, "test")) == 5


def test_impossible_content(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = (root / "raw" / name for name in _mnist_files.FILES["test"])
    write(labels, idx(np.arange(4)), monkeypatch)
    with pytest.raises(ValueError, match=r"Expected a label an image \(got 4 and 5\)"):
        SetMNIST(root, "test")
    black = np.full((4, 28, 28), 255)
    black[2] = 20
    write(images, idx(black), monkeypatch)
    with pytest.raises(ValueError, match=r"a pixel above 20 in every image \(got none in image 2"):
        SetMNIST(root, "test")


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected 'split' to be None or one of .*got 'val'"):
        SetMNIST(tmp_path, split="val")
    with pytest.raises(ValueError, match=r"Expected 'protocol' to be one of .*got 'mnist'"):
        SetMNIST(tmp_path, protocol="mnist")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(MNIST is None, reason="PYG_TOPN_MNIST names no folder with MNIST")
@pytest.mark.parametrize(
    ("protocol", "smallest", "largest", "mean"),
    [("tspn", 34, 350, 139.06), ("dspn", 32, 342, 133.30)],
)
def test_mnist(tmp_path: Path, protocol: str, smallest: int, largest: int, mean: float) -> None:
    shutil.copytree(Path(MNIST or ""), tmp_path / "raw")
    start = time.perf_counter()
    dataset = SetMNIST(tmp_path, protocol=protocol, log=False)
    assert time.perf_counter() - start < 60  # 3 s
    assert len(dataset) == 70_000
    sizes = dataset.size_histogram().nonzero().flatten()
    assert (int(sizes[0]), int(sizes[-1])) == (smallest, largest)
    assert dataset.pos.size(0) / 70_000 == pytest.approx(mean, abs=0.01)
    assert dataset.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.y[60_000:60_010].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert len(SetMNIST(tmp_path, "train", protocol, log=False)) == 60_000
    test = SetMNIST(tmp_path, "test", protocol, log=False)
    assert len(test) == 10_000
    assert torch.equal(test[17].pos, dataset[60_017].pos)
    assert 0 <= test.pos.min() <= test.pos.max() <= 1
