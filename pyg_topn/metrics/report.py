"""What was measured on a set of generated molecules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pyg_topn.metrics import _tables
from pyg_topn.metrics._size_counts import SizeCounts
from pyg_topn.metrics.scores import ValidityScores


@dataclass(frozen=True)
class MoleculeReport:
    r"""Every definition side by side, on the molecules as they came: none rejected, none corrected.

    Shares are between 0 and 1; the tables print percent. What was not asked for, or cannot be
    computed, is :obj:`None` and printed as a dash.

    Attributes:
        num_molecules: How many molecules were given.
        num_unreadable: How many of them could not be read at all; they are invalid throughout.
        paper: Neutral atoms, and RDKit's :obj:`SanitizeMol` passes; fragments allowed.
        connected: The same, and in one piece (strict).
        relaxed: :obj:`SanitizeMol` passes after charges of +1 on over-valent N and O; unique and
            novel by the largest fragment (DiGress).
        valence: Only the valences are checked, with the same charges (GDSS, MoFlow).
        sizes: Counts by number of heavy atoms.
        atoms: Number of atoms by element, of all molecules that could be read.
        bonds: Number of bonds by type (kekulised), of the same molecules.
        fcd: Frechet ChemNet distance of the molecules valid in the paper's sense.
        nspdk: Squared MMD with the NSPDK kernel of the same molecules.
        properties: Distances of property distributions, see
            :meth:`~pyg_topn.metrics.MoleculeProperties.distances`.
        references: What novelty and each distance were measured against, in words.
        label: Which model, prior or recipe this is.

    Example:
        >>> from pyg_topn.metrics import MoleculeMetrics
        >>> metrics = MoleculeMetrics(label="toy")
        >>> metrics.update(["CCO", "C.C", "CFC", "CCO"])
        >>> report = metrics.compute()
        >>> report.paper.valid, report.connected.valid, report.paper.num_unique
        (0.75, 0.5, 2)
        >>> print(report.per_size_table())
        percent, by size: toy
        -----------------------------------------------------------
        heavy atoms     count    share    valid  connected   unique
        -----------------------------------------------------------
                  2         1    25.00   100.00       0.00   100.00
                  3         3    75.00    66.67      66.67    50.00
        -----------------------------------------------------------
    """

    num_molecules: int
    num_unreadable: int
    paper: ValidityScores
    connected: ValidityScores
    relaxed: ValidityScores
    valence: ValidityScores
    sizes: Mapping[int, SizeCounts] = field(default_factory=dict)
    atoms: Mapping[str, int] = field(default_factory=dict)
    bonds: Mapping[str, int] = field(default_factory=dict)
    fcd: float | None = None
    nspdk: float | None = None
    properties: Mapping[str, float] | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    def scalars(self) -> dict[str, float]:
        r"""The main figures by short names, for a logger; those that are :obj:`None` left out."""
        figures = {
            "valid": self.paper.valid,
            "connected": self.connected.valid,
            "relaxed": self.relaxed.valid,
            "valence": self.valence.valid,
            "unique": self.paper.unique,
            "vu": self.paper.vu,
            "novel": self.paper.novel,
            "vun": self.paper.vun,
            "connected_vu": self.connected.vu,
            "connected_vun": self.connected.vun,
            "fcd": self.fcd,
            "nspdk": self.nspdk,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        r"""Everything as plain JSON types."""
        definitions = ("paper", "connected", "relaxed", "valence")
        return {
            "label": self.label,
            "num_molecules": self.num_molecules,
            "num_unreadable": self.num_unreadable,
            **{name: getattr(self, name).to_dict() for name in definitions},
            "fcd": self.fcd,
            "nspdk": self.nspdk,
            "properties": None if self.properties is None else dict(self.properties),
            "references": dict(self.references),
            "sizes": [{"size": size, **asdict(row)} for size, row in self.sizes.items()],
            "atoms": dict(self.atoms),
            "bonds": dict(self.bonds),
        }

    def table(self) -> str:
        r"""All definitions as a plain-text table of at most 100 columns."""
        return _tables.main_table(self)

    def per_size_table(self) -> str:
        r"""Count, valid, connected and unique for every number of heavy atoms, as plain text."""
        return _tables.size_table(self)

    def __str__(self) -> str:
        return self.table()
