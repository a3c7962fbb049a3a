"""Creation layers and priors by name."""

from __future__ import annotations

import re
from typing import Any

from torch_geometric.resolver import resolver

from pyg_topn.nn.creation import (
    Creation,
    FirstNCreation,
    IIDCreation,
    MLPCreation,
    TopNCreation,
)
from pyg_topn.nn.prior import (
    CouplingFlowPrior,
    GaussianPrior,
    OneStepPrior,
    Prior,
    RectifiedFlowPrior,
)

CREATIONS = ("top_n", "first_n", "mlp", "iid")
PRIORS = ("gaussian", "coupling_flow", "rectified_flow", "one_step")


def creation_name(query: str) -> str:
    r"""Return the name of a creation layer as :data:`CREATIONS` has it, for any that
    :func:`creation_resolver` takes; another one as it is.

    Args:
        query: The name, with or without underscores, or that of the class, in any case.

    Example:
        >>> creation_name("TopN"), creation_name("first-n"), creation_name("big_bang")
        ('top_n', 'first_n', 'big_bang')
    """
    plain = re.sub(r"[-_ ]", "", str(query).lower()).removesuffix("creation")
    return next((name for name in CREATIONS if name.replace("_", "") == plain), query)


def creation_resolver(query: Creation | str, **kwargs: Any) -> Creation:
    r"""Return a creation layer by its name.

    Args:
        query: ``"top_n"``, ``"first_n"``, ``"mlp"`` or ``"iid"``; a layer is returned as it is.
        **kwargs: The arguments of the layer.

    Raises:
        ValueError: If there is no such layer.
        TypeError: If the layer has no such argument.

    Example:
        >>> creation_resolver("top_n", latent_channels=8, out_channels=16, num_reference_points=12)
        TopNCreation(8, 16, num_reference_points=12, angle_channels=4, order='reference')
    """
    classes = [TopNCreation, FirstNCreation, MLPCreation, IIDCreation]
    if not isinstance(query, Creation) and not isinstance(query, str):
        raise TypeError(f"Expected a creation layer or its name (got {type(query).__name__})")
    try:
        layer: Creation = resolver(classes, {}, query, Creation, None, **kwargs)
    except ValueError as error:
        if "Could not resolve" not in str(error):
            raise
        raise ValueError(
            f"Expected a creation layer among {', '.join(CREATIONS)} (got '{query}')"
        ) from None
    return layer


def prior_resolver(query: Prior | str, **kwargs: Any) -> Prior:
    r"""Return a prior by its name.

    Args:
        query: ``"gaussian"``, ``"coupling_flow"``, ``"rectified_flow"`` or ``"one_step"``; a
            prior is returned as it is.
        **kwargs: The arguments of the prior.

    Raises:
        ValueError: If there is no such prior.
        TypeError: If the prior has no such argument.

    Example:
        >>> prior_resolver("gaussian", latent_channels=8)
        GaussianPrior(8)
    """
    classes: dict[str, type[Prior]] = {
        "gaussian": GaussianPrior,
        "coupling_flow": CouplingFlowPrior,
        "rectified_flow": RectifiedFlowPrior,
        "one_step": OneStepPrior,
    }
    if isinstance(query, Prior):
        return query
    if not isinstance(query, str):
        raise TypeError(f"Expected a prior or its name (got {type(query).__name__})")
    if query not in classes:
        raise ValueError(f"Expected a prior among {', '.join(PRIORS)} (got '{query}')")
    return classes[query](**kwargs)
