"""Graphs whose nodes and pairs are mixtures of types, so that a gradient can reach them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.utils.canonical import batch_canonical_index
from pyg_topn.utils.layout import Layout


@dataclass(frozen=True, eq=False)
class RelaxedGraphs:
    r"""A batch of graphs with weights of all types at every node and every unordered pair. Graphs
    of a data set are a special case: weights are one-hot.

    Args:
        nodes: The weights of the node types, :math:`[N, A]`.
        pairs: The weights of the edge types, :math:`[P, 1 + T]`; class 0 is "no edge".
        layout: Which nodes belong to which graph; all pairs have weights.

    Raises:
        ValueError: If the numbers of rows are not those of the layout, or it leaves out pairs.

    Example:
        >>> from pyg_topn.utils import build_batch
        >>> bond = torch.tensor([[0, 1], [1, 0]])
        >>> batch = build_batch(
        ...     torch.tensor([3]),
        ...     {"x": torch.eye(3)},
        ...     bond,
        ...     {"edge_attr": torch.eye(1, 2).repeat(2, 1)},
        ... )
        >>> RelaxedGraphs.from_batch(batch, canonical=False).pairs
        tensor([[0., 1., 0.],
                [1., 0., 0.],
                [1., 0., 0.]])
    """

    nodes: Tensor
    pairs: Tensor
    layout: Layout

    def __post_init__(self) -> None:
        if self.layout.is_restricted:
            raise ValueError("Expected a layout with all pairs (got one that leaves some out)")
        rows = (self.nodes.size(0), self.pairs.size(0))
        expected = (self.layout.batch.numel(), self.layout.pair_index.size(1))
        if rows != expected:
            raise ValueError(
                f"Expected {expected[0]} rows of nodes and {expected[1]} of pairs "
                f"(got {rows[0]} and {rows[1]})"
            )

    @classmethod
    def from_batch(cls, batch: Batch, canonical: bool = True) -> RelaxedGraphs:
        r"""Turn graphs of a data set into one-hot weights.

        Args:
            batch: The graphs, in the format of the datasets.
            canonical: Whether nodes are listed in a canonical order, so that the result does not
                depend on the order in the batch; it is computed if it is not stored as
                :obj:`canonical_index`.

        Raises:
            ValueError: If there are no one-hot :obj:`x` and :obj:`edge_attr`.
        """
        for key in ("x", "edge_attr"):
            value = getattr(batch, key, None)
            if not isinstance(value, Tensor) or value.dim() != 2:
                got = list(value.shape) if isinstance(value, Tensor) else value
                raise ValueError(f"Expected one-hot rows {key!r} (got {got})")
        layout = Layout.from_batch(batch)
        nodes, ends = batch.x, batch.edge_index
        if canonical:
            order = batch_canonical_index(batch)  # [N]
            places = torch.arange(order.numel(), device=order.device)
            nodes = nodes[order]
            # Zeros, not what the memory held, where an order that cannot be checked misses a node.
            ends = torch.zeros_like(order).index_copy(0, order, places)[ends]
        kind = torch.zeros(layout.pair_index.size(1), dtype=torch.int64, device=nodes.device)
        # Both directions of an edge write the same type to the same pair.
        kind = kind.index_copy(0, layout.pair_id(*ends), batch.edge_attr.argmax(dim=-1) + 1)
        return cls(nodes, F.one_hot(kind, 1 + batch.edge_attr.size(1)).to(nodes.dtype), layout)

    @property
    def num_graphs(self) -> int:
        """The number of graphs, B."""
        return self.layout.num_graphs

    def detach(self) -> RelaxedGraphs:
        """Return the same graphs without their gradient."""
        return RelaxedGraphs(self.nodes.detach(), self.pairs.detach(), self.layout)

    def lerp(self, other: RelaxedGraphs, weight: Tensor) -> RelaxedGraphs:
        r"""Return graphs on the straight lines to other graphs of the same sizes, node by node and
        pair by pair.

        Args:
            other: The graphs at the other ends.
            weight: How far to go for every graph, :math:`[B]`, from 0 (here) to 1 (there).

        Raises:
            ValueError: If the graphs differ in number or size.
        """
        sizes = self.layout.num_nodes, other.layout.num_nodes
        if not torch.equal(*sizes):
            raise ValueError(
                "Expected graphs of the same sizes on both sides "
                f"(got {sizes[0].tolist()[:10]} and {sizes[1].tolist()[:10]})"
            )
        of_node = weight[self.layout.batch].unsqueeze(1)  # [N, 1]
        of_pair = weight[self.layout.pair_batch].unsqueeze(1)  # [P, 1]
        return RelaxedGraphs(
            torch.lerp(self.nodes, other.nodes, of_node),
            torch.lerp(self.pairs, other.pairs, of_pair),
            self.layout,
        )
