"""Names of conditions: what a model can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def check_names(conditions: Sequence[str]) -> Sequence[str]:
    """Check the names of conditions, and return them."""
    given = [conditions] if isinstance(conditions, str) else list(conditions)
    # They are asked for in any case.
    distinct = len({name.lower() for name in given}) == len(given)
    if isinstance(conditions, str) or not distinct or not all(given):
        raise ValueError(f"Expected 'conditions' to be distinct names (got {conditions!r})")
    return conditions


def values_by_name(wanted: Mapping[str, float], conditions: Sequence[str]) -> Tensor:
    """Conditions by their names, whatever the case, in the order of a model, NaN where open. [K]"""
    places = {name.lower(): place for place, name in enumerate(conditions)}
    values = torch.full((len(conditions),), torch.nan)
    if len({name.lower() for name in wanted}) < len(wanted):
        raise ValueError(f"Expected every condition once, whatever the case (got {list(wanted)})")
    for name, value in wanted.items():
        if name.lower() not in places:
            known = ", ".join(conditions) or "none: the model was trained without"
            raise ValueError(f"Expected conditions among {known} (got '{name}')")
        values[places[name.lower()]] = float(value)
    return values
