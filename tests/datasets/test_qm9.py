"""All 130,831 molecules of QM9: their counts, their splits, and how they are cached."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rdkit import Chem
from torch.utils.data import Subset
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GINEConv
from torch_geometric.transforms import AddSelfLoops
from torch_geometric.utils import coalesce

from pyg_topn.datasets import HeavyAtomQM9, _qm9_files, qm9_smiles
from pyg_topn.transforms import CanonicalOrder

SIZES = [0, 3, 5, 9, 31, 127, 608, 3138, 17879, 109031]
SPLIT_SIZES = {"train": 97_734, "val": 20_042, "test": 13_055}


def assert_equal_data(first: Data, second: Data) -> None:
    assert first.keys() == second.keys()
    for key, value in first.to_dict().items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == second[key].dtype, key
            assert torch.equal(value, second[key]), key
        else:
            assert value == second[key], key


def one_by_one(dataset: HeavyAtomQM9, index: int) -> Data:
    """The graph of a molecule, built by the other way from molecules to graphs."""
    smiles = qm9_smiles(dataset.split)[index]
    data = dataset.vocabulary.from_molecule(Chem.MolFromSmiles(smiles))
    data.smiles = smiles
    data = CanonicalOrder()(data)
    data.idx = torch.tensor([_qm9_files.gdb_rows()[index]])
    return data


def few_molecules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let QM9 consist of every thousandth molecule, so that processing takes no time."""
    rows = _qm9_files.split_rows
    monkeypatch.setattr("pyg_topn.datasets.qm9.split_rows", lambda split: rows(split)[::1000])
    monkeypatch.setattr("pyg_topn.datasets.qm9.qm9_smiles", lambda split: qm9_smiles(split)[::1000])


def test_sizes(qm9: HeavyAtomQM9) -> None:
    histogram = qm9.size_histogram()
    assert histogram.dtype == torch.int64
    assert histogram.tolist() == SIZES
    assert len(qm9) == sum(SIZES) == 130_831


def test_atom_and_bond_counts(qm9: HeavyAtomQM9) -> None:
    assert qm9.x.sum(0, dtype=torch.float64).tolist() == [831_925, 132_498, 183_265, 3_036]
    assert qm9.edge_attr.sum(0, dtype=torch.float64).tolist() == [
        2 * 1_057_256,
        2 * 137_973,
        2 * 36_645,
    ]


def test_tensors_of_all_molecules(qm9: HeavyAtomQM9) -> None:
    assert qm9.x.dtype == qm9.edge_attr.dtype == torch.float32
    assert (qm9.x.sum(1) == 1).all()
    assert (qm9.edge_attr.sum(1) == 1).all()
    batch = Batch.from_data_list(list(qm9[:5000]))
    assert torch.equal(coalesce(batch.edge_index), batch.edge_index)
    assert torch.equal(coalesce(batch.edge_index.flip(0)), batch.edge_index)
    # The canonical order names every node once.
    assert torch.equal(batch.canonical_index.sort().values, torch.arange(batch.num_nodes))
    assert qm9.idx.tolist() == _qm9_files.gdb_rows().tolist()


@pytest.mark.parametrize("index", [0, 3, 7, 19, 4711, 65_432, 130_830])
def test_items_equal_graphs_built_one_by_one(qm9: HeavyAtomQM9, index: int) -> None:
    assert_equal_data(qm9[index], one_by_one(qm9, index))


def test_loader_subset_and_copy(qm9: HeavyAtomQM9) -> None:
    index = torch.tensor([5, 1000, 99_999, 0])
    expected = Batch.from_data_list([one_by_one(qm9, int(i)) for i in index])
    for dataset in (qm9[index], Subset(qm9, index.tolist()), qm9.copy(index)):
        batch = next(iter(DataLoader(dataset, batch_size=4)))
        assert_equal_data(batch, expected)
        assert torch.equal(batch.ptr, expected.ptr)
        assert_equal_data(batch[2], expected[2])
    assert qm9[index].smiles_list() == expected.smiles
    assert qm9[index].size_histogram().sum() == 4
    assert qm9[index].size_histogram().numel() == 10


