"""A graph GAN from plain numbers and names."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pyg_topn.models._arguments import plain_arguments
from pyg_topn.models._named_creation import named_creation
from pyg_topn.models.graph_gan import GraphGAN
from pyg_topn.nn.creation import SizeDistribution
from pyg_topn.nn.decoder import GraphDecoder
from pyg_topn.nn.encoder import GraphCritic
from pyg_topn.nn.update import SetTransformer


def build_graph_gan(
    num_node_types: int,
    edge_orders: Sequence[float],
    size_histogram: Sequence[float],
    creation: str = "top_n",
    num_reference_points: int | None = None,
    order: str = "reference",
    latent_channels: int = 32,
    hidden_channels: int = 48,
    pair_channels: int = 32,
    creation_channels: int = 48,
    num_layers: int = 1,
    heads: int = 4,
    plus: bool = False,
    num_rounds: int = 1,
    critic_channels: int = 48,
    critic_layers: int = 2,
    critic_steps: int = 6,
    batch_std: bool = True,
) -> GraphGAN:
    r"""Build a :class:`GraphGAN` from plain numbers and names.

    Args:
        num_node_types: The number of node types, :math:`A`.
        edge_orders: The order of every edge type, :math:`T` numbers.
        size_histogram: How often each number of nodes occurs, from 0 on.
        creation: The creation layer: ``"top_n"``, ``"first_n"``, ``"mlp"`` or ``"iid"``.
        num_reference_points: The size of the reference set of Top-n; by default a third more than
            the largest graph, 12 for QM9 as in the paper.
        order: The order in which Top-n lists the selected points, ``"reference"`` or ``"cosine"``.
        latent_channels: The size of a latent vector.
        hidden_channels: The width of the transformer.
        pair_channels: The width of pairs.
        creation_channels: The width of the created points.
        num_layers: The number of transformer layers.
        heads: The number of attention heads.
        plus: Whether Set2Graph is S2G+.
        num_rounds: The number of rounds in which nodes and pairs see each other.
        critic_channels: The width of the critic.
        critic_layers: The number of its message-passing layers.
        critic_steps: The most steps of the random walks that it looks at.
        batch_std: Whether it is told how much the graphs of a batch differ from each other.

    Raises:
        ValueError: If a name is unknown or a number out of range.

    Example:
        >>> gan = build_graph_gan(4, (1, 2, 3), [0, 1, 5, 9], creation="first_n")
        >>> gan.sample(3).num_graphs
        3
    """
    given = plain_arguments(locals())
    sizes = SizeDistribution(torch.tensor(size_histogram, dtype=torch.float64))
    largest = sizes.max_num_nodes
    layer = named_creation(
        creation,
        largest,
        -(-4 * largest // 3) if num_reference_points is None else num_reference_points,
        order,
        latent_channels=latent_channels,
        out_channels=creation_channels,
    )
    update = SetTransformer(hidden_channels, num_layers, heads, latent_channels)
    generator = GraphDecoder(
        layer, update, num_node_types, edge_orders, pair_channels, plus, num_rounds
    )
    critic = GraphCritic(
        num_node_types, len(edge_orders), critic_channels, critic_layers, critic_steps, batch_std
    )
    gan = GraphGAN(generator, critic, sizes)
    gan.arguments = given
    return gan
