from __future__ import annotations

import random

import pytest
from rdkit import Chem

from pyg_topn.metrics import read_smiles
from pyg_topn.metrics._verdict import Verdict, judge


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("CCO", Verdict(3, True, "CCO", "CCO", "CCO")),
        ("F", Verdict(1, True, "F", "F", "F")),
        ("CC.O", Verdict(3, False, "CC.O", "CC", "CC.O")),
        # Equal sizes: the first by SMILES, whatever the order of the atoms.
        ("OC.CC", Verdict(4, False, "CC.CO", "CC", "CC.CO")),
        # Nitrogen with four bonds, oxygen with three: charged, they are fine.
        ("CN(C)(C)C", Verdict(5, True, None, "C[N+](C)(C)C", "C[N+](C)(C)C")),
        ("CO(C)C", Verdict(4, True, None, "C[O+](C)C", "C[O+](C)C")),
        ("C=OC.N", Verdict(4, False, None, "C=[O+]C", "C=[O+]C.N")),
        ("C[N+](C)(C)[O-]", Verdict(5, True, None, "C[N+](C)(C)O", "C[N+](C)(C)O")),
        # Exceeded by two, or an element that takes no charge.
        ("CN(C)(C)(C)C", Verdict(6, True, None, None, None)),
        ("CC(C)(C)(C)C", Verdict(6, True, None, None, None)),
        ("CFC", Verdict(3, True, None, None, None)),
        # Sulphur has room up to six bonds.
        ("CS(C)(C)C", Verdict(5, True, *3 * ("CS(C)(C)C",))),
        ("CS(=O)(=O)C", Verdict(5, True, *3 * ("CS(C)(=O)=O",))),
        # RDKit's clean-up mends a nitro group, the valence check comes without it.
        ("CN(=O)=O", Verdict(4, True, "C[N+](=O)[O-]", "C[N+](=O)[O-]", None)),
        ("C1=CC=CC=C1", Verdict(6, True, *3 * ("c1ccccc1",))),
    ],
)
def test_every_definition_on_hand_made_molecules(text: str, verdict: Verdict) -> None:
    assert judge(read_smiles(text)) == verdict


def test_nothing_is_valid_about_no_molecule() -> None:
    nothing = Verdict(0, False, None, None, None)
    assert judge(None) == nothing
    assert judge(Chem.Mol()) == nothing


def test_agrees_with_rdkit_on_random_graphs() -> None:
    rng = random.Random(3)
    checked = 0
    for _ in range(300):
        mol = Chem.RWMol()
        for _ in range(rng.randint(1, 7)):
            mol.AddAtom(Chem.Atom(rng.choice("CNOF")))
        for i in range(1, mol.GetNumAtoms()):
            kind = rng.choice((Chem.BondType.SINGLE, Chem.BondType.DOUBLE))
            mol.AddBond(i, rng.randrange(i), kind)
        verdict = judge(mol.GetMol())
        try:
            Chem.SanitizeMol(mol)
        except ValueError:
            assert verdict.paper is None
            continue
        checked += 1
        assert verdict.paper == Chem.MolToSmiles(mol)
    assert checked > 50


def test_the_order_of_the_atoms_does_not_matter() -> None:
    rng = random.Random(0)
    for text in ("CC(=O)N.CCO", "CN(C)(C)C.O", "C1=CC=CN1", "CC(C)(C)(C)C"):
        mol = read_smiles(text)
        order = list(range(mol.GetNumAtoms()))
        rng.shuffle(order)
        assert judge(Chem.RenumberAtoms(mol, order)) == judge(mol)


def test_the_molecule_is_not_changed() -> None:
    mol = read_smiles("CN(C)(C)C")
    judge(mol)
    assert all(atom.GetFormalCharge() == 0 for atom in mol.GetAtoms())
