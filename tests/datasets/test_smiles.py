"""Any SMILES, good and bad, from lists and files."""

from __future__ import annotations

import gzip
import logging
import lzma
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import QED, Descriptors
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pyg_topn.datasets import SmilesDataset, _parse, _smiles_worker, qm9_smiles
from pyg_topn.datasets._parse import parse_smiles
from pyg_topn.datasets.smiles_file import read_smiles_file
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.transforms import CanonicalOrder
from pyg_topn.utils import _worker_process

VOCABULARY = MoleculeVocabulary(("C", "N", "O", "S"))
MIXED = [
    "CCO",
    "not a molecule",
    "C[Si](C)C",
    "CC.O",
    "C[N+](C)(C)C",
    "C(C)(C)(C)(C)C",
    "[H][H]",
    "N->B",
    "c1ccccc1",
    "CS(=O)(=O)C",
    "*CC",
    "[2H]C([2H])=O",
]
REASONS = {
    2: "unparsable",
    3: "atom outside the vocabulary (Si)",
    4: "more than one fragment (2)",
    7: "no heavy atom",
    8: "atom outside the vocabulary (B)",
    11: "atom outside the vocabulary (*)",
}


def test_reports_what_is_dropped_and_why(tmp_path: Path) -> None:
    dataset = SmilesDataset(tmp_path, MIXED, VOCABULARY)
    dropped = {line: (smiles, reason) for line, smiles, reason in dataset.dropped}
    assert dropped.keys() == {*REASONS, 6}
    for line, reason in REASONS.items():
        assert dropped[line] == (MIXED[line - 1], reason)
    assert dropped[6][1].startswith("not a valid molecule (Explicit valence for atom # 0 C")
    assert dataset.smiles_list() == [MIXED[i] for i in (0, 4, 8, 9, 11)]
    assert dataset.idx.tolist() == [0, 4, 8, 9, 11]
    assert dataset.num_charged == 1
    assert dataset.size_histogram().tolist() == [0, 0, 1, 1, 0, 2, 1]


def test_report_is_cached(tmp_path: Path) -> None:
    first = SmilesDataset(tmp_path, MIXED, VOCABULARY)
    second = SmilesDataset(tmp_path, MIXED, VOCABULARY)
    assert second.dropped == first.dropped
    assert second.num_charged == first.num_charged
    assert second.vocabulary == VOCABULARY
    assert second.summary() == first.summary()
    assert "kept 5 of 12 molecules" in first.summary()
    assert "dropped 3: atom outside the vocabulary (*, B, Si)" in first.summary()
    assert "1 hold charged atoms" in first.summary()
    Path(second.processed_paths[1]).write_text("{}")
    with pytest.raises(ValueError, match=r"readable cache file .*force_reload=True"):
        SmilesDataset(tmp_path, MIXED, VOCABULARY)


def test_summary_goes_to_the_log_and_to_standard_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    with caplog.at_level(logging.INFO, logger="pyg_topn"):
        dataset = SmilesDataset(tmp_path, MIXED, VOCABULARY)
    assert f"SmilesDataset: {dataset.summary()}\n" in capsys.readouterr().err
    assert caplog.messages == [dataset.summary()]
    SmilesDataset(tmp_path, MIXED[:1], VOCABULARY, log=False)
    assert capsys.readouterr().err == ""


def test_items_equal_graphs_built_one_by_one(tmp_path: Path) -> None:
    dataset = SmilesDataset(tmp_path, MIXED, VOCABULARY)
    expected = []
    for smiles in dataset.smiles_list():
        data = VOCABULARY.from_molecule(Chem.MolFromSmiles(smiles))
        expected.append(CanonicalOrder()(data))
    batch = next(iter(DataLoader(dataset, batch_size=8)))
    for key in ("x", "edge_index", "edge_attr", "canonical_index"):
        assert torch.equal(batch[key], Batch.from_data_list(expected)[key]), key


@pytest.mark.parametrize("smiles", ["C", "CCO"])
def test_a_single_molecule(tmp_path: Path, smiles: str) -> None:
    for _ in range(2):
        dataset = SmilesDataset(tmp_path, [smiles])
        assert len(dataset) == 1
        assert dataset[0].smiles == smiles
        assert dataset.smiles_list() == [smiles]
        assert dataset.size_histogram().nonzero().tolist() == [[len(smiles)]]
        assert next(iter(DataLoader(dataset))).smiles == [smiles]


