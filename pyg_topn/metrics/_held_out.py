"""Distances of generated molecules to held-out ones, which are prepared once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyg_topn.metrics.fcd import FrechetChemNetDistance
from pyg_topn.metrics.nspdk import NSPDKDistance
from pyg_topn.metrics.properties import MoleculeProperties
from pyg_topn.utils.optional import require

_MAX_PROPERTIES = 2_000


class HeldOut:
    r"""The reference side of every distance, computed when it is first needed.

    Raises:
        ValueError: If a distance is asked for without held-out molecules.
        ImportError: If FCD is asked for and its package is missing.
    """

    def __init__(
        self,
        smiles: Sequence[str] | None,
        nspdk: bool,
        fcd: bool | FrechetChemNetDistance,
        properties: bool,
    ) -> None:
        if (fcd is True or properties) and not smiles:
            got = None if smiles is None else "an empty list"
            raise ValueError(f"Expected 'held_out_smiles' to measure a distance to (got {got})")
        if fcd is True:
            require("fcd", extra="fcd")
        self.smiles = list(smiles or [])
        self._wants = {"nspdk": nspdk and bool(smiles), "fcd": bool(fcd), "properties": properties}
        self._fcd = None if isinstance(fcd, bool) else fcd
        self._nspdk: NSPDKDistance | None = None
        self._properties: MoleculeProperties | None = None

    def measure(self, valid: Sequence[str]) -> dict[str, Any]:
        r"""The distances of these valid molecules, None where not asked for or too few."""
        return {
            "nspdk": self._to_nspdk(valid) if self._wants["nspdk"] and valid else None,
            "fcd": self._to_fcd(valid) if self._wants["fcd"] and len(valid) > 1 else None,
            "properties": self._to_properties(valid)
            if self._wants["properties"] and valid
            else None,
        }

    def descriptions(self) -> dict[str, str]:
        r"""What each distance is measured against, in words."""
        count = f"{len(self.smiles):,} held-out molecules"
        texts = {
            "nspdk": f"to {count}",
            "fcd": "to the given reference" if self._fcd is None else f"to {self._fcd.description}",
            "properties": f"to {count}; weight, logP, QED, SA: Wasserstein, at most "
            f"{_MAX_PROPERTIES:,} molecules a side; the rest: total variation",
        }
        return {name: text for name, text in texts.items() if self._wants[name]}

    def _to_nspdk(self, valid: Sequence[str]) -> float:
        if self._nspdk is None:
            self._nspdk = NSPDKDistance(self.smiles)
        return self._nspdk.compute(valid)

    def _to_fcd(self, valid: Sequence[str]) -> float:
        if self._fcd is None:
            self._fcd = FrechetChemNetDistance(self.smiles)
        return self._fcd.compute(valid)

    def _to_properties(self, valid: Sequence[str]) -> dict[str, float]:
        if self._properties is None:
            self._properties = MoleculeProperties.from_molecules(
                self.smiles, max_molecules=_MAX_PROPERTIES
            )
        generated = MoleculeProperties.from_molecules(valid, max_molecules=_MAX_PROPERTIES)
        return generated.distances(self._properties)
