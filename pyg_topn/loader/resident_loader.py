"""A loader for data sets that fit on the device: a batch is index arithmetic and a gather."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.utils import cumsum

from pyg_topn.utils.ragged import batch_vector


class ResidentLoader:
    r"""Batches of an in-memory data set, made without building the graphs one by one.

    The collated tensors of the data set stay where they are, on the CPU or on a device, and a
    batch is gathered from them: it equals what :class:`torch_geometric.loader.DataLoader` makes
    of the same graphs. There is no Python loop over graphs.

    Args:
        dataset: The data set; a split or a selection of one too. Its :obj:`transform` must be
            :obj:`None`, since graphs are never built one by one (use :obj:`pre_transform`).
        batch_size: The number of graphs of a batch.
        shuffle: Whether every epoch draws a new order.
        drop_last: Whether to leave out a last batch that is not full.
        seed: Of the orders; epoch :math:`k` of the same seed always has the same order.
        exclude_keys: Attributes to leave out.
        device: Where the data set is to lie; by default where it is.

    Raises:
        TypeError: If the data set is not an :class:`InMemoryDataset` of homogeneous graphs.
        ValueError: If it has a transform or is empty, :obj:`batch_size` is below 1, or nothing
            tells how many nodes a graph has.

    Example:
        >>> from torch_geometric.datasets import FakeDataset
        >>> loader = ResidentLoader(FakeDataset(num_graphs=5), batch_size=2)
        >>> [batch.num_graphs for batch in loader]
        [2, 2, 1]
    """

    def __init__(
        self,
        dataset: InMemoryDataset,
        batch_size: int = 512,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        exclude_keys: Sequence[str] = (),
        device: torch.device | str | None = None,
    ) -> None:
        if not isinstance(dataset, InMemoryDataset) or type(dataset._data) is not Data:
            raise TypeError(
                f"Expected an InMemoryDataset of homogeneous graphs (got {type(dataset).__name__})"
            )
        if dataset.transform is not None:
            raise ValueError(
                "Expected a data set without 'transform'; use 'pre_transform' "
                f"(got {dataset.transform})"
            )
        if len(dataset) == 0 or dataset.slices is None:
            raise ValueError(f"Expected at least 2 stored graphs (got {len(dataset)})")
        if batch_size < 1:
            raise ValueError(f"Expected 'batch_size' to be at least 1 (got {batch_size})")
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.seed, self.epoch, self.position = seed, 0, 0
        self._at = (0, 0)
        self.indices = torch.as_tensor(list(dataset.indices()))
        self.data = dataset._data if device is None else dataset._data.clone().to(device)
        self.keys = [key for key in dataset.slices if key not in exclude_keys]
        self.num_nodes = _num_nodes(self.data, dataset.slices)
        # Rows first: a gather along the last dimension would copy the whole tensor every time.
        self.rows_first = {key: self._rows_first(key) for key in self.keys}
        slices = {key: torch.as_tensor(dataset.slices[key]) for key in self.keys}
        self.groups, self.group_of = _group(slices)

    def __len__(self) -> int:
        full, rest = divmod(self.indices.numel(), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        epoch, start = self.epoch, self.position
        self.epoch, self.position = epoch + 1, 0
        order = self.indices
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = order[torch.randperm(order.numel(), generator=generator)]
        for number, index in enumerate(order.split(self.batch_size)[: len(self)]):
            if number >= start:
                self._at = (epoch, number + 1)
                yield self.gather(index)
        self._at = (epoch + 1, 0)

    def state_dict(self) -> dict[str, int]:
        r"""Return where the loader stands, for a run that is to go on after a kill."""
        return {"epoch": self._at[0], "position": self._at[1]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        r"""Go on where a loader stood, in the middle of an epoch if it was there."""
        self.epoch, self.position = state["epoch"], state["position"]
        self._at = (self.epoch, self.position)

    def gather(self, index: Tensor) -> Batch:
        r"""Return the batch of given graphs.

        Args:
            index: The graphs, :math:`[B]`, numbered through the whole stored data set.
        """
        batch = Batch(_base_cls=Data)
        slices: dict[str, Tensor] = {}
        incs: dict[str, Tensor | None] = {}
        num_nodes = self.num_nodes[index]
        node_ptr = cumsum(num_nodes)
        rows = [_rows(stored, index) for stored in self.groups]
        for key in self.keys:
            stored = self.rows_first[key]
            row, ptr = rows[self.group_of[key]]
            slices[key], incs[key] = ptr, torch.zeros_like(num_nodes)
            if not isinstance(stored, Tensor):
                batch[key], incs[key] = [stored[i] for i in index.tolist()], None
                continue
            value = stored.index_select(0, row.to(stored.device, non_blocking=True))
            if self.data.__cat_dim__(key, stored):
                value = value.t().contiguous()  # [E, 2] -> [2, E]
            if "index" in key or key == "face":
                incs[key] = node_ptr[:-1]
                shift = node_ptr[:-1].repeat_interleave(ptr.diff())
                value = value + shift.to(value.device, non_blocking=True)
            batch[key] = value
        if hasattr(self.data._store, "_num_nodes"):
            batch._store._num_nodes, batch.num_nodes = num_nodes.tolist(), int(node_ptr[-1])
        device = next(v.device for v in self.rows_first.values() if isinstance(v, Tensor))
        batch.batch = batch_vector(num_nodes, device)
        batch.ptr = node_ptr.to(device, non_blocking=True)
        batch._num_graphs, batch._slice_dict, batch._inc_dict = index.numel(), slices, incs
        return batch

    def _rows_first(self, key: str) -> Any:
        stored = self.data[key]
        if isinstance(stored, Tensor) and self.data.__cat_dim__(key, stored):
            return stored.t().contiguous()  # [2, E] -> [E, 2]
        return stored

    def __repr__(self) -> str:
        arguments: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": self.shuffle}
        text = ", ".join(f"{key}={value}" for key, value in arguments.items())
        return f"{self.__class__.__name__}({self.indices.numel()} graphs, {text})"


def _num_nodes(data: Data, slices: Mapping[str, Any]) -> Tensor:
    """Return the number of nodes of every stored graph, where PyG looks for it."""
    if hasattr(data._store, "_num_nodes"):
        return torch.tensor(data._store._num_nodes)
    for key in ("x", "pos"):
        if key in slices:
            return torch.as_tensor(slices[key]).diff()
    raise ValueError(f"Expected graphs with 'x', 'pos' or 'num_nodes' (got {', '.join(slices)})")


def _group(slices: dict[str, Tensor]) -> tuple[list[Tensor], dict[str, int]]:
    """Find the attributes that share their slices, so that rows are worked out once for all."""
    groups: list[Tensor] = []
    group_of = {}
    for key, stored in slices.items():
        same = [i for i, group in enumerate(groups) if torch.equal(group, stored)]
        group_of[key] = same[0] if same else len(groups)
        if not same:
            groups.append(stored)
    return groups, group_of


def _rows(stored: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of a stored tensor that belong to the graphs, and their new slices."""
    sizes = stored.diff()[index]
    ptr = cumsum(sizes)
    shift = (stored[index] - ptr[:-1]).repeat_interleave(sizes)
    return torch.arange(shift.numel()) + shift, ptr
