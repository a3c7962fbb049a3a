"""The arguments of a builder, as its models remember them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def plain_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name in plain JSON types, those of :obj:`options` among the others."""
    options = given.get("options", {})
    named = {name: value for name, value in given.items() if name != "options"}
    return {name: _plain(value) for name, value in {**named, **options}.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # Of PyTorch or NumPy.
        return value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
