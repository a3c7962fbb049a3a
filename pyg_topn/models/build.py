"""A graph VAE from plain numbers and names, as a saved model keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pyg_topn.models._arguments import plain_arguments
from pyg_topn.models._named_creation import named_creation, named_prior
from pyg_topn.models.graph_vae import GraphVAE
from pyg_topn.nn.creation import SizeDistribution, SizePredictor
from pyg_topn.nn.decoder import GraphDecoder
from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.nn.update import SetTransformer
from pyg_topn.utils._names import check_names


def build_graph_vae(
    num_node_types: int,
    edge_orders: Sequence[float],
    size_histogram: Sequence[float],
    creation: str = "top_n",
    num_reference_points: int | None = None,
    order: str = "reference",
    latent_channels: int = 48,
    hidden_channels: int = 64,
    pair_channels: int = 48,
    creation_channels: int = 256,
    num_layers: int = 3,
    heads: int = 4,
    encoder_layers: int = 3,
    readout: str = "canonical",
    plus: bool = False,
    num_rounds: int = 2,
    predict_size: bool = False,
    prior: str = "gaussian",
    prior_channels: int | None = None,
    prior_layers: int | None = None,
    prior_steps: int | None = None,
    prior_guidance: float | None = None,
    conditions: Sequence[str] = (),
    *,
    num_neighbors: int | None = None,
    prior_teacher: bool = True,
) -> GraphVAE:
    r"""Build a :class:`GraphVAE` from plain numbers and names.

    Args:
        num_node_types: The number of node types, :math:`A`.
        edge_orders: The order of every edge type, :math:`T` numbers.
        size_histogram: How often each number of nodes occurs, from 0 on.
        creation: The creation layer: ``"top_n"``, ``"first_n"``, ``"mlp"`` or ``"iid"``.
        num_reference_points: The size of the reference set of Top-n; by default a third more than
            the largest graph, 12 for QM9 as in the paper.
        order: The order in which Top-n lists the selected points, ``"reference"`` or ``"cosine"``.
        latent_channels: The size of a latent vector.
        hidden_channels: The width of encoder and transformer.
        pair_channels: The width of pairs.
        creation_channels: The width of the created points.
        num_layers: The number of transformer layers.
        heads: The number of attention heads.
        encoder_layers: The number of message-passing layers.
        readout: The readout of the encoder, ``"canonical"`` or ``"pna"``.
        plus: Whether Set2Graph is S2G+.
        num_rounds: The number of rounds in which nodes and pairs see each other.
        predict_size: Whether sizes are predicted from the latent vector instead of drawn from the
            histogram.
        prior: Where latent vectors come from: ``"gaussian"``, ``"coupling_flow"``,
            ``"rectified_flow"`` or ``"one_step"``.
        prior_channels: The width of a flow, if not its default.
        prior_layers: The number of layers of a flow, if not its default.
        prior_steps: The number of steps of a rectified flow, if not its default.
        prior_guidance: The weight of the guidance of a rectified flow, if any.
        conditions: The names of what can be asked of a graph, say ``("logp", "num_rings")``: the
            creation layer takes as many conditions, and so does a rectified flow.
        num_neighbors: If given, only pairs of nearest neighbours may have edges, see
            :class:`~pyg_topn.nn.decoder.NeighborEmbedding`: for graphs of hundreds of nodes.
        prior_teacher: Whether a prior in one step has its teacher, without which it can only be
            drawn from.

    Raises:
        ValueError: If a name is unknown or a number out of range.
        TypeError: If an argument of a flow is given to a prior that has no such argument.

    Example:
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 5, 9], creation="first_n")
        >>> vae.sample(3).num_graphs
        3
    """
    given = plain_arguments(locals())
    sizes = SizeDistribution(torch.tensor(size_histogram, dtype=torch.float64))
    largest, num_conditions = sizes.max_num_nodes, len(check_names(conditions))
    layer = named_creation(
        creation,
        largest,
        -(-4 * largest // 3) if num_reference_points is None else num_reference_points,
        order,
        latent_channels=latent_channels,
        out_channels=creation_channels,
        cond_channels=num_conditions,
    )
    encoder = GraphEncoder(
        num_node_types,
        len(edge_orders),
        latent_channels,
        hidden_channels,
        encoder_layers,
        readout=readout,
        max_num_nodes=largest,
    )
    update = SetTransformer(hidden_channels, num_layers, heads, latent_channels)
    sizes_of = num_node_types, edge_orders, pair_channels, plus, num_rounds
    decoder = GraphDecoder(layer, update, *sizes_of, num_neighbors=num_neighbors)
    where = named_prior(
        prior,
        largest,
        latent_channels=latent_channels,
        hidden_channels=prior_channels,
        num_layers=prior_layers,
        num_steps=prior_steps,
        guidance=prior_guidance,
        has_teacher=None if prior_teacher else False,
        cond_channels=num_conditions if prior in ("rectified_flow", "one_step") else None,
    )
    size_source = SizePredictor(latent_channels, largest) if predict_size else sizes
    vae = GraphVAE(encoder, decoder, size_source, prior=where)
    vae.conditions, vae.arguments = tuple(conditions), given
    return vae
