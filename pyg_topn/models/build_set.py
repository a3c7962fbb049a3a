"""A set VAE from plain numbers and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pyg_topn.models.set_vae import SetVAE
from pyg_topn.nn.creation import SizeDistribution, SizePredictor
from pyg_topn.nn.decoder import SetDecoder
from pyg_topn.nn.encoder import SetEncoder
from pyg_topn.nn.update import SetTransformer
from pyg_topn.resolver import creation_resolver


def build_set_vae(
    size_histogram: Sequence[float],
    point_channels: int = 3,
    creation: str = "top_n",
    num_reference_points: int | None = None,
    order: str = "reference",
    latent_channels: int = 30,
    hidden_channels: int = 64,
    creation_channels: int = 64,
    num_layers: int = 3,
    heads: int = 4,
    film: bool = False,
    predict_size: bool = False,
) -> SetVAE:
    r"""Build a :class:`SetVAE` from plain numbers and names.

    Args:
        size_histogram: How often each number of points occurs, from 0 on.
        point_channels: The number of coordinates of a point, :math:`C`.
        creation: The creation layer: ``"top_n"``, ``"first_n"``, ``"mlp"`` or ``"iid"``.
        num_reference_points: The size of the reference set of Top-n; by default that of the
            largest set, 35 for the synthetic molecules as in the paper.
        order: The order in which Top-n lists the selected points, ``"reference"`` or ``"cosine"``.
        latent_channels: The size of a latent vector.
        hidden_channels: The width of both transformers.
        creation_channels: The width of the created points.
        num_layers: The number of layers of each transformer.
        heads: The number of attention heads.
        film: Whether the latent vector modulates the transformer layers of the decoder, besides
            what the creation does with it. In the paper it does not.
        predict_size: Whether sizes are predicted from the latent vector instead of drawn from the
            histogram.

    Raises:
        ValueError: If a name is unknown or a number out of range.

    Example:
        >>> vae = build_set_vae([0, 1, 5, 9], creation="first_n")
        >>> vae.sample(3).num_graphs
        3
    """
    sizes = SizeDistribution(torch.tensor(size_histogram, dtype=torch.float64))
    largest = sizes.max_num_nodes
    arguments: dict[str, Any] = {}
    if creation == "top_n":
        points = largest if num_reference_points is None else num_reference_points
        arguments.update(num_reference_points=points, order=order)
    elif creation in ("first_n", "mlp"):
        arguments["max_num_nodes"] = largest
    layer = creation_resolver(
        creation, latent_channels=latent_channels, out_channels=creation_channels, **arguments
    )
    encoder = SetEncoder(point_channels, latent_channels, hidden_channels, num_layers, heads)
    seen = latent_channels if film else None
    update = SetTransformer(hidden_channels, num_layers, heads, seen)
    size_source = SizePredictor(latent_channels, largest) if predict_size else sizes
    return SetVAE(encoder, SetDecoder(layer, update, point_channels), size_source)
