"""Counts for the molecules of one size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SizeCounts:
    """Molecules with one number of heavy atoms.

    Attributes:
        count: All of them.
        valid: Those valid in the paper's sense.
        connected: Those valid and in one piece.
        unique: Distinct canonical SMILES among the valid ones.
    """

    count: int
    valid: int
    connected: int
    unique: int
