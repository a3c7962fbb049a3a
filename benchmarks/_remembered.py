"""What a run has measured, as a file that is there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyg_topn.utils._files import write_at_once


def write_result(path: Path, found: dict[str, Any]) -> None:
    """Write figures as JSON."""
    text = json.dumps(found, indent=2) + "\n"
    write_at_once(path, lambda draft: draft.write_text(text, encoding="utf-8"))
