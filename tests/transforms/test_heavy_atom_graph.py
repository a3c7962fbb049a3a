"""PyG's molecule graphs to ours, compared with the way over SMILES."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.utils import from_smiles

from pyg_topn.datasets import qm9_smiles
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.transforms import CanonicalOrder, HeavyAtomGraph

SMILES = [
    *("C", "N", "O", "C#C", "C#N", "CC(=O)N", "c1ccccc1", "c1cc[nH]c1", "c1ccncc1", "FC(F)F"),
    *("Cc1ncon1", "O=c1cc[nH]cn1", "C1CC1", "[O-]C(=O)C[NH3+]"),
    *qm9_smiles()[1000::9000],
]


def pyg_qm9_items(path: Path, smiles: list[str], *, aromatic: bool) -> list[Data]:
    """Write an SDF file as the one of QM9, and read it as PyG's QM9 does."""
    writer = Chem.SDWriter(str(path))
    for text in smiles:
        mol = Chem.AddHs(Chem.MolFromSmiles(text))
        AllChem.Compute2DCoords(mol)
        writer.write(mol)
    writer.close()
    supplier = Chem.SDMolSupplier(str(path), removeHs=False, sanitize=aromatic)
    return [pyg_qm9_item(mol, index) for index, mol in enumerate(supplier)]


