from __future__ import annotations

from pyg_topn.metrics import MoleculeMetrics, canonical_reference
from pyg_topn.metrics._reference import _canonical_reference


def test_spellings_of_one_molecule_are_one() -> None:
    keys = canonical_reference(["OCC", "CCO", "C(O)C", "[CH3][CH2][OH]", "C1=CC=CC=C1", "c1ccccc1"])
    assert keys == {"CCO", "c1ccccc1"}


def test_unparsable_strings_are_skipped() -> None:
    assert canonical_reference(["C1CC", "", "CC(C)(C)(C)C", "[CH5]", "C"]) == {"C"}


def test_zwitterions_are_known_by_their_neutral_form() -> None:
    assert canonical_reference(["[NH3+]CC(=O)[O-]"]) == {"NCC(=O)O"}


def test_copies_of_a_nitro_compound_are_never_novel() -> None:
    # The two spellings of the training data, and the graph without charges made from them.
    for reference in ("C[N+](=O)[O-]", "CN(=O)=O"):
        metrics = MoleculeMetrics(reference_smiles=[reference])
        metrics.update(["C[N+](=O)[O-]", "CN(=O)=O", "CN(=O)O"])
        report = metrics.compute()
        assert report.paper.num_valid == 1
        assert report.relaxed.num_valid == 3
        assert report.paper.num_novel == 0
        assert report.relaxed.num_novel == 0


def test_is_cached() -> None:
    _canonical_reference.cache_clear()
    first = canonical_reference(iter(["CCO", "CCN"]))
    assert canonical_reference(["CCO", "CCN"]) is first
