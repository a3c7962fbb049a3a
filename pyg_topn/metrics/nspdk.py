"""Maximum mean discrepancy with the NSPDK graph kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_topn.metrics._nspdk_features import Sparse, mean_features
from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol


class NSPDKDistance:
    r"""Squared maximum mean discrepancy to reference molecules with the NSPDK kernel.

    The neighbourhood subgraph pairwise distance kernel from `"Fast Neighborhood Subgraph Pairwise
    Distance Kernel" <https://icml.cc/Conferences/2010/papers/347.pdf>`_ (Costa and De Grave,
    2010), set up as GDSS sets up the EDeN library: atoms labelled by element, bonds by the integer
    part of their order (aromatic: 1), unit-length features. The kernel is linear in its features,
    so that the biased estimate

    .. math::
        \overline{k(x, x')} + \overline{k(y, y')} - 2\, \overline{k(x, y)} = \|\bar\phi_x -
        \bar\phi_y\|^2

    needs no matrix of pairs. EDeN folds its features into 65,536 buckets with a hash that is
    drawn anew in every process; here features do not collide. The bias is about :math:`0.6 (1/n +
    1/m)` for samples of sizes :math:`n` and :math:`m`.

    Args:
        reference: Valid SMILES strings, or sanitised molecules.
        complexity: Largest radius and distance of the features.

    Raises:
        ValueError: If the reference is empty or holds an invalid SMILES string.

    Example:
        >>> distance = NSPDKDistance(["CCO", "CCN"])
        >>> distance.compute(["NCC", "OCC"])
        0.0
        >>> distance.compute(["CCO", "CC=O"]) > 0.1
        True
    """

    def __init__(self, reference: Sequence[Mol | str], complexity: int = 4) -> None:
        if complexity < 0:
            raise ValueError(f"Expected a complexity of 0 or more (got {complexity})")
        self.complexity = complexity
        self.num_reference = len(reference)
        self._reference = self._embed(reference)

    def compute(self, molecules: Sequence[Mol | str]) -> float:
        r"""The squared discrepancy between these molecules and the reference.

        Args:
            molecules: Valid SMILES strings, or sanitised molecules, duplicates included.

        Raises:
            ValueError: If there are none, or a SMILES string is invalid.
        """
        ids, values = self._embed(molecules)
        other_ids, other_values = self._reference
        distinct, where = np.unique(np.concatenate([ids, other_ids]), return_inverse=True)
        signed = np.concatenate([values, -other_values])
        difference = np.bincount(where, signed, minlength=len(distinct))
        return float(difference @ difference)

    def _embed(self, molecules: Sequence[Mol | str]) -> Sparse:
        if len(molecules) == 0:
            raise ValueError("Expected at least one molecule (got 0)")
        return mean_features([_parse(molecule) for molecule in molecules], self.complexity)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.num_reference}, complexity={self.complexity})"


def _parse(molecule: Mol | str) -> Mol:
    mol: Any = molecule
    if isinstance(molecule, str):
        with require("rdkit.rdBase", extra="chem").BlockLogs():
            mol = require("rdkit.Chem", extra="chem").MolFromSmiles(molecule)
    if mol is None or mol.GetNumAtoms() == 0:
        raise ValueError(f"Expected valid molecules (got {molecule!r})")
    return mol
