"""What datasets share: one cache file, written at once, and the sizes of all graphs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset
from tqdm.auto import tqdm

from pyg_topn.utils._files import write_at_once

Collated = tuple[Data, dict[str, Tensor] | None]


class CachedDataset(InMemoryDataset):
    """Graphs in one cache file, written at once or not at all.

    A subclass sets :obj:`cache_name` and says in :meth:`collated` what the file holds.
    """

    cache_name: str

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[..., Any] | None,
        pre_transform: Callable[..., Any] | None,
        pre_filter: Callable[..., Any] | None,
        log: bool,
        force_reload: bool,
    ) -> None:
        if pre_transform is not None or pre_filter is not None:
            self.cache_name += f"-{fingerprint(_repr(pre_transform), _repr(pre_filter))}"
        super().__init__(
            os.fspath(root), transform, pre_transform, pre_filter, log, force_reload=force_reload
        )
        try:
            self.load(self.processed_paths[0])
        except Exception as error:  # Whatever reading a damaged file may raise.
            raise ValueError(
                f"Expected a readable cache file (got {self.processed_paths[0]!r}: "
                f"{str(error).splitlines()[0] if str(error) else type(error).__name__}). "
                "Delete it, or pass force_reload=True"
            ) from error

    def collated(self) -> Collated:
        """Build the data and the slices of all graphs."""
        raise NotImplementedError

    @property
    def raw_file_names(self) -> list[str]:
        return []

    @property
    def processed_dir(self) -> str:
        return os.path.join(self.root, "processed", self.cache_name)

    @property
    def processed_file_names(self) -> list[str]:
        return ["data.pt"]

    @property
    def show_progress(self) -> bool:
        """Whether to show progress bars, on the condition on which PyG prints."""
        return bool(self.log) and "PYTEST_CURRENT_TEST" not in os.environ

    def process(self) -> None:
        data, slices = self.collated()
        if self.pre_filter is not None or self.pre_transform is not None:
            data, slices = self._transformed(data, slices)
        path = self.processed_paths[0]
        write_at_once(path, lambda file: torch.save((data.to_dict(), slices, type(data)), file))

    def _transformed(self, data: Any, slices: dict[str, Tensor] | None) -> Collated:
        self._data, self.slices, self._data_list = data, slices, None
        graphs = []
        for index in tqdm(range(self.len()), desc="Transforming", disable=not self.show_progress):
            graph = self.get(index)
            if self.pre_filter is None or self.pre_filter(graph):
                graphs.append(self.pre_transform(graph) if self.pre_transform else graph)
        self._data_list = None
        if not graphs:
            raise ValueError("Expected 'pre_filter' to keep at least one graph (got none)")
        return self.collate(graphs)

    def size_histogram(self) -> Tensor:
        r"""Return the number of graphs of every size, :math:`[n_{max} + 1]`, ``torch.int64``."""
        if self.slices is None:
            return torch.bincount(torch.tensor([self._data.num_nodes]))
        sizes = self.slices["x" if "x" in self.slices else "pos"].diff()
        # A subset of a dataset has the length of the whole, so that histograms can be compared.
        return torch.bincount(sizes[list(self.indices())], minlength=int(sizes.max()) + 1)


def fingerprint(*parts: object) -> str:
    """Return a short hash of what identifies a cache."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def _repr(function: object) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(function))
