"""The defaults of functions: a run that was made with others is another run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that have a value if none is given."""
    known = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in known if each.default is not each.empty}
