"""Transform from graphs to sets of points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import scatter

from pyg_topn.transforms._rows import known_num_nodes, put_rows

#: What tells of edges, beside all names with "edge" in them.
OF_EDGES = ("adj", "adj_t", "face", "canonical_index")


@functional_transform("to_point_set")
class ToPointSet(BaseTransform):
    r"""Turn a graph into the set of its nodes, the format of
    :class:`~pyg_topn.datasets.SyntheticMolecules` and of the set models (functional name:
    :obj:`to_point_set`).

    The points are stored as :obj:`pos`, in place of the attributes that they are made of. What
    tells of edges goes: :obj:`adj`, :obj:`adj_t`, :obj:`face`, :obj:`canonical_index` and every
    name with :obj:`"edge"` in it. Other attributes stay. It works on one graph and on a whole
    :class:`~torch_geometric.data.Batch`.

    Args:
        keys: The attributes that make a point, concatenated in this order: vectors are one
            channel, integers and booleans become floating-point numbers.
        center: Whether to subtract the mean over the set: :obj:`True` for all attributes, or the
            names of some of :obj:`keys`.

    Shapes:
        - **output:** a graph without edges, :obj:`pos` :math:`(n, C)`

    Raises:
        TypeError: If the input is no homogeneous graph.
        ValueError: If there are no keys, a key occurs twice, an attribute is missing, or does not
            have a row a node.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> data = Data(x=torch.eye(2), pos=torch.tensor([[0.0], [4.0]]), edge_index=edge_index)
        >>> ToPointSet(("pos", "x"), center=("pos",))(data).pos
        tensor([[-2.,  1.,  0.],
                [ 2.,  0.,  1.]])
        >>> ToPointSet()(data)
        Data(x=[2, 2], pos=[2, 1])
    """

    def __init__(
        self, keys: str | Sequence[str] = ("pos",), center: bool | str | Sequence[str] = False
    ) -> None:
        self.keys = (keys,) if isinstance(keys, str) else tuple(keys)
        if not self.keys or len(set(self.keys)) != len(self.keys):
            raise ValueError(f"Expected 'keys' to be one or more distinct names (got {self.keys})")
        if isinstance(center, bool):
            center = self.keys if center else ()
        self.center = (center,) if isinstance(center, str) else tuple(center)
        if not set(self.center) <= set(self.keys):
            raise ValueError(f"Expected 'center' to be among {self.keys} (got {self.center})")

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data):
            raise TypeError(f"Expected a homogeneous graph or batch (got {type(data).__name__})")
        parts = {key: _channels(data, key) for key in self.keys}
        sizes = {key: part.size(0) for key, part in parts.items()}
        num_nodes = known_num_nodes(data)
        if len({*sizes.values()} | ({num_nodes} - {None})) > 1:
            nodes = "an unknown number of" if num_nodes is None else num_nodes
            raise ValueError(f"Expected a row a node (got {nodes} nodes, and the rows {sizes})")
        for key in self.center:
            parts[key] = parts[key] - _mean(parts[key], data.batch)
        for key in list(data.keys()):
            if key in (*self.keys, *OF_EDGES, "num_nodes") or "edge" in key:
                del data[key]
        put_rows(data, "pos", torch.cat(list(parts.values()), dim=1))
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.keys}, center={self.center})"


def _channels(data: Data, key: str) -> Tensor:
    """An attribute as floating-point channels, [n, C]."""
    value = getattr(data, key, None)
    if not isinstance(value, Tensor):
        raise ValueError(
            f"Expected a tensor {key!r} to make points of "
            f"(got {'none' if value is None else type(value).__name__} among {data.keys()})"
        )
    if value.dim() not in (1, 2):
        raise ValueError(
            f"Expected {key!r} to have the shape [n] or [n, C] (got {list(value.shape)})"
        )
    value = value if value.dim() == 2 else value.unsqueeze(1)
    return value if value.is_floating_point() else value.to(torch.get_default_dtype())


def _mean(points: Tensor, batch: Tensor | None) -> Tensor:
    """The mean of every set, at each of its points, [n, C]."""
    if batch is None:  # A scatter, for an empty set has no mean.
        batch = torch.zeros(points.size(0), dtype=torch.int64, device=points.device)
    return torch.as_tensor(scatter(points, batch, reduce="mean").index_select(0, batch))
