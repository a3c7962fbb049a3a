"""Distributions of molecular properties, and how far they are from those of a reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_topn.metrics._sa_score import sa_score
from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol

PROPERTIES = ("weight", "logp", "qed", "sa")


@dataclass(frozen=True)
class MoleculeProperties:
    r"""Property values and structure histograms of a set of valid molecules.

    Attributes:
        values: For each property one value a molecule: :obj:`"weight"` in g/mol, :obj:`"logp"`
            (Crippen), :obj:`"qed"` (drug-likeness, 0 to 1) and :obj:`"sa"` (synthetic
            accessibility, 1 easy to 10 hard).
        histograms: Counts of :obj:`"atom_type"`, :obj:`"bond_type"` (kekulised),
            :obj:`"ring_count"` (rings of a molecule) and :obj:`"ring_size"` (atoms of a ring;
            smallest set of smallest rings).
        num_molecules: Number of molecules.

    Example:
        >>> ethanol = MoleculeProperties.from_molecules(["CCO"], names=("weight",))
        >>> ethanol.values["weight"].round(2), ethanol.histograms["atom_type"]
        (array([46.07]), {'C': 2, 'O': 1})
        >>> ring = MoleculeProperties.from_molecules(["C1CC1"], names=("weight",))
        >>> round(ring.distances(ethanol)["atom_type"], 4)
        0.3333
    """

    values: dict[str, NDArray[np.float64]]
    histograms: dict[str, dict[str, int]]
    num_molecules: int

    @classmethod
    def from_molecules(
        cls,
        molecules: Sequence[Mol | str],
        *,
        names: Sequence[str] = PROPERTIES,
        max_molecules: int | None = None,
        seed: int = 0,
    ) -> MoleculeProperties:
        r"""Compute everything; molecules that are invalid are left out.

        Args:
            molecules: RDKit molecules or SMILES strings. They are not changed.
            names: Which properties. :obj:`"qed"` and :obj:`"sa"` take most of the time: about 2 ms
                and 0.5 ms a molecule.
            max_molecules: Compute the properties, but not the histograms, on a random subset of
                this size.
            seed: Seed of the subset.

        Raises:
            ValueError: If a name is unknown or no molecule is valid.
            ImportError: If RDKit has no SA score.
        """
        unknown = sorted(set(names) - set(PROPERTIES))
        if unknown:
            raise ValueError(f"Expected properties among {PROPERTIES} (got {unknown})")
        with require("rdkit.rdBase", extra="chem").BlockLogs():
            mols = [mol for molecule in molecules if (mol := _sanitized(molecule)) is not None]
            if not mols:
                raise ValueError(f"Expected a valid molecule (got none in {len(molecules)})")
            chosen = mols
            if max_molecules is not None and len(mols) > max_molecules:
                picks = np.random.default_rng(seed).choice(len(mols), max_molecules, replace=False)
                chosen = [mols[index] for index in np.sort(picks)]
            functions = _functions(names)
            values = {
                name: np.array([function(mol) for mol in chosen], dtype=np.float64)
                for name, function in functions.items()
            }
            return cls(values, _histograms(mols), len(mols))

    def distances(self, reference: MoleculeProperties) -> dict[str, float]:
        r"""How far these molecules are from the reference.

        Returns:
            The Wasserstein distance of every property that both sides have, in its own units,
            and the total-variation distance of every histogram, from 0 to 1.
        """
        from scipy.stats import wasserstein_distance

        distances = {
            name: float(wasserstein_distance(values, reference.values[name]))
            for name, values in self.values.items()
            if name in reference.values
        }
        for name, counts in self.histograms.items():
            distances[name] = total_variation(counts, reference.histograms[name])
        return distances


def total_variation(counts: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    r"""Total-variation distance of two histograms, each scaled to a sum of 1.

    Half the sum of absolute differences. Two empty histograms are at 0, and an empty one is at 1
    from any other.

    Raises:
        ValueError: If a count is negative.

    Example:
        >>> total_variation({"C": 3, "O": 1}, {"C": 1, "N": 1})
        0.5
    """
    if any(count < 0 for histogram in (counts, other) for count in histogram.values()):
        raise ValueError("Expected counts of 0 or more (got a negative one)")
    total, other_total = sum(counts.values()), sum(other.values())
    if not total or not other_total:
        return float(bool(total) != bool(other_total))
    keys = set(counts) | set(other)
    return 0.5 * sum(
        abs(counts.get(key, 0) / total - other.get(key, 0) / other_total) for key in keys
    )


def _functions(names: Iterable[str]) -> dict[str, Any]:
    functions: dict[str, Any] = {
        "weight": lambda: require("rdkit.Chem.Descriptors", extra="chem").MolWt,
        "logp": lambda: require("rdkit.Chem.Crippen", extra="chem").MolLogP,
        "qed": lambda: require("rdkit.Chem.QED", extra="chem").qed,
        "sa": sa_score,
    }
    return {name: functions[name]() for name in names}


def _histograms(mols: Sequence[Mol]) -> dict[str, dict[str, int]]:
    chem = require("rdkit.Chem", extra="chem")
    names = ("atom_type", "bond_type", "ring_count", "ring_size")
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    for mol in mols:
        rings = mol.GetRingInfo().AtomRings()
        counts["ring_count"][str(len(rings))] += 1
        counts["ring_size"].update(str(len(ring)) for ring in rings)
        counts["atom_type"].update(atom.GetSymbol() for atom in mol.GetAtoms())
        kekulised = chem.Mol(mol)
        chem.Kekulize(kekulised, clearAromaticFlags=True)
        counts["bond_type"].update(bond.GetBondType().name for bond in kekulised.GetBonds())
    return {name: dict(sorted(counter.items())) for name, counter in counts.items()}


def _sanitized(molecule: Mol | str | None) -> Mol | None:
    chem = require("rdkit.Chem", extra="chem")
    if isinstance(molecule, str):
        mol = chem.MolFromSmiles(molecule)
    else:
        mol = None if molecule is None else chem.Mol(molecule)
        if mol is not None and chem.SanitizeMol(mol, catchErrors=True):
            mol = None
    return mol if mol is not None and mol.GetNumAtoms() else None
