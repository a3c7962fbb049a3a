"""Where half precision is fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


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
