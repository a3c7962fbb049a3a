"""Transform from labels of nodes and edges to the one-hot format of the datasets."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from pyg_topn.transforms._rows import known_num_nodes, put_rows
from pyg_topn.utils._graph_checks import check_simple


@functional_transform("one_hot_labels")
class OneHotLabels(BaseTransform):
    r"""Turn labels of nodes and edges, of whatever they are, into the one-hot format in which the
    library stores and generates graphs (functional name: :obj:`one_hot_labels`).

    A label is anything hashable. The labels of a graph are a tensor of shape :math:`[N]` or
    :math:`[N, 1]` (edges: :math:`[E]` or :math:`[E, 1]`) or a list. They are replaced by
    :obj:`x` and :obj:`edge_attr`, edges are sorted, and a stored :obj:`canonical_index`, which
    depends on labels, is removed. It works on one graph and on a whole
    :class:`~torch_geometric.data.Batch`.

    Args:
        node_types: The labels of nodes, in the order of the columns; :obj:`None` for graphs of one
            node type, whose labels, if any, are not looked at.
        edge_types: The labels of edges, likewise.
        node_key: The attribute that holds the labels of nodes.
        edge_key: The attribute that holds the labels of edges.

    Shapes:
        - **output:** the input with one-hot :obj:`x` :math:`(N, A)`, :obj:`edge_index`
          :math:`(2, E)` (both directions, sorted) and one-hot :obj:`edge_attr` :math:`(E, T)`

    Raises:
        TypeError: If the input is no homogeneous graph, or a label is not hashable.
        ValueError: If a vocabulary is empty or names a label twice, a label is unknown, labels
            are missing or of another shape, or the graph is not undirected and simple.

    Example:
        >>> transform = OneHotLabels(node_types=("red", "green"), edge_types=(5, 7))
        >>> edge_index = torch.tensor([[1, 2, 0, 1], [2, 1, 1, 0]])
        >>> edge_attr = torch.tensor([7, 7, 5, 5])
        >>> data = Data(x=["green", "red", "red"], edge_index=edge_index, edge_attr=edge_attr)
        >>> one_hot = transform(data)
        >>> one_hot
        Data(x=[3, 2], edge_index=[2, 4], edge_attr=[4, 2])
        >>> transform.labels(one_hot)
        (['green', 'red', 'red'], [5, 5, 7, 7])
        >>> OneHotLabels.from_dataset([data])
        OneHotLabels(node_types=('green', 'red'), edge_types=(5, 7))
    """

    def __init__(
        self,
        node_types: Sequence[Hashable] | None = None,
        edge_types: Sequence[Hashable] | None = None,
        node_key: str = "x",
        edge_key: str = "edge_attr",
    ) -> None:
        self.node_types = _vocabulary("node_types", node_types)
        self.edge_types = _vocabulary("edge_types", edge_types)
        self.node_key, self.edge_key = node_key, edge_key

    @classmethod
    def from_dataset(
        cls,
        dataset: Iterable[Data],
        node_key: str | None = "x",
        edge_key: str | None = "edge_attr",
    ) -> OneHotLabels:
        r"""Build the transform whose vocabularies are the labels that graphs have, sorted.

        Args:
            dataset: Graphs; where none of them has an attribute, there is one type.
            node_key: The attribute that holds the labels of nodes; :obj:`None` not to look at it.
            edge_key: The attribute that holds the labels of edges, likewise.

        Raises:
            TypeError: If what is given are no graphs, or a label is not hashable.
            ValueError: If there is no graph, only some have labels, or these have another shape.
        """
        found: dict[str, list[set[Hashable]]] = {"node": [], "edge": []}
        num_graphs = 0
        for data in dataset:
            if not isinstance(data, Data):
                got = f"{type(data).__name__} in {type(dataset).__name__}"
                raise TypeError(f"Expected a dataset or list of homogeneous graphs (got {got})")
            num_graphs += 1
            for what, key in (("node", node_key), ("edge", edge_key)):
                if key is not None and key in data:
                    found[what].append(_distinct(_labels(data, key, what), what))
        types: dict[str, list[Hashable] | None] = {}
        for what, sets in found.items():
            if num_graphs == 0 or len(sets) not in (0, num_graphs):
                raise ValueError(
                    f"Expected graphs of which all or none have {what} labels "
                    f"(got {len(sets)} with labels among {num_graphs})"
                )
            types[what] = _in_order(set().union(*sets)) or None
        return cls(types["node"], types["edge"], node_key or "x", edge_key or "edge_attr")

    @property
    def num_node_types(self) -> int:
        """The number of columns of :obj:`x`, A."""
        return 1 if self.node_types is None else len(self.node_types)

    @property
    def num_edge_types(self) -> int:
        """The number of columns of :obj:`edge_attr`, T."""
        return 1 if self.edge_types is None else len(self.edge_types)

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data):
            raise TypeError(f"Expected a homogeneous graph or batch (got {type(data).__name__})")
        if not isinstance(data.edge_index, Tensor):
            raise ValueError("Expected a graph with 'edge_index' (got none)")
        edge_index, device = data.edge_index, data.edge_index.device
        if self.node_types is None:
            node = torch.zeros(data.num_nodes, dtype=torch.int64)
        else:
            labels = _labels(data, self.node_key, "node", known_num_nodes(data))
            node = _columns(labels, self.node_types, "node")
        num_edges = edge_index.size(1)
        if self.edge_types is None:
            edge = torch.zeros(num_edges, dtype=torch.int64)
        else:
            labels = _labels(data, self.edge_key, "edge", num_edges)
            edge = _columns(labels, self.edge_types, "edge")
        graph = np.zeros(len(node), np.int64) if data.batch is None else data.batch.cpu().numpy()
        check_simple(edge_index.cpu().numpy(), edge.numpy(), graph)
        self._drop_labels(data)
        order = (edge_index[0] * len(node) + edge_index[1]).argsort()
        _sort_edges(data, order)
        put_rows(data, "x", torch.eye(self.num_node_types)[node].to(device))
        one_hot = torch.eye(self.num_edge_types)[edge].to(device)
        put_rows(data, "edge_attr", one_hot[order], of_edges=True)
        return data

    def labels(self, data: Data) -> tuple[list[Any], list[Any]]:
        r"""Return the labels of nodes and of edges, the inverse of the transform.

        Args:
            data: A graph or batch in the one-hot format, as generated by a model for example.

        Returns:
            A label a node, and a label a column of :obj:`edge_index`; :obj:`None` for each where
            there is one type.

        Raises:
            ValueError: If the graph does not have the columns of the vocabularies.
        """
        found = []
        for key, types in (("x", self.node_types), ("edge_attr", self.edge_types)):
            names = (None,) if types is None else types
            value = getattr(data, key, None)
            if not isinstance(value, Tensor) or value.dim() != 2 or value.size(1) != len(names):
                got = list(value.shape) if isinstance(value, Tensor) else value
                raise ValueError(f"Expected {key!r} of {len(names)} columns (got {got})")
            found.append([names[column] for column in value.argmax(dim=1).tolist()])
        return found[0], found[1]

    def _drop_labels(self, data: Data) -> None:
        stale = {"num_nodes", "canonical_index"}
        stale |= set() if self.node_types is None else {self.node_key}
        stale |= set() if self.edge_types is None else {self.edge_key}
        for key in stale - {"x", "edge_attr"}:
            if key in data:
                del data[key]

    def __repr__(self) -> str:
        keys = [
            f", {name}={key!r}"
            for name, key, usual in (
                ("node_key", self.node_key, "x"),
                ("edge_key", self.edge_key, "edge_attr"),
            )
            if key != usual
        ]
        name, types = self.__class__.__name__, f"edge_types={self.edge_types}"
        return f"{name}(node_types={self.node_types}, {types}{''.join(keys)})"


def _vocabulary(name: str, types: Sequence[Hashable] | None) -> tuple[Hashable, ...] | None:
    if types is None:
        return None
    if isinstance(types, str):
        raise TypeError(f"Expected '{name}' to be a sequence of labels (got the string {types!r})")
    names = tuple(types)
    if not names or len(_distinct(names, "listed")) != len(names):
        raise ValueError(f"Expected '{name}' to be one or more distinct labels (got {names})")
    return names


def _labels(data: Data, key: str, what: str, count: int | None = None) -> list[Any]:
    """The labels of all nodes or edges, as Python objects."""
    value = getattr(data, key, None)
    if isinstance(value, list | tuple):
        # A batch holds a list of labels a graph.
        labels = list(chain.from_iterable(value) if isinstance(data, Batch) else value)
    elif isinstance(value, Tensor | np.ndarray):
        if value.ndim != 1 and tuple(value.shape[1:]) != (1,):
            raise ValueError(
                f"Expected {what} labels {key!r} of one column (got shape {list(value.shape)})"
            )
        labels = value.reshape(-1).tolist()
    else:
        got = "none" if value is None else type(value).__name__
        raise ValueError(f"Expected {what} labels as {key!r} (got {got})")
    if count is not None and len(labels) != count:
        raise ValueError(f"Expected {count} {what} labels in {key!r} (got {len(labels)})")
    return labels


def _distinct(labels: Iterable[Any], what: str) -> set[Hashable]:
    try:
        return set(labels)
    except TypeError as error:
        raise TypeError(f"Expected hashable {what} labels (got: {error})") from error


def _columns(labels: list[Any], types: tuple[Hashable, ...], what: str) -> Tensor:
    """The place of every label in a vocabulary."""
    column = {label: place for place, label in enumerate(types)}
    unknown = _distinct(labels, what) - column.keys()
    if unknown:
        first = next(label for label in labels if label in unknown)
        raise ValueError(f"Expected {what} labels among {types} (got the label {first!r})")
    return torch.tensor([column[label] for label in labels], dtype=torch.int64)


def _in_order(labels: set[Any]) -> list[Hashable]:
    """Sorted, so that the order of graphs does not matter."""
    try:
        return sorted(labels)
    except TypeError:  # Of several types.
        return sorted(labels, key=repr)


def _sort_edges(data: Data, order: Tensor) -> None:
    for key, value in data.to_dict().items():
        if key == "edge_index":
            data[key] = value[:, order]
        elif "edge" in key and "index" not in key and isinstance(value, Tensor):
            data[key] = value[order] if value.shape[:1] == order.shape else value
