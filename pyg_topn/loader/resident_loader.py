"""A loader for data sets that fit on the device: a batch is index arithmetic and a gather."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.utils import cumsum

from pyg_topn.loader._stored_attribute import StoredAttribute
from pyg_topn.loader._stored_rows import GatheredRows


class ResidentLoader:
    r"""Batches of an in-memory data set, made without building the graphs one by one.

    The collated tensors of the data set stay where they are, on the CPU or on a device, and a
    batch is gathered from them: it equals what :class:`torch_geometric.loader.DataLoader` makes
    of the same graphs. There is no Python loop over graphs, and nothing waits for a device.

    Args:
        dataset: The data set; a split or a selection of one too. Its :obj:`transform` must be
            :obj:`None`, since graphs are never built one by one (use :obj:`pre_transform`).
        batch_size: The number of graphs of a batch.
        shuffle: Whether every epoch draws a new order.
        drop_last: Whether to leave out a last batch that is not full.
        seed: Of the orders; epoch :math:`k` of the same seed always has the same order.
        exclude_keys: Attributes to leave out.
        device: Where the data set is to lie; by default where it is.
        bucket: Whether the graphs of a batch are to be of similar size, so that padding adds
            little. Graphs are sorted by their number of nodes; with :obj:`shuffle`, those of the
            same number are in a new order every epoch, and so are the batches. The graphs that
            :obj:`drop_last` leaves out are the last ones before sorting, not the largest ones;
            without it, the batch that is not full holds the largest ones.

    Raises:
        TypeError: If the data set is not an :class:`InMemoryDataset` of homogeneous graphs, or
            :obj:`bucket` not a truth value.
        ValueError: If it has a transform or is empty, :obj:`batch_size` is below 1, nothing tells
            how many nodes a graph has, or an attribute is a sparse tensor, a collection of tensors
            or a tensor with ``"batch"`` in its name, which PyG collates in ways of their own.

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
        bucket: bool = False,
    ) -> None:
        _check(dataset, batch_size, bucket)
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.seed, self.bucket, self.epoch, self.position = seed, bucket, 0, 0
        self._at = (0, 0)
        self.indices = torch.as_tensor(list(dataset.indices()))
        data = dataset._data if device is None else dataset._data.clone().to(device)
        self.keys = [key for key in dataset.slices if key not in exclude_keys]
        self.stored = {key: _stored(data, key) for key in self.keys}
        self.device = _device(data)
        self.num_nodes = _num_nodes(data, dataset.slices)
        self.knows_num_nodes = hasattr(data._store, "_num_nodes")
        slices = {key: torch.as_tensor(dataset.slices[key]) for key in self.keys}
        groups, self.group_of = _group(cumsum(self.num_nodes), slices)
        # The first row and the number of rows of every graph, [G] each; the group of nodes first.
        self.groups = [(ptr[:-1].contiguous(), ptr.diff()) for ptr in groups]
        self.blank = Batch(_base_cls=Data)  # Copied for every batch: PyG takes long to make one.

    def __len__(self) -> int:
        full, rest = divmod(self.indices.numel(), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        epoch, start = self.epoch, self.position
        self.epoch, self.position = epoch + 1, 0
        for number, index in enumerate(self._batches(epoch)[start:], start):
            # After the last batch of an epoch a run goes on with the next one.
            self._at = (epoch, number + 1) if number + 1 < len(self) else (epoch + 1, 0)
            yield self.gather(index)

    def state_dict(self) -> dict[str, int]:
        r"""Return where the loader stands, for a run that is to go on after a kill."""
        return {"epoch": self._at[0], "position": self._at[1]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        r"""Go on where a loader stood, in the middle of an epoch if it was there."""
        self.epoch, self.position = state["epoch"], state["position"]
        self._at = (self.epoch, self.position)

    def _batches(self, epoch: int) -> Sequence[Tensor]:
        """The graphs of every batch of an epoch, [B] each."""
        order, length = self.indices, len(self)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        if self.shuffle:
            order = order[torch.randperm(order.numel(), generator=generator)]
        if self.bucket:
            order = order[: length * self.batch_size]  # Before sorting: whatever their size is.
            # Stable: graphs of the same size stay in the order that was drawn.
            order = order[self.num_nodes[order].argsort(stable=True)]
        batches = torch.split(order, self.batch_size)[:length]
        if not (self.bucket and self.shuffle):
            return batches
        return [batches[i] for i in torch.randperm(length, generator=generator).tolist()]

    def gather(self, index: Tensor) -> Batch:
        r"""Return the batch of given graphs.

        Args:
            index: The graphs, :math:`[B]`, numbered through the whole stored data set, on the CPU.
        """
        batch = copy(self.blank)
        rows = [
            GatheredRows.of(start.index_select(0, index), size.index_select(0, index), self.device)
            for start, size in self.groups
        ]
        nodes = rows[0]
        first, zeros = nodes.ptr[:-1], torch.zeros_like(nodes.size)
        is_shifted = bool(first.any())  # Known on the CPU.
        ptr = nodes.ptr.to(self.device, non_blocking=True)
        slices = {key: rows[self.group_of[key]].ptr for key in self.keys}
        incs: dict[str, Tensor | None] = {}
        for key, stored in self.stored.items():
            if not isinstance(stored, StoredAttribute):
                batch[key], incs[key] = [stored[i] for i in index.tolist()], None
                continue
            chosen = rows[self.group_of[key]]
            is_shifted_index = stored.is_index and is_shifted
            shift = ptr.index_select(0, chosen.graph) if is_shifted_index else None
            batch[key] = stored.gather(chosen.row, shift)
            incs[key] = first if stored.is_index else zeros
        if self.knows_num_nodes:
            batch._store._num_nodes, batch.num_nodes = nodes.size.tolist(), nodes.graph.numel()
        batch.batch, batch.ptr = nodes.graph, ptr
        batch._num_graphs, batch._slice_dict, batch._inc_dict = index.numel(), slices, incs
        return batch

    def __repr__(self) -> str:
        arguments: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": self.shuffle}
        if self.bucket:
            arguments["bucket"] = True
        text = ", ".join(f"{key}={value}" for key, value in arguments.items())
        return f"{self.__class__.__name__}({self.indices.numel()} graphs, {text})"


def _check(dataset: Any, batch_size: int, bucket: bool) -> None:
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
    if not isinstance(bucket, bool):
        raise TypeError(f"Expected 'bucket' to be True or False (got {bucket!r})")


def _stored(data: Data, key: str) -> Any:
    value = data[key]
    first = value[0] if isinstance(value, list) else value  # PyG keeps sparse tensors in lists.
    is_tensor = isinstance(value, Tensor)
    if (is_tensor and "batch" in key) or (not is_tensor and isinstance(first, Tensor | Mapping)):
        raise ValueError(
            "Expected no sparse tensors or collections of tensors, nor tensors with 'batch' in "
            f"their names; leave those out with 'exclude_keys' (got '{key}')"
        )
    return StoredAttribute(data, key) if is_tensor else value


def _device(data: Data) -> torch.device:
    """Where the data set lies."""
    devices = [value.device for value in data.to_dict().values() if isinstance(value, Tensor)]
    return devices[0] if devices else torch.device("cpu")


def _num_nodes(data: Data, slices: Mapping[str, Any]) -> Tensor:
    """Return the number of nodes of every stored graph, where PyG looks for it."""
    if hasattr(data._store, "_num_nodes"):
        return torch.tensor(data._store._num_nodes)
    for key in ("x", "pos"):
        if key in slices:
            return torch.as_tensor(slices[key]).diff()
    raise ValueError(f"Expected graphs with 'x', 'pos' or 'num_nodes' (got {', '.join(slices)})")


def _group(nodes: Tensor, slices: dict[str, Tensor]) -> tuple[list[Tensor], dict[str, int]]:
    """Find the attributes that share their slices, so that rows are worked out once for all."""
    groups = [nodes]
    group_of = {}
    for key, stored in slices.items():
        same = [i for i, group in enumerate(groups) if torch.equal(group, stored)]
        group_of[key] = same[0] if same else len(groups)
        if not same:
            groups.append(stored)
    return groups, group_of
