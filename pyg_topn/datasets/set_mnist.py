"""The digits of MNIST as sets of points."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyg_topn.datasets._cached_dataset import CachedDataset, Collated
from pyg_topn.datasets._collate import collate_sets
from pyg_topn.datasets._mnist_files import FILES, Bytes, read_digits

#: The darkest pixel that is no point (of 255), and the divisor of rows and columns.
PROTOCOLS = {
    # (p / 255 - .1307) / .3081 > 0 for p of 34 and more.
    "dspn": (33, 27.0),
    "tspn": (20, 28.0),
}


class SetMNIST(CachedDataset):
    r"""The 70,000 digits of MNIST as sets of points, of which the paper `"Top-N: Equivariant Set
    and Graph Generation without Exchangeability" <https://arxiv.org/abs/2110.02096>`_ trains
    autoencoders (section 5.1, appendix D.1).

    A point is a pixel that is bright enough. A set is a :class:`~torch_geometric.data.Data` with

    * :obj:`pos` :math:`[n, 2]`: row and column of every point, scaled, from top left to bottom
      right;
    * :obj:`y` :math:`[1]`: the digit.

    There are two protocols in the literature:

    * :obj:`"tspn"` (`Kosiorek et al., 2020 <https://arxiv.org/abs/2006.16841>`_): pixels above
      20/255, coordinates divided by 28; 34 to 350 points, 139 on average;
    * :obj:`"dspn"` (`Zhang et al., 2019 <https://arxiv.org/abs/1906.06565>`_): pixels above 0 once
      they are normalised with mean .1307 and standard deviation .3081, coordinates divided by 27;
      32 to 342 points, 133 on average.

    The files are downloaded unless they are in :obj:`root/raw`, and verified. Once the sets are in
    :obj:`root/processed`, they are not needed any more.

    Args:
        root: Folder for the files.
        split: :obj:`"train"` (60,000), :obj:`"test"` (10,000), or :obj:`None` for all, the training
            set first.
        protocol: :obj:`"tspn"` or :obj:`"dspn"`.
        transform: Applied to a set at every access.
        pre_transform: Applied to every set before it is stored.
        pre_filter: Says of every set whether to store it.
        log: Whether to show progress on standard error.
        force_reload: Whether to process again.

    Raises:
        FileNotFoundError: If files are missing and cannot be downloaded; it says where to put them.
        ValueError: If an argument is unknown, a file is not the one of MNIST, or the cache file is
            damaged.

    Example:
        >>> dataset = SetMNIST("data/mnist", split="train")  # doctest: +SKIP
        >>> dataset[0]  # doctest: +SKIP
        Data(pos=[148, 2], y=[1])
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str | None = None,
        protocol: str = "tspn",
        transform: Callable[..., Any] | None = None,
        pre_transform: Callable[..., Any] | None = None,
        pre_filter: Callable[..., Any] | None = None,
        *,
        log: bool = True,
        force_reload: bool = False,
    ) -> None:
        if split is not None and split not in FILES:
            raise ValueError(f"Expected 'split' to be None or one of {list(FILES)} (got {split!r})")
        if protocol not in PROTOCOLS:
            known = list(PROTOCOLS)
            raise ValueError(f"Expected 'protocol' to be one of {known} (got {protocol!r})")
        self.split, self.protocol = split, protocol
        self.cache_name = f"{protocol}-{split or 'all'}"
        super().__init__(root, transform, pre_transform, pre_filter, log, force_reload)

    def collated(self) -> Collated:
        splits = FILES if self.split is None else (self.split,)
        parts = [read_digits(Path(self.raw_dir), split, bool(self.log)) for split in splits]
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return _points(images, labels, *PROTOCOLS[self.protocol])


def _points(images: Bytes, labels: Bytes, threshold: int, divisor: float) -> Collated:
    if len(images) != len(labels):
        raise ValueError(f"Expected a label an image (got {len(labels)} and {len(images)})")
    digit, row, column = (images > threshold).nonzero()
    num_points = np.bincount(digit, minlength=len(images))
    if not num_points.all():
        empty = int(num_points.argmin())
        raise ValueError(
            f"Expected a pixel above {threshold} in every image (got none in image {empty})"
        )
    pos = torch.from_numpy(np.stack([row, column], axis=1)).float() / divisor
    y = torch.from_numpy(labels).long()
    return collate_sets(torch.from_numpy(num_points), {"pos": pos}, {"y": y})
