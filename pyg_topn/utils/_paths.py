"""Whether something can be written, asked before the work of which it is the result."""

from __future__ import annotations

import os
from pathlib import Path


def check_file(path: str | os.PathLike[str]) -> Path:
    """Check that a file can be written, and change nothing.

    Raises:
        OSError: If its folder does not exist or cannot be written to, or a folder has its name.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OSError(f"Expected an existing folder to write to (got '{path.parent}')")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OSError(f"Expected a file that can be written (got '{path}')")
    return path


def check_folder(path: str | os.PathLike[str]) -> Path:
    """Check that a folder can be written to or else made, and change nothing.

    Raises:
        OSError: If it is a file or below a file, or its owner is somebody else.
    """
    path = Path(path)
    present = path.absolute()
    while not present.exists():
        present = present.parent
    if not present.is_dir():
        raise OSError(f"Expected a folder to write to (got '{path}', but '{present}' is a file)")
    if not os.access(present, os.W_OK):
        raise OSError(f"Expected a folder that can be written to (got '{path}')")
    return path


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, with those above it, unless it is there.

    Raises:
        OSError: If it cannot be made, which is not always known before it is tried.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"Expected a folder that can be written to (got '{path}': {error.strerror})"
        ) from error
    return path