def test_goes_through_pyg(qm9: HeavyAtomQM9) -> None:
    batch = next(iter(DataLoader(qm9[-64:].copy(), batch_size=32)))
    conv = GINEConv(torch.nn.Linear(4, 8), edge_dim=3)
    assert conv(batch.x, batch.edge_index, batch.edge_attr).shape == (batch.num_nodes, 8)
    assert AddSelfLoops("edge_attr")(batch).num_edges == batch.num_edges + batch.num_nodes


def test_smiles_without_building_graphs(qm9: HeavyAtomQM9) -> None:
    smiles = qm9.smiles_list()
    assert smiles == qm9_smiles()
    assert smiles[:4] == ["C", "N", "O", "C#C"]
    assert len(smiles) == 130_831


def test_the_data_reach_their_ceiling_of_validity(qm9: HeavyAtomQM9) -> None:
    part = qm9[::50]
    mols = qm9.vocabulary.to_molecules(Batch.from_data_list(list(part)))
    ok = Chem.SanitizeFlags.SANITIZE_NONE
    valid = sum(Chem.SanitizeMol(mol, catchErrors=True) == ok for mol in mols)
    assert 0.997 < valid / len(part) < 1  # 130,692 of all: charged atoms are stored as neutral.


def test_splits_cover_and_are_disjoint() -> None:
    rows = {split: _qm9_files.split_rows(split) for split in SPLIT_SIZES}
    assert {split: part.size for split, part in rows.items()} == SPLIT_SIZES
    together = np.concatenate(list(rows.values()))
    assert np.array_equal(np.sort(together), np.arange(130_831))
    for split, part in rows.items():
        smiles = qm9_smiles(split)
        assert len(smiles) == SPLIT_SIZES[split]
        assert smiles[-1] == qm9_smiles()[part[-1]]


def test_splits_are_those_of_digress() -> None:
    """Of a shuffled table of 133,885 rows, the uncharacterised ones are left out afterwards."""
    shuffled = np.random.RandomState(42).permutation(133_885)
    # What pandas.DataFrame(index=range(133885)).sample(frac=1, random_state=42) begins with.
    assert shuffled[:3].tolist() == [3115, 117_879, 23_433]
    gdb = _qm9_files.gdb_rows()
    train = set(gdb[_qm9_files.split_rows("train")].tolist())
    test = set(gdb[_qm9_files.split_rows("test")].tolist())
    assert train == set(shuffled[:100_000].tolist()) & set(gdb.tolist())
    assert test == set(shuffled[-13_388:].tolist()) & set(gdb.tolist())


def test_split_of_the_dataset(qm9: HeavyAtomQM9, qm9_root: Path) -> None:
    test = HeavyAtomQM9(qm9_root, split="test", log=False)
    assert len(test) == SPLIT_SIZES["test"]
    assert test.smiles_list() == qm9_smiles("test")
    row = int(_qm9_files.split_rows("test")[100])
    assert_equal_data(test[100], qm9[row])


def test_cache_loads_fast(qm9_root: Path) -> None:
    start = time.process_time()
    HeavyAtomQM9(qm9_root)
    assert time.process_time() - start < 5  # 0.7 s; room for slow machines.


