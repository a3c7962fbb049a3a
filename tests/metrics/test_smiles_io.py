from __future__ import annotations

import random

import pytest
from rdkit import Chem

from pyg_topn.metrics import neutral_graph, read_smiles, write_smiles
from pyg_topn.metrics._verdict import judge

BONDS = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)


def random_graph(rng: random.Random, elements: list[str], density: float) -> Chem.Mol:
    """A molecule as a generator would make it: anything goes."""
    mol = Chem.RWMol()
    for _ in range(rng.randint(1, 9)):
        mol.AddAtom(Chem.Atom(rng.choice(elements)))
    for i in range(mol.GetNumAtoms()):
        for j in range(i):
            if rng.random() < density:
                mol.AddBond(i, j, rng.choices(BONDS, weights=(6, 3, 1))[0])
    return mol.GetMol()


def valences(mol: Chem.Mol) -> list[tuple[str, float]]:
    return sorted(
        (atom.GetSymbol(), sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds()))
        for atom in mol.GetAtoms()
    )


@pytest.mark.parametrize(
    "elements", [["C", "C", "C", "N", "O", "F"], ["C", "N", "O", "S", "P", "B", "Cl", "Si"]]
)
@pytest.mark.parametrize("density", [0.12, 0.25, 0.45])
def test_written_molecules_read_back_with_the_same_verdict(
    elements: list[str], density: float
) -> None:
    rng = random.Random(7)
    kinds = set()
    for _ in range(700):
        mol = random_graph(rng, elements, density)
        back = read_smiles(write_smiles(mol))
        assert back is not None
        assert valences(back) == valences(mol)
        assert len(Chem.GetMolFrags(back)) == len(Chem.GetMolFrags(mol))
        assert judge(back) == judge(mol)
        kinds.add((judge(mol).paper is not None, judge(mol).connected))
    assert len(kinds) >= 3  # Valid and invalid, connected and not: the round trip saw them.


@pytest.mark.parametrize(
    ("written", "graph"),
    [
        ("c1ccccc1", "C1=CC=CC=C1"),
        ("c1cc[nH]c1", "C1=CNC=C1"),
        ("c1ccccc1c1ccccc1", "C1=CC=C(C2=CC=CC=C2)C=C1"),
        ("[NH3+]CC(=O)[O-]", "NCC(=O)O"),
        ("[O-][n+]1ccccc1", "ON1=CC=CC=C1"),
        ("[H]C([H])([H])O[H]", "CO"),
        ("[2H]C", "C"),
        ("[13CH3:7][CH2]", "CC"),
        ("F/C=C/[C@H](O)N", "NC(O)C=CF"),
        ("CC(C)(C)(C)C", "CC(C)(C)(C)C"),
        ("C.OCC", "C.CCO"),
        ("CCO ethanol", "CCO"),
        ("[H][H]", "[H][H]"),
    ],
)
def test_reading_keeps_atoms_and_bonds_only(written: str, graph: str) -> None:
    mol = read_smiles(written)
    mol.UpdatePropertyCache(strict=False)
    assert Chem.MolToSmiles(mol, isomericSmiles=False) == graph


@pytest.mark.parametrize(
    "text", ["", "  ", "C1CC", "xyz", "c1ccnc1", "cccc", "[CH5]", "[NH4]", "[H]C([H])([H])([H])[H]"]
)
def test_what_cannot_be_read_is_none(text: str) -> None:
    assert read_smiles(text) is None


def test_an_over_valent_ion_is_read_although_its_hydrogens_are_dropped() -> None:
    assert read_smiles("[NH4+]").GetNumAtoms() == 1
    assert judge(read_smiles("[NH4+]")).paper == "N"


def test_reading_something_else_raises() -> None:
    with pytest.raises(TypeError, match=r"Expected a SMILES string \(got int\)"):
        read_smiles(3)


def test_writing_does_not_change_the_molecule() -> None:
    mol = Chem.MolFromSmiles("c1ccccc1[N+](=O)[O-]")
    before = Chem.MolToSmiles(mol)
    write_smiles(mol)
    assert Chem.MolToSmiles(mol) == before


def test_a_nitro_group_is_written_as_the_graph_it_is() -> None:
    # RDKit's clean-up would write charges, and their graph is another one, which is invalid.
    pentavalent = read_smiles("CN(=O)=O")
    text = write_smiles(pentavalent)
    assert "+" not in text
    assert judge(read_smiles(text)).paper == "C[N+](=O)[O-]"
    assert judge(read_smiles("C[N+](=O)[O-]")).paper is None


def test_a_molecule_without_atoms_is_an_empty_string() -> None:
    assert write_smiles(Chem.Mol()) == ""
    assert neutral_graph(Chem.Mol()) is None


def test_writing_an_impossible_ring_raises() -> None:
    params = Chem.SmilesParserParams()
    params.sanitize = False
    mol = Chem.MolFromSmiles("c1ccnc1", params)
    with pytest.raises(ValueError, match="Expected a molecule that can be kekulised"):
        write_smiles(mol)


def test_a_plain_graph_is_not_copied() -> None:
    mol = read_smiles("CC=O")
    assert neutral_graph(mol) is mol
