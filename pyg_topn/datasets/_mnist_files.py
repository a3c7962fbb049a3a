"""The files of MNIST: found, downloaded, read and verified."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from torch_geometric.data import download_url

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

#: Files of images and of labels of every split.
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}

# Of the contents: the compressed bytes differ from mirror to mirror.
SHA256 = {
    FILES["train"][0]: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    FILES["train"][1]: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    FILES["test"][0]: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    FILES["test"][1]: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

Bytes = npt.NDArray[np.uint8]


def read_digits(folder: Path, split: str, log: bool) -> tuple[Bytes, Bytes]:
    """The images [B, 28, 28] and the labels [B] of a split; files that are missing are downloaded.

    Raises:
        FileNotFoundError: If files are missing and cannot be downloaded.
        ValueError: If a file is not the one of MNIST.
    """
    for name in FILES[split]:
        if not (folder / name).is_file():
            _download(folder, name, log)
    images, labels = FILES[split]
    return read_idx(folder / images, 3), read_idx(folder / labels, 1)


def _download(folder: Path, name: str, log: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Elsewhere first: an interrupted download leaves nothing that looks like the file.
        with TemporaryDirectory(dir=folder) as draft:
            path = download_url(URL + name, draft, log=log)
            os.replace(path, folder / name)
    except (OSError, HTTPException) as error:
        names = ", ".join(file for files in FILES.values() for file in files)
        raise FileNotFoundError(
            f"Expected the files of MNIST in {str(folder)!r} (got no {name}, and cannot download "
            f"{URL}{name}: {error}). Put them there from any mirror: {names}"
        ) from error


def read_idx(path: Path, num_dims: int) -> Bytes:
    """The array of bytes in a compressed file of type IDX, whose checksum must be that of MNIST.

    Args:
        path: The file.
        num_dims: Number of dimensions of the array.

    Raises:
        ValueError: If it is not compressed, not of this type, cut off, or not the file of MNIST.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, "a file compressed by gzip", str(error)) from error
    # Two zero bytes, 8 for unsigned bytes, the number of dimensions; then 4 bytes for each of them.
    magic, start = bytes([0, 0, 8, num_dims]), 4 + 4 * num_dims
    if content[:4] != magic:
        raise _wrong(
            path, f"IDX data that begin with {magic.hex()}", content[:4].hex() or "nothing"
        )
    shape = np.frombuffer(content[4:start].ljust(4 * num_dims, b"\0"), dtype=">u4").tolist()
    size = start + math.prod(shape)
    if len(content) != size:
        raise _wrong(path, f"{size} bytes, as its header says", f"{len(content)}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[path.name]:
        expected = f"the file of MNIST, with SHA-256 {SHA256[path.name]} once decompressed"
        raise _wrong(path, expected, digest)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _wrong(path: Path, expected: str, got: str) -> ValueError:
    return ValueError(
        f"Expected {str(path)!r} to hold {expected} (got {got}). "
        "Replace it, or delete it to have it downloaded"
    )
