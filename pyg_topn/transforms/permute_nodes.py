"""Transform that permutes the nodes of a graph."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform


@functional_transform("permute_nodes")
class PermuteNodes(BaseTransform):
    r"""Permute the nodes at random, to check what must not depend on their order (functional name:
    :obj:`permute_nodes`).

    Rows of node attributes move with the nodes, attributes whose name holds :obj:`"index"` (as
    :obj:`edge_index`, :obj:`canonical_index`) point to the same nodes as before, and edges are
    sorted again. The result is an isomorphic graph. The nodes of a
    :class:`~torch_geometric.data.Batch` stay within their graphs.

    Args:
        seed: Seed of the permutations; by default PyTorch's global generator draws them.

    Raises:
        TypeError: If the input is no homogeneous graph, or the seed no integer.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> data = Data(x=torch.tensor([[1.0], [2.0], [3.0]]), edge_index=edge_index)
        >>> permuted = PermuteNodes(seed=0)(data)
        >>> permuted.x[permuted.edge_index[0]].sum()
        tensor(3.)
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and not isinstance(seed, int):
            raise TypeError(f"Expected 'seed' to be an integer or None (got {seed!r})")
        self.seed = seed
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data):
            raise TypeError(f"Expected a homogeneous graph or batch (got {type(data).__name__})")
        perm = self._permutation(data)  # [N], the old node at every new place
        place = torch.empty_like(perm)
        place[perm] = torch.arange(perm.numel(), device=perm.device)
        order = None
        if data.edge_index is not None:
            row, col = place[data.edge_index]
            order = (row * perm.numel() + col).argsort()
        for key, value, kind in _tensors(data):
            holds_ids = "index" in key
            if holds_ids:
                value = place[value]
            elif kind == "node":
                value = value[perm]
            if kind == "edge":
                value = value[..., order] if holds_ids else value[order]
            data[key] = value
        return data

    def _permutation(self, data: Data) -> Tensor:
        num_nodes = data.num_nodes or 0
        key = torch.rand(num_nodes, generator=self.generator, dtype=torch.float64)
        if data.batch is not None:
            key = key + data.batch.cpu()
        device = data.edge_index.device if data.edge_index is not None else None
        return key.argsort().to(device)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(seed={self.seed})"


def _tensors(data: Data) -> list[tuple[str, Tensor, str]]:
    """All tensors but the layout of a batch, and whether nodes, edges or graphs have their rows."""
    found = []
    for key, value in data.to_dict().items():
        if not isinstance(value, Tensor) or key in ("batch", "ptr"):
            continue
        # By shape alone, y of a batch that has as many graphs as edges would be taken for edges.
        may_be_edge = "edge" in key or data.batch is None
        if "edge" not in key and data.is_node_attr(key):
            found.append((key, value, "node"))
        else:
            found.append(
                (key, value, "edge" if may_be_edge and data.is_edge_attr(key) else "graph")
            )
    return found