def pyg_qm9_item(mol: Any, index: int) -> Data:
    bonds = {name: kind for kind, name in enumerate(("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"))}
    z = torch.tensor([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    edges = []
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        edges += [(i, j, bonds[str(bond.GetBondType())]), (j, i, bonds[str(bond.GetBondType())])]
    row, col, kind = torch.tensor(sorted(edges)).view(-1, 3).t()
    return Data(
        x=torch.cat([torch.eye(10)[z], z[:, None].float()], dim=1),
        z=z,
        pos=torch.tensor(mol.GetConformer().GetPositions(), dtype=torch.float),
        edge_index=torch.stack([row, col]),
        smiles=Chem.MolToSmiles(mol),
        edge_attr=torch.eye(4)[kind],
        y=torch.full((1, 19), float(index)),
        name=f"gdb {index}",
        idx=index,
    )


def reference(smiles: str) -> Data:
    return CanonicalOrder()(MoleculeVocabulary.qm9().from_molecule(Chem.MolFromSmiles(smiles)))


def canonical_graph(data: Data) -> tuple[Any, ...]:
    """The graph with its nodes in canonical order: equal exactly for isomorphic graphs."""
    place = data.canonical_index.argsort()
    row, col = place[data.edge_index]
    edges = zip(row.tolist(), col.tolist(), data.edge_attr.argmax(1).tolist(), strict=True)
    return data.x[data.canonical_index].argmax(1).tolist(), sorted(edges)


def molecule(data: Data) -> str:
    """The canonical SMILES, which does not depend on the Kekulé structure."""
    (mol,) = MoleculeVocabulary.qm9().to_molecules(data)
    Chem.SanitizeMol(mol)
    return Chem.MolToSmiles(mol)


def test_items_of_qm9_equal_the_way_over_smiles(tmp_path: Path) -> None:
    items = pyg_qm9_items(tmp_path / "gdb9.sdf", SMILES, aromatic=False)
    assert all(item.edge_attr[:, 3].sum() == 0 for item in items)  # As in the original file.
    for smiles, item in zip(SMILES, items, strict=True):
        data = HeavyAtomGraph()(item)
        expected = reference(smiles)
        assert data.x.shape == expected.x.shape
        assert data.edge_attr.dtype == data.x.dtype == torch.float32
        assert canonical_graph(data) == canonical_graph(expected), smiles


def test_aromatic_items_of_qm9_are_kekulised(tmp_path: Path) -> None:
    smiles = [text for text in SMILES if "+" not in text]
    items = pyg_qm9_items(tmp_path / "gdb9.sdf", smiles, aromatic=True)
    assert sum(float(item.edge_attr[:, 3].sum()) for item in items) > 20
    for text, item in zip(smiles, items, strict=True):
        data = HeavyAtomGraph()(item)
        assert molecule(data) == molecule(reference(text)), text
        assert data.edge_attr.sum(0).tolist() == reference(text).edge_attr.sum(0).tolist()


@pytest.mark.parametrize(
    "smiles", ["[NH2+]=C1O[C-](C=C1)C#N", "NC(=[NH2+])C1=CN=N[N-]1", "NC1=C([NH+]=CN1)C([O-])=O"]
)
def test_charged_aromatic_rings_are_kekulised(tmp_path: Path, smiles: str) -> None:
    """The items do not tell charges, so that which bond is double may differ."""
    (item,) = pyg_qm9_items(tmp_path / "gdb9.sdf", [smiles], aromatic=True)
    data = HeavyAtomGraph()(item)
    expected = reference(smiles)
    assert torch.equal(data.x, expected.x)
    assert torch.equal(data.edge_index, expected.edge_index)
    assert data.edge_attr.sum(0).tolist() == expected.edge_attr.sum(0).tolist()


def test_other_attributes(tmp_path: Path) -> None:
    _, item = pyg_qm9_items(tmp_path / "gdb9.sdf", ["C", "CCO"], aromatic=False)
    data = HeavyAtomGraph()(item)
    assert set(data.keys()) == {
        *("x", "edge_index", "edge_attr", "canonical_index"),
        *("y", "smiles", "name", "idx", "pos"),
    }
    assert torch.equal(data.pos, item.pos[:3])
    assert torch.equal(data.y, item.y)
    assert data.idx.tolist() == [1]
    assert (data.name, data.smiles) == (item.name, item.smiles)
    assert item.x.size(1) == 11  # The item itself is as it was.
    with_hydrogens = HeavyAtomGraph(MoleculeVocabulary(("C", "O", "H")))(item)
    assert with_hydrogens.num_nodes == 9
    assert torch.equal(with_hydrogens.pos, item.pos)


@pytest.mark.parametrize("smiles", SMILES[:14])
@pytest.mark.parametrize("options", [{}, {"with_hydrogen": True}, {"kekulize": True}])
def test_items_of_from_smiles(smiles: str, options: dict[str, bool]) -> None:
    data = HeavyAtomGraph()(from_smiles(smiles, **options))
    expected = reference(smiles)
    assert torch.equal(data.x, expected.x)
    assert torch.equal(data.edge_index, expected.edge_index)
    assert data.edge_attr.sum(0).tolist() == expected.edge_attr.sum(0).tolist()
    assert data.smiles == smiles
    if "+" not in smiles:
        assert molecule(data) == molecule(expected)


def test_as_pre_transform(tmp_path: Path) -> None:
    class PyGQM9(InMemoryDataset):
        raw_file_names = ()
        processed_file_names = "data.pt"

        def __init__(self, root: Path, **kwargs: Any) -> None:
            super().__init__(str(root), **kwargs)
            self.load(self.processed_paths[0])

        def process(self) -> None:
            items = pyg_qm9_items(tmp_path / "gdb9.sdf", SMILES, aromatic=False)
            self.save([self.pre_transform(item) for item in items], self.processed_paths[0])

    dataset = PyGQM9(tmp_path, pre_transform=HeavyAtomGraph())
    assert len(dataset) == len(SMILES)
    assert dataset.x.size(1) == 4
    assert canonical_graph(dataset[9]) == canonical_graph(reference(SMILES[9]))
    atoms, bonds = "('C', 'N', 'O', 'F')", "('SINGLE', 'DOUBLE', 'TRIPLE')"
    assert repr(HeavyAtomGraph()) == f"HeavyAtomGraph({atoms}, {bonds})"


def test_bad_items() -> None:
    with pytest.raises(ValueError, match=r"Expected atoms among .*'Cl'"):
        HeavyAtomGraph()(from_smiles("CCl"))
    with pytest.raises(ValueError, match=r"Expected an item of .*got x of shape \(3, 4\)"):
        HeavyAtomGraph()(reference("CCO"))
    with pytest.raises(ValueError, match=r"Expected an item of .*got x of shape None"):
        HeavyAtomGraph()(Data())
    with pytest.raises(ValueError, match="heavy atom"):
        HeavyAtomGraph()(from_smiles("not a molecule"))
    # Three rings of five carbons each, every one of which would need a charge.
    ring = torch.stack([torch.arange(15), (torch.arange(15) + 1) % 5 + torch.arange(15) // 5 * 5])
    edge_index = torch.cat([ring, ring.flip(0)], dim=1)
    aromatic, carbon = torch.eye(4)[[3] * 30], torch.full((15,), 6)
    item = Data(x=torch.zeros(15, 11), z=carbon, edge_index=edge_index, edge_attr=aromatic)
    with pytest.raises(ValueError, match="Kekulé structure"):
        HeavyAtomGraph()(item)
    with pytest.raises(TypeError, match=r"homogeneous graph \(got HeteroData\)"):
        HeavyAtomGraph()(HeteroData())
    batch = Batch.from_data_list([from_smiles("CCO"), from_smiles("CN")])
    with pytest.raises(TypeError, match=r"one homogeneous graph \(got DataBatch\)"):
        HeavyAtomGraph()(batch)
