"""What the C library does with memory that tensors have given back."""

from __future__ import annotations

import ctypes
import sys

# Of malloc.h; a threshold above 32 MiB is refused.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = ((_MMAP_THRESHOLD, 2**25), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26))


def keep_freed_memory() -> bool:
    r"""Ask the C library to keep memory that tensors have given back, for the next ones.

    By default glibc returns large pieces to the system, which hands out the next ones page by page,
    filled with zeros: a step of training on a CPU asks for a hundred megabytes in pieces that are
    just large enough. It is a setting of the whole process, which then keeps as much as it has ever
    used at once, so only programs call it: the commands that train and sample, and the benchmarks.
    Elsewhere the variables ``MALLOC_TRIM_THRESHOLD_`` and ``MALLOC_MMAP_THRESHOLD_`` of the
    environment do the same.

    Returns:
        Whether the C library has taken the settings; with another one than glibc there are none.

    Example:
        >>> keep_freed_memory() in (True, False)
        True
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(setting, value) == 1 for setting, value in _SETTINGS)
