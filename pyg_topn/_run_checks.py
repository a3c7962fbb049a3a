"""What a training run checks before any work is done, and when it is resumed."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import torch

from pyg_topn.datasets.qm9 import DFT_PROPERTIES, RDKIT_PROPERTIES
from pyg_topn.utils._names import check_names
from pyg_topn.utils._paths import check_folder
from pyg_topn.utils.optional import require


def check_numbers(
    minutes: float | None, epochs: int | None, seed: int, patience: int = 1, num_samples: int = 1
) -> None:
    if (minutes is not None) == (epochs is not None):
        raise ValueError(f"Expected 'minutes' or 'epochs', not both (got {minutes} and {epochs})")
    budget = minutes if epochs is None else epochs
    if budget is None or not 0 < budget < math.inf:
        raise ValueError(f"Expected a positive budget of minutes or epochs (got {budget})")
    if not 0 <= seed < 2**32:
        raise ValueError(f"Expected 'seed' to be between 0 and 2^32 - 1 (got {seed})")
    for name, value in (("patience", patience), ("num_samples", num_samples)):
        if value < 1:
            raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")


def known_conditions(names: Sequence[str]) -> tuple[str, ...]:
    """Properties of QM9 that a model is to be asked for, in any case, as the data set has them."""
    known = (*RDKIT_PROPERTIES, *DFT_PROPERTIES)
    for name in check_names(names):
        if name.lower() not in known:
            raise ValueError(f"Expected conditions among {', '.join(known)} (got '{name}')")
    return tuple(name.lower() for name in names)


def check_places(
    out: Path,
    root: Path,
    arguments: dict[str, Any],
    resume: bool,
    needs: Sequence[tuple[str, str]] = (("rdkit.Chem", "chem"), ("matplotlib.figure", "plot")),
) -> None:
    """Check folders, and the packages that are needed in the end, before any work."""
    for module, extra in needs:
        require(module, extra)
    check_folder(out)
    check_folder(root)
    described = out / "arguments.json"
    if not described.is_file():
        return
    if not resume:
        raise ValueError(
            f"Expected a folder without a run (got '{out}', which has one). "
            "Resume it, or choose another folder."
        )
    try:
        known = json.loads(described.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"Expected the arguments of a run in '{described}' (got a damaged file: {error}). "
            "Choose another folder."
        ) from error
    if known != arguments:
        raise ValueError(f"Expected the arguments of the run in '{out}': {known} (got {arguments})")


def read_checkpoint(
    path: Path, entries: Collection[str] = ("state_dict", "global_step", "epoch")
) -> dict[str, Any]:
    """Read a checkpoint without running code from it."""
    errors = (RuntimeError, OSError, EOFError, KeyError, ValueError, UnpicklingError, BadZipFile)
    try:
        with path.open("rb") as file:
            checkpoint: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        if not set(entries) <= checkpoint.keys():
            raise ValueError("entries are missing")
    except (*errors, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"Expected a checkpoint of a run in '{path}' (got a damaged file: {reason}). "
            "Delete it to start again."
        ) from error
    return checkpoint


def check_fit(module: torch.nn.Module, resumed: dict[str, Any] | None, last: Path) -> None:
    """Check that a checkpoint is of this model, say not of another version of the package."""
    try:
        module.load_state_dict(module.state_dict() if resumed is None else resumed["state_dict"])
    except RuntimeError as error:
        raise ValueError(
            f"Expected a checkpoint of this model in '{last}' (got one of another). "
            "Delete it to start again."
        ) from error
