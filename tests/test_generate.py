"""From a model to molecules, files and figures."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("rdkit")

from rdkit import Chem

from pyg_topn.generate import (
    FORMATS,
    check_output,
    evaluate_molecules,
    generate_molecules,
    plot_against,
    write_molecules,
)
from pyg_topn.metrics import read_smiles, write_smiles
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary

HISTOGRAM = [0, 1, 0, 4, 5]
# Valid, in pieces, over-valent, a single atom.
MOLECULES = [read_smiles(text) for text in ("CCO", "C.C", "CC(C)(C)(C)C", "N")]


@pytest.fixture
def model() -> GraphVAE:
    """A small model of molecules of 1, 3 or 4 atoms."""
    vae = build_graph_vae(
        4, (1, 2, 3), HISTOGRAM, latent_channels=8, hidden_channels=16, creation_channels=16
    )
    vae.vocabulary = MoleculeVocabulary.qm9()
    return vae


def generate(*args: Any, **kwargs: Any) -> list[str]:
    parts = generate_molecules(*args, **kwargs)
    return [write_smiles(molecule) for part in parts for molecule in part]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_sizes_follow_the_distribution(model: GraphVAE) -> None:
    number = 4000
    sizes = torch.zeros(len(HISTOGRAM))
    for part in generate_molecules(model, number, seed=1, batch_size=1500):
        for molecule in part:
            sizes[molecule.GetNumAtoms()] += 1
    expected = torch.tensor(HISTOGRAM) / sum(HISTOGRAM)
    spread = (expected * (1 - expected) / number).sqrt()
    assert sizes.sum() == number
    assert ((sizes / number - expected).abs() <= 4 * spread).all()


def test_a_seed_determines_the_molecules(model: GraphVAE) -> None:
    once = generate(model, 30, seed=1, temperature=1.0)
    torch.manual_seed(7)
    assert generate(model, 30, seed=1, temperature=1.0) == once
    assert generate(model, 30, seed=2, temperature=1.0) != once


def test_the_precision_is_that_of_the_model_alone(model: GraphVAE) -> None:
    seen: list[torch.dtype] = []
    model.decoder.set2graph.register_forward_hook(lambda *call: seen.append(call[2].dtype))
    for part in generate_molecules(model, 4, batch_size=2, precision="bfloat16"):
        assert len(part) == 2
        assert not torch.is_autocast_enabled("cpu")  # Where others use the molecules.
    generate(model, 2)
    assert seen == [torch.bfloat16, torch.bfloat16, torch.float32]


def test_corrected_molecules_keep_their_valencies(model: GraphVAE) -> None:
    torch.nn.init.ones_(model.decoder.presence_mlp.lins[-1].bias)  # Too many edges.

    def worst(correct: bool) -> float:
        """The largest excess of a valency over its maximum."""
        assert model.vocabulary is not None
        allowed = dict(zip(model.vocabulary.atoms, model.vocabulary.valences, strict=True))
        parts = generate_molecules(model, 200, correct=correct)
        return max(
            sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds()) - allowed[atom.GetSymbol()]
            for part in parts
            for molecule in part
            for atom in molecule.GetAtoms()
        )

    assert worst(correct=False) > 0
    assert worst(correct=True) <= 0


def test_parts_are_at_most_a_batch(model: GraphVAE) -> None:
    assert [len(part) for part in generate_molecules(model, 5, batch_size=2)] == [2, 2, 1]
    assert [len(part) for part in generate_molecules(model, 1)] == [1]


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_left_as_it_was(model: GraphVAE, training: bool) -> None:
    model.train(training)
    parts: Iterator[Any] = generate_molecules(model, 6, batch_size=2)
    next(parts)
    assert not model.training
    parts.close()  # type: ignore[attr-defined]
    assert model.training is training
    generate(model, 3)
    assert model.training is training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_molecules": 0}, r"'num_molecules' to be at least 1 \(got 0\)"),
        ({"num_molecules": -5}, r"'num_molecules' to be at least 1 \(got -5\)"),
        ({"batch_size": 0}, r"'batch_size' to be at least 1 \(got 0\)"),
        ({"seed": -1}, r"'seed' to be between 0 and 2\^63 - 1 \(got -1\)"),
        ({"seed": 2**63}, r"'seed' to be between 0 and 2\^63 - 1"),
        ({"temperature": 0.0}, r"'temperature' to be positive \(got 0.0\)"),
        ({"temperature": float("nan")}, r"'temperature' to be positive \(got nan\)"),
        ({"temperature": 1.0, "correct": True}, r"no 'temperature' with 'correct' \(got 1.0\)"),
        ({"precision": "half"}, r"'precision' among auto, float32, bfloat16 \(got 'half'\)"),
    ],
)
def test_bad_numbers_are_refused_at_once(
    model: GraphVAE, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate_molecules(model, **{"num_molecules": 1, **options})


def test_a_model_without_vocabulary_is_refused(model: GraphVAE) -> None:
    model.vocabulary = None
    with pytest.raises(ValueError, match="Expected a model with a vocabulary"):
        generate_molecules(model, 1)


def test_smiles_read_back_with_the_same_verdicts(tmp_path: Path) -> None:
    path = write_molecules(MOLECULES, tmp_path / "a.smi")
    lines = path.read_text().splitlines()
    assert lines == ["CCO", "C.C", "CC(C)(C)(C)C", "N"]
    report, same = (evaluate_molecules(each, reference=None) for each in (MOLECULES, path))
    assert report.to_dict() == same.to_dict()
    assert (report.paper.valid, report.connected.valid) == (0.75, 0.5)


def test_a_table_says_what_is_valid(tmp_path: Path) -> None:
    path = write_molecules(MOLECULES, tmp_path / "a.csv")
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in table] == [
        ("CCO", "3", "1", "1"),
        ("C.C", "2", "1", "0"),
        ("CC(C)(C)(C)C", "6", "0", "0"),
        ("N", "1", "1", "1"),
    ]
    assert evaluate_molecules(path, reference=None).num_molecules == 4


def test_an_sdf_holds_the_valid_ones_in_two_dimensions(tmp_path: Path) -> None:
    path = write_molecules(MOLECULES, tmp_path / "a.sdf")
    back = list(Chem.SDMolSupplier(str(path)))
    assert [Chem.MolToSmiles(molecule) for molecule in back] == ["CCO", "C.C", "N"]
    places = back[0].GetConformer().GetPositions()
    assert abs(places[:, :2]).max() > 0.5
    assert not places[:, 2].any()
    assert MOLECULES[0].GetNumConformers() == 0


def test_a_picture_is_one(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = write_molecules(MOLECULES, tmp_path / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".smi", ".csv", ".sdf"])
def test_the_file_takes_the_place_of_another_or_leaves_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("before")
    with pytest.raises(TypeError, match=rf"Expected RDKit molecules .*{suffix} \(got int\)"):
        write_molecules([*MOLECULES, 3], path)  # type: ignore[list-item]
    assert path.read_text() == "before"
    write_molecules(MOLECULES, path)
    assert path.read_text() != "before"
    assert path.stat().st_mode & 0o777 == 0o644
    assert tree(tmp_path) == [path.name]


def test_outputs_are_checked_without_being_made(tmp_path: Path) -> None:
    for ending in FORMATS:
        assert check_output(tmp_path / f"a{ending}") == tmp_path / f"a{ending}"
    for name in ("a.txt", "a", ".smi"):
        with pytest.raises(ValueError, match=r"ending in \.smi, \.csv, \.sdf, \.png \(got "):
            check_output(tmp_path / name)
    with pytest.raises(ValueError, match=r"ending in \.json \(got "):
        check_output(tmp_path / "a.smi", (".json",))
    with pytest.raises(OSError, match="Expected an existing folder to write to"):
        check_output(tmp_path / "no" / "a.smi")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OSError, match="Expected a file that can be written"):
        check_output(tmp_path / "a.csv")
    assert tree(tmp_path) == ["a.csv"]


def test_smiles_are_written_as_they_are_and_only_to_smi(tmp_path: Path) -> None:
    path = write_molecules(iter(["OCC", MOLECULES[1]]), tmp_path / "a.smi")
    assert path.read_text() == "OCC\nC.C\n"
    for suffix in (".csv", ".sdf", ".png"):
        with pytest.raises(TypeError, match=rf"RDKit molecules to write {suffix} \(got str\)"):
            write_molecules(["OCC"], tmp_path / f"b{suffix}")
    assert tree(tmp_path) == ["a.smi"]


def test_an_interrupted_file_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Any]:
        yield MOLECULES[0]
        assert len(tree(tmp_path)) == 1  # The file that is being written.
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_molecules(interrupted(), tmp_path / "a.smi")
    assert tree(tmp_path) == []


def test_a_picture_needs_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    with pytest.raises(ImportError, match=r"pyg-topn\[plot\]"):
        check_output(tmp_path / "a.png")
    check_output(tmp_path / "a.smi")


def test_novelty_is_against_a_file(tmp_path: Path) -> None:
    (tmp_path / "known.txt").write_text("OCC\nCCC\nCCN\n")
    report = evaluate_molecules(MOLECULES, tmp_path / "known.txt", label="toy", fcd=False)
    assert report.paper.num_novel == 2  # C.C and N; CCO is there, written differently.
    assert report.properties is not None
    assert report.nspdk is not None
    assert report.fcd is None
    assert report.label == "toy"


def test_what_cannot_be_read_counts_as_invalid(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO\nC1CC\nnonsense\n[Na+].[Cl-]\nc1ccccc1\n")
    report = evaluate_molecules(tmp_path / "a.smi", reference=None)
    assert (report.num_molecules, report.num_unreadable) == (5, 2)
    assert report.connected.num_valid == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.smi", "", "the file is empty"),
        ("a.smi", "\n \n", "the file is empty"),
        ("a.xyz", "CCO\n", "Expected a file of SMILES: .smi"),
        ("a.csv", "name\nethanol\n", "Expected a column 'smiles'"),
        ("a.smi", None, "which does not exist"),
    ],
)
def test_bad_files_are_refused(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        evaluate_molecules(tmp_path / name, reference=None)
    with pytest.raises(ValueError, match=message):
        evaluate_molecules(MOLECULES, reference=tmp_path / name)


def test_no_molecules_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected"):
        evaluate_molecules([], reference=None)


def test_histograms_are_drawn_against_a_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "known.smi").write_text("OCC\nCCC\nCCN\n")
    (tmp_path / "new.smi").write_text("CCO\nC1CC\nCN\n")
    path = plot_against(tmp_path / "new.smi", tmp_path / "known.smi", tmp_path / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_histograms_need_a_reference(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected a reference .* \(got 'none'\)"):
        plot_against(MOLECULES, "none", tmp_path / "a.png")
