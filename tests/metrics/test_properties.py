from __future__ import annotations

import os

import numpy as np
import pytest
from rdkit import Chem, RDConfig
from rdkit.Chem import QED, Crippen, Descriptors
from scipy.stats import wasserstein_distance

from pyg_topn.metrics import MoleculeProperties, read_smiles, total_variation
from pyg_topn.metrics._sa_score import sa_score

SMILES = ["CCO", "c1ccccc1", "CC(=O)NC", "C1CC1C#N", "C"]


def test_values_are_rdkits() -> None:
    values = MoleculeProperties.from_molecules(SMILES).values
    mols = [Chem.MolFromSmiles(text) for text in SMILES]
    for name, function in {
        "weight": Descriptors.MolWt,
        "logp": Crippen.MolLogP,
        "qed": QED.qed,
    }.items():
        np.testing.assert_allclose(values[name], [function(mol) for mol in mols])
    # Easy, easy, and by the published script.
    assert values["sa"][1] == pytest.approx(1.0)
    assert ((values["sa"] >= 1) & (values["sa"] <= 10)).all()


def test_histograms() -> None:
    properties = MoleculeProperties.from_molecules(
        ["c1ccccc1", "C1CC1C#N", "OC1CC2CC12", "C"], names=()
    )
    assert properties.histograms == {
        "atom_type": {"C": 16, "N": 1, "O": 1},
        "bond_type": {"DOUBLE": 3, "SINGLE": 14, "TRIPLE": 1},
        "ring_count": {"0": 1, "1": 2, "2": 1},
        "ring_size": {"3": 2, "4": 1, "6": 1},
    }
    assert properties.values == {}


def test_invalid_molecules_are_left_out_and_nothing_is_changed() -> None:
    raw = read_smiles("C1=CC=CC=C1")
    molecules = ["CFC", read_smiles("CFC"), None, "junk", "", raw, "C"]
    properties = MoleculeProperties.from_molecules(molecules, names=("weight",))  # type: ignore[arg-type]
    assert properties.num_molecules == 2
    np.testing.assert_allclose(properties.values["weight"], [78.114, 16.043], atol=1e-3)
    assert not any(atom.GetIsAromatic() for atom in raw.GetAtoms())


def test_subset_is_seeded_and_histograms_use_all() -> None:
    first, again, other = (
        MoleculeProperties.from_molecules(SMILES * 4, names=("weight",), max_molecules=6, seed=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.values["weight"], again.values["weight"])
    assert len(first.values["weight"]) == 6
    assert not np.array_equal(first.values["weight"], other.values["weight"])
    assert sum(first.histograms["ring_count"].values()) == 20


def test_distances() -> None:
    one = MoleculeProperties.from_molecules(SMILES)
    two = MoleculeProperties.from_molecules(["CCF", "C1CCC1"], names=("weight", "logp"))
    distances = one.distances(two)
    assert distances["weight"] == wasserstein_distance(one.values["weight"], two.values["weight"])
    assert set(distances) == {
        *("weight", "logp"),
        *("atom_type", "bond_type", "ring_count", "ring_size"),
    }
    assert distances["ring_size"] == 1.0  # Rings of 3 and 6 here, of 4 there.
    assert set(one.distances(one).values()) == {0.0}


def test_total_variation() -> None:
    assert total_variation({"a": 1, "b": 1}, {"a": 2, "b": 2}) == 0
    assert total_variation({"a": 1}, {"b": 5}) == 1
    assert total_variation({"a": 3, "b": 1}, {"a": 1, "b": 3}) == 0.5
    assert total_variation({}, {}) == 0
    assert total_variation({}, {"a": 1}) == 1
    with pytest.raises(ValueError, match=r"Expected counts of 0 or more"):
        total_variation({"a": -1}, {"a": 1})


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"Expected properties among .* \(got \['taste'\]\)"):
        MoleculeProperties.from_molecules(["C"], names=("taste",))
    with pytest.raises(ValueError, match=r"Expected a valid molecule \(got none in 1\)"):
        MoleculeProperties.from_molecules(["CFC"])


def test_a_missing_sa_score_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    sa_score.cache_clear()
    monkeypatch.setattr(RDConfig, "RDContribDir", str(tmp_path))
    with pytest.raises(ImportError, match=r"Expected RDKit's contributed script 'sascorer.py'"):
        MoleculeProperties.from_molecules(["C"])
    assert MoleculeProperties.from_molecules(["C"], names=("qed",)).num_molecules == 1
