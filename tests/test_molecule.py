"""Molecules to graphs and back, against RDKit."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from torch_geometric.data import Batch, Data

from pyg_topn.datasets import qm9_smiles
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils.elements import ELEMENTS

QM9 = MoleculeVocabulary.qm9()


def graph(smiles: str, vocabulary: MoleculeVocabulary = QM9) -> Data:
    return vocabulary.from_molecule(Chem.MolFromSmiles(smiles))


def canonical(mol: Any) -> str:
    Chem.SanitizeMol(mol)
    return Chem.MolToSmiles(mol)


def test_qm9_vocabulary() -> None:
    assert QM9.atoms == ("C", "N", "O", "F")
    assert QM9.bonds == ("SINGLE", "DOUBLE", "TRIPLE")
    assert QM9.valences == (4, 3, 2, 1)
    assert QM9.bond_orders == (1.0, 2.0, 3.0)
    assert QM9.atomic_numbers == (6, 7, 8, 9)


def test_elements_are_those_of_rdkit() -> None:
    table = Chem.GetPeriodicTable()
    assert [table.GetElementSymbol(number) for number in range(len(ELEMENTS))] == list(ELEMENTS)


def test_from_molecule_by_hand() -> None:
    data = graph("OC#N")
    assert data.x.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert data.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert data.edge_attr.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert data.x.dtype == data.edge_attr.dtype == torch.float32
    assert data.edge_index.dtype == torch.int64
    assert data.edge_index.is_contiguous()


def test_a_single_atom() -> None:
    data = graph("C")
    assert data.x.tolist() == [[1, 0, 0, 0]]
    assert data.edge_index.shape == (2, 0)
    assert data.edge_attr.shape == (0, 3)
    assert canonical(QM9.to_molecules(data)[0]) == "C"


def test_kekulises_and_leaves_the_molecule_as_it_was() -> None:
    mol = Chem.MolFromSmiles("c1ccccc1")
    assert QM9.from_molecule(mol).edge_attr.sum(0).tolist() == [6, 6, 0]
    assert all(bond.GetIsAromatic() for bond in mol.GetBonds())


def test_hydrogens_and_charges_are_dropped() -> None:
    charged, neutral = graph("[NH3+]CC(=O)[O-]"), graph("NCC(=O)O")
    assert torch.equal(charged.x, neutral.x)
    assert torch.equal(charged.edge_attr, neutral.edge_attr)
    explicit = QM9.from_molecule(Chem.AddHs(Chem.MolFromSmiles("CCO")))
    assert torch.equal(explicit.edge_index, graph("CCO").edge_index)
    with_hydrogens = MoleculeVocabulary(("C", "H"))
    mol = Chem.AddHs(Chem.MolFromSmiles("C"))
    assert with_hydrogens.from_molecule(mol).x.sum(0).tolist() == [1, 4]


def test_round_trip_on_qm9() -> None:
    mols = [Chem.MolFromSmiles(smiles) for smiles in qm9_smiles()[::300]]
    neutral = [mol for mol in mols if not any(atom.GetFormalCharge() for atom in mol.GetAtoms())]
    back = QM9.to_molecules(Batch.from_data_list([QM9.from_molecule(mol) for mol in neutral]))
    for mol, again in zip(neutral, back, strict=True):
        Chem.RemoveStereochemistry(mol)
        assert canonical(again) == Chem.MolToSmiles(mol)
        assert [atom.GetSymbol() for atom in again.GetAtoms()] == [
            atom.GetSymbol() for atom in mol.GetAtoms()
        ]


@given(st.lists(st.sampled_from(["C", "CC", "c1ccccc1", "OC#N", "FC(F)F", "C.N"]), max_size=6))
def test_a_batch_is_its_graphs_one_by_one(smiles: list[str]) -> None:
    graphs = [graph(text) for text in smiles]
    together = QM9.to_molecules(Batch.from_data_list(graphs)) if graphs else []
    alone = [QM9.to_molecules(data)[0] for data in graphs]
    assert [Chem.MolToSmiles(mol) for mol in together] == [Chem.MolToSmiles(m) for m in alone]


def test_batches_without_ptr_or_edges_or_graphs() -> None:
    batch = Batch.from_data_list([graph("CO"), graph("N"), graph("CC#N")])
    bare = Data(x=batch.x, edge_index=batch.edge_index.flip(1), batch=batch.batch)
    bare.edge_attr = batch.edge_attr.flip(0)  # The order of edges does not matter.
    smiles = [Chem.MolToSmiles(mol) for mol in QM9.to_molecules(bare)]
    assert smiles == ["CO", "N", "CC#N"]
    (atoms,) = QM9.to_molecules(Data(x=batch.x, edge_index=torch.zeros(2, 0, dtype=torch.int64)))
    assert Chem.MolToSmiles(atoms).count(".") == 5
    empty = Data(
        x=batch.x[:0],
        edge_index=batch.edge_index[:, :0],
        edge_attr=batch.edge_attr[:0],
        ptr=torch.zeros(1, dtype=torch.int64),
    )
    assert QM9.to_molecules(empty) == []


def test_invalid_molecules_are_not_corrected() -> None:
    data = graph("C(C)(C)(C)C")
    data.x = torch.eye(4)[[3, 0, 0, 0, 0]]  # Fluorine with four neighbours.
    (mol,) = QM9.to_molecules(data)
    assert mol.GetAtomWithIdx(0).GetDegree() == 4
    assert Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE


def test_aromatic_molecules_that_are_not_sanitised() -> None:
    mol = Chem.MolFromSmiles("c1cc[nH]c1", sanitize=False)
    assert QM9.from_molecule(mol).edge_attr.sum(0).tolist() == [6, 4, 0]


def test_bad_molecules() -> None:
    with pytest.raises(ValueError, match=r"Expected atoms among C N O F \(got the atom 'Si'\)"):
        graph("C[Si]")
    bonds = MoleculeVocabulary(("C",), bonds=("SINGLE",))
    with pytest.raises(ValueError, match=r"Expected bonds among SINGLE \(got the bond 'DOUBLE'\)"):
        graph("C=C", bonds)
    with pytest.raises(ValueError, match="heavy atom"):
        graph("[H][H]")
    with pytest.raises(ValueError, match="Kekulé structure"):
        QM9.from_molecule(Chem.MolFromSmiles("c1cccc1", sanitize=False))
    wrong: Any = "CCO"
    with pytest.raises(TypeError, match=r"RDKit molecule \(got str\)"):
        QM9.from_molecule(wrong)


def test_bad_batches() -> None:
    data = graph("CO")
    with pytest.raises(ValueError, match=r"Expected 'x' to have 2 columns \(got shape \(2, 4\)\)"):
        MoleculeVocabulary(("C", "O")).to_molecules(data)
    with pytest.raises(ValueError, match="Expected 'edge_attr' to have 1 columns"):
        MoleculeVocabulary(QM9.atoms, ("SINGLE",)).to_molecules(data)
    with pytest.raises(ValueError, match=r"Expected 'edge_attr' .*\(got shape None\)"):
        QM9.to_molecules(Data(x=data.x, edge_index=data.edge_index))


def test_bad_vocabularies() -> None:
    with pytest.raises(ValueError, match=r"'atoms' among element symbols \(got 'Xx'\)"):
        MoleculeVocabulary(("C", "Xx"))
    with pytest.raises(ValueError, match="'atoms' without duplicates"):
        MoleculeVocabulary(("C", "C"))
    with pytest.raises(ValueError, match=r"'bonds' among SINGLE DOUBLE TRIPLE \(got 'AROMATIC'\)"):
        MoleculeVocabulary(("C",), ("AROMATIC",))
    with pytest.raises(ValueError, match="at least one entry in 'atoms'"):
        MoleculeVocabulary(())
    with pytest.raises(ValueError, match="Expected 'valences', as 'Pt' has no default"):
        MoleculeVocabulary(("C", "Pt"))
    for valences in ((4, 2), (0,), (1.5,), (True,)):
        with pytest.raises(ValueError, match="'valences' to hold 1 positive integers"):
            MoleculeVocabulary(("C",), valences=valences)
    wrong: Any = "CNOF"
    with pytest.raises(TypeError, match=r"'atoms' to be a tuple \(got 'CNOF'\)"):
        MoleculeVocabulary(wrong)
    with pytest.raises(ValueError, match="with the keys"):
        MoleculeVocabulary.from_dict({"atoms": ["C"]})
    with pytest.raises(ValueError, match="with the keys"):
        MoleculeVocabulary.from_dict(wrong)


def test_dictionaries() -> None:
    vocabulary = MoleculeVocabulary(("C", "Pt"), ("SINGLE",), (4, 6))
    fields = json.loads(json.dumps(vocabulary.to_dict()))
    assert MoleculeVocabulary.from_dict(fields) == vocabulary
    assert hash(MoleculeVocabulary.from_dict(fields)) == hash(vocabulary)
