"""Whether two models differ in more than what they have learnt."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

PLAIN = (bool, int, float, str, tuple, list, type(None))
LEFT_OUT = ("training", "arguments", "vocabulary")


def difference(model: nn.Module, built: nn.Module) -> str | None:
    """The first thing, if any, in which a model differs from one that was built anew.

    These are the shapes of weights, and what weights do not tell: classes, plain attributes such
    as a number of heads, and buffers that are not saved.
    """
    for told in (_shapes, _attributes):
        here, there = told(model), told(built)
        for name in {**here, **there}:
            pair = here.get(name, "missing"), there.get(name, "missing")
            if pair[0] != pair[1]:
                return f"'{name}' {pair[0]} in the model and {pair[1]} by the arguments"
    saved = built.state_dict()
    for name, value in built.named_buffers():
        if name in saved or name.rpartition(".")[2].startswith("_"):
            continue
        mine = model.get_buffer(name)
        if not torch.allclose(mine.double().cpu(), value.double(), rtol=1e-3):  # Of any precision.
            return f"'{name}' {mine.tolist()} in the model and {value.tolist()} by the arguments"
    return None


def _shapes(model: nn.Module) -> dict[str, str]:
    values = {**model.state_dict(), **dict(model.named_buffers())}
    return {name: str(list(value.shape)) for name, value in values.items()}


def _attributes(model: nn.Module) -> dict[str, str]:
    # Of models of graphs, whose class has none.
    found: dict[str, Any] = {"conditions": repr(getattr(model, "conditions", ()))}
    for path, module in model.named_modules():
        found[path or "model"] = type(module).__name__
        for name, value in vars(module).items():
            if isinstance(value, PLAIN) and not name.startswith("_") and name not in LEFT_OUT:
                # As texts: lists may hold what has no truth, and NaN is not equal to itself.
                found[f"{path}.{name}".lstrip(".")] = repr(value)
    return found
