"""A few dozen molecules: the numbers test the arithmetic, they say nothing about chemistry."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from scipy import linalg

from pyg_topn.metrics import FrechetChemNetDistance, MoleculeMetrics, frechet_distance
from pyg_topn.metrics._chemnet import chemnet_activations

fcd = pytest.importorskip("fcd")

REFERENCE = ["CCO", "CCN", "c1ccccc1", "CC(=O)C", "C1CC1", "OCC#N", "CC(C)O", "NC=O"]
GENERATED = ["CCF", "CCC", "C1CCC1", "CC=O", "OCC#C", "CCO", "CCO"]


def random_gaussian(rng: np.random.Generator, rank: int) -> tuple[np.ndarray, np.ndarray]:
    rows = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, 6))
    return rows.mean(axis=0), np.cov(rows.T)


def test_frechet_distance_equals_the_printed_formula() -> None:
    rng = np.random.default_rng(0)
    (mean1, cov1), (mean2, cov2) = random_gaussian(rng, 6), random_gaussian(rng, 6)
    root = linalg.sqrtm(cov1 @ cov2).real
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2 - 2 * root)
    assert frechet_distance(mean1, cov1, mean2, cov2) == pytest.approx(expected)


def test_frechet_distance_of_singular_covariances() -> None:
    mean, cov = random_gaussian(np.random.default_rng(1), 3)
    assert frechet_distance(mean, cov, mean, cov) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(mean, cov, mean + 1, np.zeros_like(cov)) == pytest.approx(
        6 + np.trace(cov)
    )


def test_activations_are_those_of_the_fcd_package() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fcd.utils import SmilesDataset

        inputs = np.stack([SmilesDataset(GENERATED)[i] for i in range(len(GENERATED))])
    import torch

    path = Path(fcd.__file__).parent / "ChemNet_v0.13_pretrained.pt"
    with torch.no_grad():
        model = fcd.load_ref_model(str(path))
        expected = model(torch.tensor(inputs).float().transpose(1, 2)).numpy()
    activations = chemnet_activations(GENERATED, batch_size=3, device="cpu")
    assert activations.shape == (7, 512)
    np.testing.assert_allclose(activations, expected, atol=1e-6)
    np.testing.assert_array_equal(activations[5], activations[6])
    assert chemnet_activations([]).shape == (0, 512)


def test_frechet_distance_equals_the_fcd_packages() -> None:
    rng = np.random.default_rng(2)
    moments = []
    for _ in range(2):
        rows = rng.normal(size=(400, 64)) @ rng.normal(size=(64, 64)) + rng.normal(size=64)
        moments += [rows.mean(axis=0), np.cov(rows.T)]
    mean1, cov1, mean2, cov2 = moments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy deprecates the way that the package calls it.
        expected = fcd.calculate_frechet_distance(mean1, cov1, mean2, cov2)
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-6)


def test_distance_is_that_between_the_activations() -> None:
    moments: list[np.ndarray] = []
    for smiles in (GENERATED, REFERENCE):
        canonical = [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in smiles]
        rows = chemnet_activations(canonical, device="cpu").astype(np.float64)
        moments += [rows.mean(axis=0), np.cov(rows.T)]
    distance = FrechetChemNetDistance(REFERENCE, cache_dir=False, device="cpu")
    assert distance.compute(GENERATED) == pytest.approx(frechet_distance(*moments), rel=1e-5)


def test_spelling_and_order_do_not_matter_and_junk_is_skipped() -> None:
    distance = FrechetChemNetDistance(REFERENCE, cache_dir=False, device="cpu")
    spelled = ["OCC", "NCC", "C1=CC=CC=C1", "O=C(C)C", "C1CC1", "N#CCO", "OC(C)C", "C(N)=O"]
    assert distance.compute([*reversed(spelled), "junk", ""]) == pytest.approx(0, abs=1e-4)
    assert distance.compute(GENERATED) > 1


def test_reference_is_cached_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = FrechetChemNetDistance(REFERENCE, cache_dir=tmp_path, device="cpu")
    [stored] = tmp_path.iterdir()

    def fail(*_: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr("pyg_topn.metrics.fcd.chemnet_activations", fail)
        second = FrechetChemNetDistance(REFERENCE, cache_dir=tmp_path)
    assert second.compute(GENERATED) == first.compute(GENERATED)
    stored.write_bytes(b"damaged")
    third = FrechetChemNetDistance(REFERENCE, cache_dir=tmp_path, device="cpu")
    assert third.compute(GENERATED) == first.compute(GENERATED)
    assert stored.stat().st_size > 1000  # Written anew.


def test_default_cache_folder_and_one_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    FrechetChemNetDistance(REFERENCE, device="cpu")
    assert [path.suffix for path in (tmp_path / "pyg_topn").iterdir()] == [".npz"]
    (tmp_path / "file").touch()
    FrechetChemNetDistance(REFERENCE, cache_dir=tmp_path / "file" / "below", device="cpu")


def test_large_references_are_sampled_with_a_seed() -> None:
    def make(seed: int) -> FrechetChemNetDistance:
        return FrechetChemNetDistance(
            REFERENCE, max_reference=5, seed=seed, cache_dir=False, device="cpu"
        )

    assert repr(make(3)) == ("FrechetChemNetDistance(5 of 8 reference molecules, seed 3)")
    assert make(3).compute(GENERATED) == make(3).compute(GENERATED)
    assert make(3).compute(GENERATED) != make(4).compute(GENERATED)


def test_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    metrics = MoleculeMetrics(held_out_smiles=REFERENCE, fcd=True)
    metrics.update([*GENERATED, "junk", "CFC"])
    report = metrics.compute()
    assert report.fcd == pytest.approx(FrechetChemNetDistance(REFERENCE).compute(GENERATED))
    assert report.references["fcd"] == "to 8 reference molecules"


def test_too_few_molecules() -> None:
    with pytest.raises(
        ValueError, match=r"Expected at least 2 valid reference molecules \(got 1\)"
    ):
        FrechetChemNetDistance(["CCO", "junk"], cache_dir=False)
    distance = FrechetChemNetDistance(REFERENCE, cache_dir=False, device="cpu")
    with pytest.raises(
        ValueError, match=r"Expected at least 2 valid generated molecules \(got 0\)"
    ):
        distance.compute([])
