"""Optional dependencies: imported where they are used, named with their extra when absent."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def require(module: str, extra: str) -> Any:
    r"""Import an optional dependency, or say how to install it.

    Args:
        module: Dotted name of the module, for example :obj:`"rdkit.Chem"`.
        extra: The extra of this package that brings it, for example :obj:`"chem"`.

    Returns:
        The imported module.

    Raises:
        ImportError: If the module is not installed; the message names the extra.

    Example:
        >>> require("math", extra="chem").floor(2.5)
        2
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        if error.name is None or error.name.split(".")[0] != package:
            raise  # The package is there, one of its own dependencies is not.
        raise ImportError(
            f"Expected the optional package '{package}' to be installed "
            f"(got none). Install it with: pip install 'pyg-topn[{extra}]'"
        ) from error


def is_installed(module: str) -> bool:
    r"""Whether an optional dependency can be imported, without importing it.

    Example:
        >>> is_installed("math"), is_installed("no_such_module")
        (True, False)
    """
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # The package of a submodule is missing.
        return False