def test_infers_the_vocabulary(tmp_path: Path) -> None:
    smiles = ["CCCO", "CBr", "OS(=O)(=O)O", "[Pt](Cl)(Cl)(Cl)Cl"]
    dataset = SmilesDataset(tmp_path, smiles)
    assert dataset.dropped == []
    assert dataset.vocabulary.atoms == ("O", "C", "Cl", "S", "Br", "Pt")
    assert dataset.vocabulary.valences == (2, 4, 1, 6, 1, 4)
    assert dataset.x.sum(0).tolist() == [5, 4, 4, 1, 1, 1]
    assert SmilesDataset(tmp_path, smiles).vocabulary == dataset.vocabulary


def test_a_changed_input_is_processed_again(tmp_path: Path) -> None:
    assert len(SmilesDataset(tmp_path, ["C", "CC"])) == 2
    assert len(SmilesDataset(tmp_path, ["C", "CC", "CCC"])) == 3
    assert SmilesDataset(tmp_path, ["C", "CC"], VOCABULARY).num_node_features == 4
    assert len(SmilesDataset(tmp_path, ["C", "CC"])) == 2


def test_largest_fragment(tmp_path: Path) -> None:
    smiles = ["[Na+].CC(=O)[O-]", "C.CCC"]
    dataset = SmilesDataset(tmp_path, smiles, VOCABULARY, largest_fragment=True)
    assert dataset.smiles_list() == ["CC(=O)[O-]", "CCC"]
    assert dataset.size_histogram().tolist() == [0, 0, 0, 1, 1]


def test_bonds_outside_the_vocabulary(tmp_path: Path) -> None:
    vocabulary = MoleculeVocabulary(("C", "B", "N", "Re"), ("SINGLE", "DOUBLE"), (4, 3, 3, 7))
    smiles = ["C=C", "C#C", "N->B", "C:C", "[Re]$[Re]", "CC |Z:0|"]
    dataset = SmilesDataset(tmp_path, smiles, vocabulary)
    names = ["TRIPLE", "DATIVE", "AROMATIC", "QUADRUPLE", "ZERO"]
    assert [reason for _, _, reason in dataset.dropped] == [
        f"bond outside the vocabulary ({name})" for name in names
    ]
    assert dataset.edge_attr.tolist() == [[0, 1], [0, 1]]


def test_hydrogens_as_nodes(tmp_path: Path) -> None:
    vocabulary = MoleculeVocabulary(("C", "H"))
    dataset = SmilesDataset(tmp_path, ["C", "[H][H]"], vocabulary)
    assert dataset.size_histogram().tolist() == [0, 0, 1, 0, 0, 1]
    explicit = vocabulary.from_molecule(Chem.AddHs(Chem.MolFromSmiles("C")))
    assert torch.equal(dataset[0].edge_index, explicit.edge_index)


def test_computed_properties(tmp_path: Path) -> None:
    dataset = SmilesDataset(tmp_path, ["CCO", "bad", "c1ccccc1N"], properties=("qed", "weight"))
    mols = [Chem.MolFromSmiles(smiles) for smiles in ("CCO", "c1ccccc1N")]
    expected = torch.tensor([[QED.qed(mol), Descriptors.MolWt(mol)] for mol in mols])
    torch.testing.assert_close(dataset.y, expected)
    assert dataset[1].y.shape == (1, 2)
    assert tuple(_smiles_worker.PROPERTIES) == _parse.RDKIT_PROPERTIES
    with pytest.raises(ValueError, match=r"Expected 'properties' to list some of .*got 'mu'"):
        SmilesDataset(tmp_path, ["C"], properties=("mu",))


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"usable molecule \(got none: kept 0 of 2 .*unparsable"):
        SmilesDataset(tmp_path, ["xyz", "C("])
    with pytest.raises(ValueError, match="at least one SMILES"):
        SmilesDataset(tmp_path, [])
    wrong: Any = ["C", 3]
    with pytest.raises(TypeError, match=r"SMILES to be strings \(got int\)"):
        SmilesDataset(tmp_path, wrong)
    wrong = ("C", "N")
    with pytest.raises(TypeError, match=r"MoleculeVocabulary \(got tuple\)"):
        SmilesDataset(tmp_path, ["C"], wrong)
    assert not list(tmp_path.rglob("*.pt"))


