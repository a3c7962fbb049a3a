"""Validity, uniqueness and novelty under one definition of validity."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959963984540054  # Two-sided 95 % of the normal distribution.


@dataclass(frozen=True)
class ValidityScores:
    r"""Counts under one definition of a valid molecule, and the shares that papers print.

    Args:
        num_molecules: Everything that was generated, unreadable strings included.
        num_valid: The valid ones.
        num_unique: Distinct canonical SMILES among the valid ones.
        num_novel: Those of them that are not in the reference, :obj:`None` without a reference.

    Example:
        >>> scores = ValidityScores(num_molecules=10, num_valid=8, num_unique=6, num_novel=3)
        >>> scores.valid, scores.unique, scores.vu, scores.novel, scores.vun
        (0.8, 0.75, 0.6, 0.5, 0.3)
    """

    num_molecules: int
    num_valid: int
    num_unique: int
    num_novel: int | None = None

    @property
    def valid(self) -> float:
        """Valid molecules / all molecules."""
        return self.num_valid / self.num_molecules

    @property
    def unique(self) -> float:
        """Distinct molecules / valid molecules; 0 if none is valid."""
        return self.num_unique / self.num_valid if self.num_valid else 0.0

    @property
    def vu(self) -> float:
        """Valid x unique: distinct molecules / all molecules."""
        return self.num_unique / self.num_molecules

    @property
    def novel(self) -> float | None:
        """Distinct molecules outside the reference / distinct molecules; 0 if there are none."""
        if self.num_novel is None:
            return None
        return self.num_novel / self.num_unique if self.num_unique else 0.0

    @property
    def vun(self) -> float | None:
        """Valid x unique x novel."""
        return None if self.num_novel is None else self.num_novel / self.num_molecules

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of :attr:`valid`, for this number of molecules."""
        n, p = self.num_molecules, self.valid
        centre = p + _Z**2 / (2 * n)
        spread = _Z * math.sqrt(p * (1 - p) / n + (_Z / (2 * n)) ** 2)
        scale = 1 + _Z**2 / n
        return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

    def to_dict(self) -> dict[str, float | int | list[float] | None]:
        r"""Counts and shares as plain JSON types."""
        return {
            "num_valid": self.num_valid,
            "num_unique": self.num_unique,
            "num_novel": self.num_novel,
            "valid": self.valid,
            "valid_interval": list(self.interval),
            "unique": self.unique,
            "vu": self.vu,
            "novel": self.novel,
            "vun": self.vun,
        }
