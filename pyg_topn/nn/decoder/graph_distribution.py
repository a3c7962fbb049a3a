"""A distribution over graphs of given sizes, with independent nodes and pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.utils.categorical import draw_categorical
from pyg_topn.utils.few_classes import softmax_of_few
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.pairs import message_sum
from pyg_topn.utils.ragged import build_batch, undirected


@dataclass(frozen=True, eq=False)
class GraphDistribution:
    r"""A distribution over a batch of graphs, given their sizes: a categorical one for the type of
    every node, and one for the type of the edge of every unordered pair, "no edge" included.

    An edge is decided once a pair, so a graph drawn from it is symmetric.

    Args:
        node_logits: The logits of the node types, :math:`[N, A]`.
        pair_logits: The logits of the edge types, :math:`[P, 1 + T]`; class 0 is "no edge".
        layout: Which nodes belong to which graph, and which pairs have logits: all, or those of a
            :class:`~pyg_topn.utils.SparseLayout`. The others have no edge, for sure.

    Raises:
        ValueError: If the numbers of rows are not those of the layout.

    Example:
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> distribution = GraphDistribution(torch.randn(5, 4), torch.randn(4, 4), layout)
        >>> batch = distribution.mode()
        >>> batch.x.shape, batch.num_graphs
        (torch.Size([5, 4]), 2)
    """

    node_logits: Tensor
    pair_logits: Tensor
    layout: Layout

    def __post_init__(self) -> None:
        self._check_rows(self.node_logits, self.pair_logits, "node logits", "pair logits")

    @property
    def batch(self) -> Tensor:
        """The graph of every node, [N]."""
        return self.layout.batch

    @property
    def ptr(self) -> Tensor:
        """The first node of every graph, and one past the last, [B + 1]."""
        return self.layout.ptr

    @property
    def pair_index(self) -> Tensor:
        """The unordered pairs i < j that have logits, [2, P], ordered by graph."""
        return self.layout.pair_index

    @property
    def num_graphs(self) -> int:
        """The number of graphs, B."""
        return self.layout.num_graphs

    def mode(self) -> Batch:
        r"""Return the most likely graphs.

        Returns:
            A batch in the format of the datasets: :obj:`x` one-hot :math:`[N, A]`,
            :obj:`edge_index` with both directions, :obj:`edge_attr` one-hot :math:`[E, T]`.
        """
        return self.to_batch(self.node_logits.argmax(dim=-1), self.pair_logits.argmax(dim=-1))

    def sample(self, generator: torch.Generator | None = None, temperature: float = 1.0) -> Batch:
        r"""Draw graphs.

        Args:
            generator: Where to draw from.
            temperature: What the logits are divided by.

        Returns:
            A batch in the format of :meth:`mode`.

        Raises:
            ValueError: If the temperature is not positive.
        """
        if not temperature > 0:
            raise ValueError(f"Expected 'temperature' to be positive (got {temperature})")
        return self.to_batch(
            draw_categorical(self.node_logits / temperature, generator),
            draw_categorical(self.pair_logits / temperature, generator),
        )

    def expected_valency(self, edge_orders: Tensor) -> Tensor:
        r"""Return the expected sum of edge orders at every node, :math:`[N]`.

        Args:
            edge_orders: The order of every edge type, :math:`[T]`.
        """
        return expected_valency(self.pair_logits, edge_orders, self.layout)

    def to(self, device: torch.device | str) -> GraphDistribution:
        """Return the same distribution on another device."""
        layout = self.layout.to(torch.device(device))
        return GraphDistribution(self.node_logits.to(device), self.pair_logits.to(device), layout)

    def to_batch(self, node_type: Tensor, pair_type: Tensor) -> Batch:
        r"""Turn types that were chosen in some way into graphs of the sizes of this distribution.

        Args:
            node_type: The type of every node, :math:`[N]`.
            pair_type: The type of the edge of every unordered pair, :math:`[P]`; 0 is "no edge".

        Returns:
            A batch in the format of :meth:`mode`.

        Raises:
            ValueError: If the numbers of types are not those of the nodes and pairs.

        Example:
            >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
            >>> distribution = GraphDistribution(torch.zeros(2, 4), torch.zeros(1, 4), layout)
            >>> batch = distribution.to_batch(torch.tensor([0, 2]), torch.tensor([3]))
            >>> batch.edge_attr
            tensor([[0., 0., 1.],
                    [0., 0., 1.]])
        """
        self._check_rows(node_type, pair_type, "node types", "pair types")
        edge = pair_type.nonzero().squeeze(1)
        num_edge_types = self.pair_logits.size(1) - 1
        edge_index, attrs = undirected(
            self.pair_index[:, edge], node_type.numel(), {"type": pair_type[edge] - 1}
        )
        dtype = torch.promote_types(self.node_logits.dtype, torch.float32)  # not bfloat16
        return build_batch(
            self.layout.num_nodes,
            {"x": F.one_hot(node_type, self.node_logits.size(1)).to(dtype)},
            edge_index,
            {"edge_attr": F.one_hot(attrs["type"], num_edge_types).to(dtype)},
        )

    def _check_rows(self, of_nodes: Tensor, of_pairs: Tensor, nodes: str, pairs: str) -> None:
        rows = (of_nodes.size(0), of_pairs.size(0))
        expected = (self.layout.batch.numel(), self.layout.pair_index.size(1))
        if rows != expected:
            raise ValueError(
                f"Expected {expected[0]} rows of {nodes} and {expected[1]} of {pairs} "
                f"(got {rows[0]} and {rows[1]})"
            )


def expected_valency(pair_logits: Tensor, edge_orders: Tensor, layout: Layout) -> Tensor:
    r"""Return the expected sum of edge orders at every node, :math:`[N]`.

    Args:
        pair_logits: The logits of the edge types, :math:`[P, 1 + T]`; class 0 is "no edge".
        edge_orders: The order of every edge type, :math:`[T]`.
        layout: Which nodes belong to which graph.

    Example:
        >>> layout = Layout(torch.tensor([2]), torch.device("cpu"))
        >>> sure_of_double = torch.tensor([[-99.0, -99.0, 0.0, -99.0]])
        >>> expected_valency(sure_of_double, torch.tensor([1.0, 2.0, 3.0]), layout)
        tensor([2., 2.])
    """
    order = softmax_of_few(pair_logits)[:, 1:] @ edge_orders.to(pair_logits.dtype).unsqueeze(1)
    return message_sum(order, layout).squeeze(1)
