"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STALE_SECONDS = 60  # A file that is being written changes all the time.


def write_at_once(path: str | os.PathLike[str], write: Callable[[Path], Any]) -> None:
    """Write a file under another name, then rename it: a kill leaves no half-written file."""
    path = os.fspath(path)
    for stale in Path(path).parent.glob("*.tmp"):
        if time.time() - stale.stat().st_mtime > STALE_SECONDS:
            stale.unlink(missing_ok=True)
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
