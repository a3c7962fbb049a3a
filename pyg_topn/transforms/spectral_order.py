"""Transform that stores an order of nodes along the spectral embedding of a graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import cumsum

from pyg_topn.transforms._rows import put_rows
from pyg_topn.utils.canonical import batch_canonical_index

Floats = NDArray[np.float64]

_DIGITS = 6  # Eigenvectors are rounded: equal entries differ by what the method makes of them.


@functional_transform("spectral_order")
class SpectralOrder(BaseTransform):
    r"""Store an order in which nodes that are near in the graph are near, too, as
    :obj:`canonical_index` (functional name: :obj:`spectral_order`), where matcher and encoder look
    for the order of the target.

    Nodes are placed by the eigenvectors of the Laplacian :math:`\mathbf{D} - \mathbf{A}` with the
    smallest eigenvalues, the constant one left out. With one vector, they are sorted by it:
    communities come one after another. With two, they are assigned to the cells of a square grid,
    filled row by row, such that the squared distances between standardised positions add up to the
    least: position :math:`k` is about the same region of every planar graph.

    The eigenvectors are computed with the nodes in canonical order
    (:class:`~pyg_topn.transforms.CanonicalOrder`), which also decides ties. So isomorphic graphs
    are equal once their nodes stand in this order. A :obj:`canonical_index` that is there is
    taken as that order. It is a loop over graphs, 1 ms for 64 nodes, meant to be applied once.

    Args:
        num_vectors: 1 or 2.

    Raises:
        TypeError: If the input is no homogeneous graph.
        ValueError: If the number of vectors is another, or the graph is not undirected and simple.

    Shapes:
        - **output:** the input with :obj:`canonical_index` :math:`(N)`, ids local to the graph, or
          counted through the batch.

    Example:
        >>> path = Data(edge_index=torch.tensor([[1, 0, 0, 2, 2, 3], [0, 1, 2, 0, 3, 2]]))
        >>> path.num_nodes = 4
        >>> SpectralOrder()(path).canonical_index.tolist() in ([1, 0, 2, 3], [3, 2, 0, 1])
        True
    """

    def __init__(self, num_vectors: int = 1) -> None:
        if num_vectors not in (1, 2):
            raise ValueError(f"Expected 'num_vectors' to be 1 or 2 (got {num_vectors})")
        self.num_vectors = num_vectors

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data):
            raise TypeError(f"Expected a homogeneous graph or batch (got {type(data).__name__})")
        index = batch_canonical_index(data)
        ptr = _ptr(data, index.numel())
        position = torch.empty_like(index)
        position[index] = torch.arange(index.numel(), device=index.device)
        edges = position[data.edge_index].cpu()
        bounds = zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True)
        parts = [self._order(edges, first, end) for first, end in bounds]
        index = index[torch.cat(parts).to(index.device)] if parts else index
        put_rows(data, "canonical_index", index, ids=True)
        return data

    def _order(self, edges: Tensor, first: int, end: int) -> Tensor:
        """Canonical positions in the order of this graph, counted through the batch."""
        inside = (edges[0] >= first) & (edges[0] < end)
        adjacency = np.zeros((end - first, end - first))
        adjacency[tuple((edges[:, inside] - first).numpy())] = 1
        places = _embedding(adjacency, self.num_vectors)
        order = np.argsort(places[:, 0], kind="stable") if self.num_vectors == 1 else _cells(places)
        return torch.from_numpy(order) + first

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(num_vectors={self.num_vectors})"


def _ptr(data: Data, num_nodes: int) -> Tensor:
    """The first node of every graph, and one past the last, on the CPU."""
    if "ptr" in data:
        return torch.as_tensor(data.ptr).cpu()
    if data.batch is None:
        return torch.tensor([0, num_nodes])
    return cumsum(data.batch.bincount()).cpu()


def _embedding(adjacency: Floats, num_vectors: int) -> Floats:
    """Eigenvectors of the Laplacian, zeros where a small graph has no more of them, [n, d]."""
    size = len(adjacency)
    places = np.zeros((size, num_vectors))
    last = min(num_vectors, size - 1)
    if last > 0:
        laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
        _, vectors = eigh(laplacian, subset_by_index=[1, last])
        vectors = vectors.round(_DIGITS)
        # The sign is arbitrary: the longer tail is to be on the positive side.
        signs = np.where((vectors**3).sum(axis=0) < 0, -1.0, 1.0)
        places[:, :last] = vectors * signs
    return places


def _cells(places: Floats) -> NDArray[Any]:
    """The node of every cell of a square grid, row by row, [n]."""
    side = max(1, math.ceil(math.sqrt(len(places))))
    cells = np.stack(np.divmod(np.arange(len(places)), side), axis=1).astype(np.float64)
    gap = _standardised(cells)[:, None] - _standardised(places)[None]
    _, node = linear_sum_assignment((gap**2).sum(axis=2))
    return np.asarray(node)


def _standardised(places: Floats) -> Floats:
    if len(places) == 0:
        return places
    spread = places.std(axis=0)
    return np.asarray((places - places.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
