"""Transform that permutes the nodes of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info
from torch_geometric.data import Batch, Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import is_torch_sparse_tensor, to_edge_index
from torch_geometric.utils.sparse import to_torch_sparse_tensor

SQUARE = ("adj", "adj_t")  # A row and a column a node.
ROWS = (list, tuple, np.ndarray)


@functional_transform("permute_nodes")
class PermuteNodes(BaseTransform):
    r"""Permute the nodes at random, to check what must not depend on their order (functional name:
    :obj:`permute_nodes`).

    Rows of node attributes (tensors, arrays and lists) move with the nodes, :obj:`adj` and
    :obj:`adj_t` with rows and columns. :obj:`face` and attributes whose name holds :obj:`"index"`
    (as :obj:`edge_index`, :obj:`canonical_index`) point to the same nodes as before, and edges are
    sorted again. The result is an isomorphic graph. The nodes of a
    :class:`~torch_geometric.data.Batch` stay within their graphs.

    Args:
        seed: Seed of the permutations; by default PyTorch's global generator draws them. Each
            worker of a :class:`~torch_geometric.loader.DataLoader` adds its own seed to it, which
            PyTorch's global generator draws anew for every epoch: workers would repeat each
            other, and epochs the first one. Seed that generator, too, to draw the same again.

    Raises:
        TypeError: If the input is no homogeneous graph, an attribute that is to hold nodes no
            tensor, or the seed no integer.
        ValueError: If :obj:`adj` or :obj:`adj_t` does not have a row and a column a node.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> data = Data(x=torch.tensor([[1.0], [2.0], [3.0]]), edge_index=edge_index)
        >>> permuted = PermuteNodes(seed=0)(data)
        >>> permuted.x[permuted.edge_index[0]].sum()
        tensor(3.)
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            raise TypeError(f"Expected 'seed' to be an integer or None (got {seed!r})")
        self.seed = seed
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self._worker: int | None = None

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data):
            raise TypeError(f"Expected a homogeneous graph or batch (got {type(data).__name__})")
        move = _Move.along(data, self._permutation(data))
        for key, value in [(key, move.moved(key, v)) for key, v in data.to_dict().items()]:
            data[key] = value
        return data

    def _permutation(self, data: Data) -> Tensor:
        """The old node at every new place, [N]."""
        self._seed_worker()
        num_nodes = data.num_nodes or 0
        key = torch.rand(num_nodes, generator=self.generator, dtype=torch.float64)
        if data.batch is not None:
            key = key + data.batch.cpu()
        values = (value for value in data.to_dict().values() if isinstance(value, Tensor))
        return key.argsort().to(next((value.device for value in values), None))

    def _seed_worker(self) -> None:
        """Let a worker, whose generator is a copy of one and the same, draw for itself."""
        worker = get_worker_info()
        if worker is not None and self.seed is not None and self._worker != worker.seed:
            self._worker = worker.seed
            self.generator = torch.Generator().manual_seed((self.seed + worker.seed) % 2**64)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(seed={self.seed})"


@dataclass(frozen=True)
class _Move:
    """Where the nodes and edges of a graph or batch go."""

    data: Data  # As it was.
    perm: Tensor  # [N], the old node at every new place
    place: Tensor  # [N], the new place of every old node
    edge_index: Tensor | None  # [2, E], as it was
    edges: Tensor | None  # [E], the old edge at every new place

    @classmethod
    def along(cls, data: Data, perm: Tensor) -> _Move:
        place = torch.empty_like(perm)
        place[perm] = torch.arange(perm.numel(), device=perm.device)
        edge_index = data.edge_index
        if edge_index is None:
            values = (getattr(data, key, None) for key in SQUARE)
            sparse = next((value for value in values if is_torch_sparse_tensor(value)), None)
            edge_index = None if sparse is None else to_edge_index(sparse)[0]
        edges = None if edge_index is None else _sorting(place[edge_index], perm.numel())
        return cls(data, perm, place, edge_index, edges)

    def moved(self, key: str, value: Any) -> Any:
        """An attribute after the move."""
        if key in ("batch", "ptr"):
            return value
        holds_ids = "index" in key or key == "face"
        if not isinstance(value, Tensor):
            if key in SQUARE or (holds_ids and isinstance(value, ROWS)):
                raise TypeError(f"Expected {key!r} to be a tensor (got {type(value).__name__})")
            return self._listed(key, value) if isinstance(value, ROWS) else value
        if key in SQUARE:
            return self._square(key, value)
        value = self.place[value] if holds_ids else value
        order = None if key == "face" else self._order(key)
        if order is None or (holds_ids and order is self.perm):
            return value
        return value[..., order] if holds_ids else value[order]

    def _order(self, key: str) -> Tensor | None:
        """The order of the rows of an attribute: of nodes, edges, or none if it is of graphs."""
        if "edge" not in key and self.data.is_node_attr(key):
            return self.perm
        # By shape alone, y of a batch that has as many graphs as edges would be taken for edges.
        may_be_edge = "edge" in key or self.data.batch is None
        return self.edges if may_be_edge and self.data.is_edge_attr(key) else None

    def _square(self, key: str, value: Tensor) -> Tensor:
        """An adjacency matrix, dense or sparse."""
        size = self.perm.numel(), self.perm.numel()
        if tuple(value.shape[:2]) != size:
            raise ValueError(
                f"Expected {key!r} of a row and a column a node (got {list(value.shape)} and "
                f"{size[0]} nodes)"
            )
        if not is_torch_sparse_tensor(value):
            return value[self.perm][:, self.perm]
        index, weight = to_edge_index(value)
        index = self.place[index]
        columns_first = value.layout == torch.sparse_csc
        order = _sorting(index.flip(0) if columns_first else index, size[0])
        return to_torch_sparse_tensor(index[:, order], weight[order], size, True, value.layout)

    def _listed(self, key: str, value: Any) -> Any:
        """A list or an array; a batch has one of these for every graph."""
        if not isinstance(self.data, Batch) or isinstance(value, np.ndarray):
            order = self._order(key)
            return value if order is None else _take(value, order.cpu())
        graph, order = self.data.batch, self.perm
        if "edge" in key and self.edge_index is not None and self.edges is not None:
            graph, order = graph[self.edge_index[0]], self.edges
        sizes = graph.bincount(minlength=len(value)).tolist()
        if [len(rows) if isinstance(rows, ROWS) else -1 for rows in value] != sizes:
            return value  # Not a row a node.
        parts = zip(value, order.cpu().split(sizes), accumulate(sizes, initial=0), strict=False)
        return type(value)(_take(rows, part - first) for rows, part, first in parts)


def _sorting(edge_index: Tensor, num_nodes: int) -> Tensor:
    """What sorts edges by source, then by target, [E]."""
    return (edge_index[0] * num_nodes + edge_index[1]).argsort()


def _take(value: Any, order: Tensor) -> Any:
    if isinstance(value, np.ndarray):
        return value[order.numpy()]
    return type(value)(value[row] for row in order.tolist())
