"""Creation layers and priors by name, for what is built from plain numbers and names."""

from __future__ import annotations

from typing import Any

from pyg_topn.nn.creation import Creation
from pyg_topn.nn.prior import Prior
from pyg_topn.resolver import creation_name, creation_resolver, prior_resolver


def named_creation(
    creation: str,
    largest: int,
    num_reference_points: int,
    order: str = "reference",
    times_size: bool = False,
    **arguments: Any,
) -> Creation:
    """A creation layer by its name: of what limits the sizes, each takes what is its own."""
    creation = creation_name(creation)
    if creation == "top_n":
        points = {"num_reference_points": num_reference_points}
        arguments.update(**points, order=order, times_size=times_size)
    elif creation in ("first_n", "mlp"):
        arguments["max_num_nodes"] = largest
    return creation_resolver(creation, **arguments)


def named_prior(prior: str, largest: int, **arguments: Any) -> Prior:
    """A prior by its name, with those arguments that are given; flows are told the sizes."""
    given = {name: value for name, value in arguments.items() if value is not None}
    limit = {} if prior == "gaussian" else {"max_num_nodes": largest}
    return prior_resolver(prior, **limit, **given)
