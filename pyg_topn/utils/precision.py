"""Where half precision is fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

PRECISIONS = ("auto", "float32", "bfloat16")


def has_fast_bfloat16(device: torch.device | str) -> bool:
    r"""Return whether a device multiplies matrices of ``bfloat16`` in hardware.

    A CPU that does (AVX512-BF16 or AMX) is about twice as fast with them; one that does not is
    several times slower. Versions of PyTorch that cannot tell count as if it did not.

    Args:
        device: The device.

    Example:
        >>> has_fast_bfloat16("cpu") in (True, False)
        True
    """
    kind = torch.device(device).type
    if kind == "cpu":
        ask: Callable[[], Mapping[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
        found = ask()
        return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return False


def autocast(device: torch.device | str, precision: str = "auto") -> torch.autocast:
    r"""Return a context in which matrices are multiplied at a given precision.

    Args:
        device: Where.
        precision: ``"float32"`` for the type of the weights, ``"bfloat16"`` for mixed precision,
            ``"auto"`` for mixed precision where :func:`has_fast_bfloat16` finds a unit for it.

    Raises:
        ValueError: If there is no such precision.

    Example:
        >>> with autocast("cpu", "bfloat16"):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.bfloat16
    """
    check_precision(precision)
    kind = torch.device(device).type
    half = has_fast_bfloat16(device) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(kind, torch.bfloat16, enabled=half)


def full_precision_of_rows(device: torch.device) -> AbstractContextManager[object]:
    """Return a context for layers whose number of rows is another in every batch.

    On a CPU, products of ``bfloat16`` are compiled for one number of rows, which takes longer than
    a product of a few thousand: there, such layers keep the type of their weights under autocast.

    Args:
        device: Where.

    Example:
        >>> with autocast("cpu", "bfloat16"), full_precision_of_rows(torch.device("cpu")):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.float32
    """
    return full_precision(device) if device.type == "cpu" else nullcontext()


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which products keep the type of their weights under autocast.

    Args:
        device: Where.

    Example:
        >>> with autocast("cpu", "bfloat16"), full_precision(torch.device("cpu")):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.float32
    """
    has_autocast = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if has_autocast else nullcontext()


def check_precision(precision: str) -> None:
    """Check the name of a precision."""
    if precision not in PRECISIONS:
        raise ValueError(f"Expected 'precision' among {', '.join(PRECISIONS)} (got '{precision}')")


def at_least_float32(value: Tensor) -> Tensor:
    """Return a tensor in single precision, or in double if it has that: sums, logarithms and
    decisions are not left to the eight bits of ``bfloat16``.

    Example:
        >>> at_least_float32(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return value.to(torch.promote_types(value.dtype, torch.float32))
