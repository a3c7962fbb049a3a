"""Models of sets from plain numbers and names, as a saved model keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pyg_topn.models._arguments import plain_arguments
from pyg_topn.models._named_creation import named_creation, named_prior
from pyg_topn.models.dspn import DSPN
from pyg_topn.models.set_vae import SetVAE
from pyg_topn.models.tspn import TSPN
from pyg_topn.nn.creation import Creation, SizeDistribution, SizePredictor
from pyg_topn.nn.decoder import SetDecoder
from pyg_topn.nn.encoder import SetEncoder
from pyg_topn.nn.update import SetTransformer


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
    cond_channels: int = 0,
    times_size: bool = False,
    prior: str = "gaussian",
    prior_channels: int | None = None,
    prior_layers: int | None = None,
    prior_steps: int | None = None,
    prior_guidance: float | None = None,
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
        cond_channels: The number of conditions that can be asked of a set: the creation layer is
            told them, and so is a rectified flow.
        times_size: Whether the weights of the points that Top-n selects average to 1 whatever the
            size of a set, see :class:`~pyg_topn.nn.creation.TopNCreation`.
        prior: Where latent vectors come from: ``"gaussian"``, as in the paper, or
            ``"rectified_flow"``, which is to be fitted afterwards.
        prior_channels: The width of a flow, if not its default.
        prior_layers: The number of layers of a flow, if not its default.
        prior_steps: The number of steps of a rectified flow, if not its default.
        prior_guidance: The weight of the guidance of a rectified flow, if any.

    Raises:
        TypeError: If an argument of a flow is given to a prior that has no such argument.
        ValueError: If a name is unknown or a number out of range.

    Example:
        >>> vae = build_set_vae([0, 1, 5, 9], creation="first_n")
        >>> vae.sample(3).num_graphs
        3
    """
    given = plain_arguments(locals())
    sizes = SizeDistribution(torch.tensor(size_histogram, dtype=torch.float64))
    largest = sizes.max_num_nodes
    layer = named_creation(
        creation,
        largest,
        largest if num_reference_points is None else num_reference_points,
        order,
        times_size,
        latent_channels=latent_channels,
        out_channels=creation_channels,
        cond_channels=cond_channels,
    )
    encoder = SetEncoder(point_channels, latent_channels, hidden_channels, num_layers, heads)
    seen = latent_channels if film else None
    update = SetTransformer(hidden_channels, num_layers, heads, seen)
    size_source = SizePredictor(latent_channels, largest) if predict_size else sizes
    where = named_prior(
        prior,
        largest,
        latent_channels=latent_channels,
        hidden_channels=prior_channels,
        num_layers=prior_layers,
        num_steps=prior_steps,
        guidance=prior_guidance,
        cond_channels=cond_channels if prior in ("rectified_flow", "one_step") else None,
    )
    vae = SetVAE(encoder, SetDecoder(layer, update, point_channels), size_source, where)
    vae.arguments = given
    return vae


def build_tspn(
    max_num_nodes: int,
    point_channels: int = 2,
    creation: str = "top_n",
    num_reference_points: int | None = None,
    latent_channels: int = 256,
    hidden_channels: int = 256,
    num_layers: int = 3,
    heads: int = 4,
    size_channels: int = 128,
    **options: Any,
) -> TSPN:
    r"""Build a :class:`TSPN` that predicts the sizes of sets from plain numbers and names.

    Args:
        max_num_nodes: The number of points of the largest set.
        point_channels: The number of coordinates of a point.
        creation: The creation layer: ``"top_n"``, ``"first_n"``, ``"mlp"`` or ``"iid"``.
        num_reference_points: The size of the reference set of Top-n; by default twice that of the
            largest set, as in the paper.
        latent_channels: The size of a latent vector.
        hidden_channels: The width of both transformers and of created points.
        num_layers: The number of layers of each transformer.
        heads: The number of attention heads.
        size_channels: The hidden width of the size predictor. It learns apart from the rest.
        **options: Other arguments of :class:`TSPN`, such as :obj:`num_pieces`, :obj:`center` and
            :obj:`spread`.

    Raises:
        ValueError: If a name is unknown or a number out of range.

    Example:
        >>> tspn = build_tspn(9, latent_channels=8, hidden_channels=16, num_layers=1)
        >>> tspn.creation
        TopNCreation(8, 16, num_reference_points=18, angle_channels=4, order='reference')
    """
    given = plain_arguments(locals())
    layer = _creation(
        creation, latent_channels, hidden_channels, max_num_nodes, num_reference_points
    )
    sizes = SizePredictor(latent_channels, max_num_nodes, size_channels, detach=True)
    tspn = TSPN(point_channels, layer, num_layers, heads, sizes=sizes, **options)
    tspn.arguments = given
    return tspn


def build_dspn(
    max_num_nodes: int,
    point_channels: int = 2,
    creation: str = "top_n",
    num_reference_points: int | None = None,
    latent_channels: int = 64,
    hidden_channels: int = 256,
    size_channels: int = 128,
    **options: Any,
) -> DSPN:
    r"""Build a :class:`DSPN` that predicts the sizes of sets from plain numbers and names.

    Args:
        max_num_nodes: The number of points of the largest set.
        point_channels: The number of coordinates of a point.
        creation: The creation layer: ``"top_n"``, ``"first_n"``, ``"mlp"`` or ``"iid"``.
        num_reference_points: The size of the reference set of Top-n; by default twice that of the
            largest set, as in the paper.
        latent_channels: The size of a latent vector.
        hidden_channels: The width of the encoder.
        size_channels: The hidden width of the size predictor. It learns apart from the rest.
        **options: Other arguments of :class:`DSPN`, such as :obj:`num_steps`, :obj:`step_size`,
            :obj:`spread` and :obj:`max_move`.

    Raises:
        ValueError: If a name is unknown or a number out of range.

    Example:
        >>> dspn = build_dspn(9, creation="iid", latent_channels=8, num_steps=3)
        >>> len(dspn.decode(torch.zeros(1, 8)))
        4
    """
    given = plain_arguments(locals())
    layer = _creation(
        creation, latent_channels, point_channels, max_num_nodes, num_reference_points
    )
    sizes = SizePredictor(latent_channels, max_num_nodes, size_channels, detach=True)
    dspn = DSPN(point_channels, layer, hidden_channels, sizes=sizes, **options)
    dspn.arguments = given
    return dspn


def _creation(
    name: str, latent_channels: int, out_channels: int, largest: int, points: int | None
) -> Creation:
    """The creation layer of an autoencoder."""
    points = 2 * largest if points is None else points
    channels: dict[str, Any] = {"latent_channels": latent_channels}
    channels["out_channels"] = out_channels
    return named_creation(name, largest, points, **channels)