def test_files(tmp_path: Path) -> None:
    expected = [(2, "CCO"), (4, "C#N")]
    lines, table = "SMILES name\nCCO ethanol\n\nC#N\n", "id,SMILES\n1,CCO\n,\n2, C#N\n"
    (tmp_path / "a.smi").write_text(lines)
    (tmp_path / "a.csv").write_text(table)
    (tmp_path / "a.tsv").write_text(table.replace(",", "\t"))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(lines.encode()))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + table.encode()))
    for name in ("a.smi", "a.csv", "a.tsv", "a.txt.xz", "a.csv.gz"):
        assert read_smiles_file(tmp_path / name) == expected, name
    dataset = SmilesDataset(tmp_path, str(tmp_path / "a.smi"), MoleculeVocabulary(("C", "O")))
    assert dataset.smiles_list() == ["CCO"]
    assert dataset.dropped == [(4, "C#N", "atom outside the vocabulary (N)")]
    (tmp_path / "b.csv").write_text("canonical_smiles,smiles\nC,N\n")
    assert read_smiles_file(tmp_path / "b.csv") == [(2, "N")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.sdf", b"C", "Expected a file of SMILES: .smi, .smiles, .txt"),
        ("a.smi", b"", r"Expected SMILES in .*\(got none, the file is empty\)"),
        ("a.csv", b"", r"Expected SMILES in .*\(got none, the file is empty\)"),
        ("a.smi", b"\n\n", r"Expected SMILES in .*\(got none, the file is empty\)"),
        ("a.csv", b"id,name\n1,a\n", r"Expected a column 'smiles' .*\(got \['id', 'name'\]\)"),
        ("a.smi", b"\xff\xfe\x00", "Expected a readable text file"),
        ("a.smi.xz", b"no xz", "Expected a readable text file"),
        ("a.smi.gz", b"no gz", "Expected a readable text file"),
        (None, b"", "which does not exist"),
    ],
)
def test_bad_files(tmp_path: Path, name: str | None, content: bytes, message: str) -> None:
    path = tmp_path / (name or "missing.smi")
    if name is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        SmilesDataset(tmp_path, path)
    assert "\n" not in str(raised.value)


def test_processes_agree_with_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parse, "CHUNK", 64)
    smiles = [*qm9_smiles()[::1000], *MIXED] * 2
    several = parse_smiles(smiles, processes=2, progress=False)
    one = parse_smiles(smiles, processes=1, progress=False)
    for key, value in vars(one).items():
        if isinstance(value, list):
            assert getattr(several, key) == value, key
        else:
            np.testing.assert_array_equal(getattr(several, key), value, err_msg=key, strict=True)
    assert len(one.kept) + len(one.dropped) == len(smiles)


def test_processes_need_no_guard_in_the_script(tmp_path: Path) -> None:
    """A script without ``if __name__ == "__main__"`` works, which multiprocessing would break."""
    script = tmp_path / "script.py"
    script.write_text(
        "from pyg_topn.datasets._parse import parse_smiles\n"
        "print(len(parse_smiles(['C'] * 5000, processes=2, progress=False).kept))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, check=True, text=True)
    assert done.stdout == "5000\n"


def test_a_killed_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parse, "CHUNK", 1)
    ask = _worker_process.WorkerProcess.ask

    def killed(self: Any, *args: Any) -> Any:
        self.process.kill()
        return ask(self, *args)

    monkeypatch.setattr(_worker_process.WorkerProcess, "ask", killed)
    with pytest.raises(RuntimeError, match="Expected an answer of the process"):
        parse_smiles(["C", "C", "C"], processes=2, progress=False)


def test_missing_rdkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ImportError, match=r"pip install 'pyg-topn\[chem\]'"):
        SmilesDataset(tmp_path, ["C"])
