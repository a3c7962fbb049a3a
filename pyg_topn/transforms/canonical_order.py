"""Transform that stores the canonical order of a graph's nodes."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from pyg_topn.transforms._rows import put_rows
from pyg_topn.utils.canonical import batch_canonical_index


@functional_transform("canonical_order")
class CanonicalOrder(BaseTransform):
    r"""Store the canonical order of the nodes as :obj:`canonical_index` (functional name:
    :obj:`canonical_order`).

    Entry :math:`k` is the node at canonical position :math:`k`: isomorphic graphs are equal once
    their nodes stand in this order, see :func:`~pyg_topn.utils.canonical.canonical_order`. Labels
    are :obj:`x` and :obj:`edge_attr`, one-hot rows or integers. It works on one graph and, much
    faster, on a whole :class:`~torch_geometric.data.Batch`, which still splits into its graphs
    afterwards.

    Shapes:
        - **output:** the input with :obj:`canonical_index` :math:`(N)`, ids local to the graph, or
          counted through the batch.

    Raises:
        TypeError: If the input is no homogeneous graph.
        ValueError: If the graph is not undirected and simple, or its labels are not categorical.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> data = Data(x=torch.eye(2)[[0, 0, 1]], edge_index=edge_index)
        >>> CanonicalOrder()(data).canonical_index
        tensor([2, 1, 0])
    """

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data):
            raise TypeError(f"Expected a homogeneous graph or batch (got {type(data).__name__})")
        if "canonical_index" in data:
            del data.canonical_index
        put_rows(data, "canonical_index", batch_canonical_index(data), ids=True)
        return data