def test_properties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_molecules(monkeypatch)
    folder = tmp_path / "qm9pack" / "data"
    folder.mkdir(parents=True)
    header = "Index,SMILES,Dipole_debye,HOMO_au\n"
    rows = [f"{row + 1},X,{row / 1000},{-row / 1e6}\n" for row in range(133_885)]
    for part in (1, 2, 3):
        text = header + "".join(rows[part - 1 :: 3])
        (folder / f"qm9_part{part}.csv").write_text(text)
    spec = SimpleNamespace(origin=str(tmp_path / "qm9pack" / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    dataset = HeavyAtomQM9(tmp_path, properties=("homo", "num_rings", "mu"), log=False)
    data = dataset[40]
    assert data.y.shape == (1, 3)
    assert data.y.dtype == torch.float32
    molecule = Chem.MolFromSmiles(data.smiles)  # Its rings do not outlive it.
    rings = molecule.GetRingInfo().NumRings()
    expected = [-int(data.idx) / 1e6 * 27.211386, rings, int(data.idx) / 1000]
    assert data.y[0].tolist() == pytest.approx(expected, rel=1e-6)
    assert "y" not in HeavyAtomQM9(tmp_path, log=False)[40]  # Another file of the cache.


def test_properties_without_qm9pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install qm9pack"):
        HeavyAtomQM9(tmp_path, properties=("gap",), log=False)
    assert not list(tmp_path.rglob("*.pt"))


def test_pre_transform_and_pre_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_molecules(monkeypatch)

    def large(data: Data) -> bool:
        return data.num_nodes == 9

    plain = HeavyAtomQM9(tmp_path, log=False)
    looped = HeavyAtomQM9(
        tmp_path, pre_transform=AddSelfLoops("edge_attr"), pre_filter=large, log=False
    )
    kept = [data for data in plain if data.num_nodes == 9]
    assert 0 < len(looped) == len(kept) < len(plain)
    assert looped[3].num_edges == kept[3].num_edges + 9
    assert "x" in HeavyAtomQM9(tmp_path, log=False)[0]  # The other cache is still there.
    assert len(HeavyAtomQM9(tmp_path, log=False)) == len(plain)
    with pytest.raises(ValueError, match="Expected 'pre_filter' to keep at least one"):
        HeavyAtomQM9(tmp_path, pre_filter=lambda data: False, log=False)
    seen = HeavyAtomQM9(tmp_path, transform=lambda data: data.num_nodes, log=False)
    assert seen[0] == 1


def test_corrupt_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_molecules(monkeypatch)
    path = Path(HeavyAtomQM9(tmp_path, log=False).processed_paths[0])
    whole = path.read_bytes()
    for damaged in (b"", b"not a file of torch", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"readable cache file .*force_reload=True") as raised:
            HeavyAtomQM9(tmp_path, log=False)
        assert "\n" not in str(raised.value)
    assert len(HeavyAtomQM9(tmp_path, force_reload=True, log=False)) == 131


def test_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_molecules(monkeypatch)

    def save(_: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save)
        with pytest.raises(OSError, match="no space left"):
            HeavyAtomQM9(tmp_path, log=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(HeavyAtomQM9(tmp_path, log=False)) == 131


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_processing_leaves_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_molecules(monkeypatch)
    script = """
        import sys, time
        from pathlib import Path
        import torch
        from pyg_topn.datasets import _qm9_files, qm9

        def save(_, path):
            Path(path).write_bytes(b"half")
            print("saving", flush=True)
            time.sleep(60)

        torch.save = save
        qm9.split_rows = lambda split: _qm9_files.split_rows(split)[::1000]
        qm9.qm9_smiles = lambda split: _qm9_files.qm9_smiles(split)[::1000]
        qm9.HeavyAtomQM9(sys.argv[1], log=False)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"saving\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (left,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert left.suffix == ".tmp"  # No file that would be taken for the cache.
    os.utime(left, (0, 0))
    assert len(HeavyAtomQM9(tmp_path, log=False)) == 131
    assert not left.exists()


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected 'split' to be None or one of .*got 'dev'"):
        HeavyAtomQM9(tmp_path, split="dev")
    with pytest.raises(ValueError, match="Expected 'split'"):
        qm9_smiles("dev")
    with pytest.raises(ValueError, match=r"Expected 'properties' to list .*got 'colour'"):
        HeavyAtomQM9(tmp_path, properties=("mu", "colour"))
    with pytest.raises(ValueError, match="Expected 'properties' to list"):
        HeavyAtomQM9(tmp_path, properties="mu")
    assert not list(tmp_path.iterdir())


def test_progress_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few_molecules(monkeypatch)
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    HeavyAtomQM9(tmp_path)
    assert "SMILES to graphs: 100%" in capsys.readouterr().err
