from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from pyg_topn.metrics import NSPDKDistance
from pyg_topn.metrics._nspdk_features import mean_features

SMILES = ["CCO", "c1ccccc1O", "C1CC1N", "C", "N#CC(=O)C", "CC.O", "C1=CC2CC2O1", "OCC(F)(F)C#C"]
OTHERS = ["CCN", "C1CC1", "CC(C)=O", "O.O.CC", "c1cc[nH]c1"]


def explicit_features(smiles: str, complexity: int) -> dict[Any, float]:
    """The kernel's definition, one pair of atoms at a time, with tuples instead of hashes."""
    mol = Chem.MolFromSmiles(smiles)
    far = Chem.GetDistanceMatrix(mol)
    atoms = [(atom.GetSymbol(), atom.GetDegree()) for atom in mol.GetAtoms()]
    bonds = [
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble()))
        for b in mol.GetBonds()
    ]

    def ball(root: int, radius: int) -> tuple[Any, ...] | None:
        rings: list[Any] = []
        for depth in range(radius + 1):
            inside = sorted(atoms[u] for u in range(len(atoms)) if far[root, u] == depth)
            if not inside:
                return None
            rings.append(tuple(inside))
            if depth < radius:
                nearer = [min(far[root, i], far[root, j]) for i, j, _ in bonds]
                rings.append(
                    tuple(sorted(b[2] for b, k in zip(bonds, nearer, strict=True) if k == depth))
                )
        return tuple(rings)

    blocks: dict[Any, dict[Any, float]] = defaultdict(lambda: defaultdict(float))
    for radius, distance in itertools.product(range(complexity + 1), repeat=2):
        for u, v in itertools.product(range(len(atoms)), repeat=2):
            one, other = ball(u, radius), ball(v, radius)
            if far[u, v] == distance and one and other:
                block = blocks[radius, distance]
                block[radius, distance, "pair", tuple(sorted([str(one), str(other)]))] += 1
                block[radius, distance, "half", str(other)] += 1
    features: dict[Any, float] = {}
    for block in blocks.values():
        norm = math.sqrt(sum(count**2 for count in block.values()) * len(blocks))
        features.update({key: count / norm for key, count in block.items()})
    return features


def kernel(one: dict[Any, float], other: dict[Any, float]) -> float:
    return sum(value * other[key] for key, value in one.items() if key in other)


def explicit_distance(generated: list[str], reference: list[str], complexity: int) -> float:
    xs = [explicit_features(smiles, complexity) for smiles in generated]
    ys = [explicit_features(smiles, complexity) for smiles in reference]
    within_x = np.mean([[kernel(x, other) for other in xs] for x in xs])
    within_y = np.mean([[kernel(y, other) for other in ys] for y in ys])
    return float(within_x + within_y - 2 * np.mean([[kernel(x, y) for y in ys] for x in xs]))


@pytest.mark.parametrize("complexity", [0, 1, 2, 4])
def test_equals_the_double_loop_over_explicit_features(complexity: int) -> None:
    distance = NSPDKDistance(OTHERS, complexity).compute(SMILES)
    assert distance == pytest.approx(explicit_distance(SMILES, OTHERS, complexity), abs=1e-12)


@pytest.mark.parametrize("smiles", SMILES)
def test_values_of_one_molecule_equal_the_explicit_ones(smiles: str) -> None:
    _, values = mean_features([Chem.MolFromSmiles(smiles)], 4)
    expected = sorted(explicit_features(smiles, 4).values())
    np.testing.assert_allclose(np.sort(values), expected, atol=1e-12)
    assert values @ values == pytest.approx(1)


def test_the_value_that_eden_prints() -> None:
    # eden.graph.vectorize(graphs, complexity=4, discrete=True, nbits=24), labels as in GDSS.
    generated = ["CCO", "c1ccccc1O", "C1CC1N", "C", "N#CC(=O)C"]
    distance = NSPDKDistance(["CCN", "C1CC1", "CC(C)=O"]).compute(generated)
    assert distance == pytest.approx(0.3820979094140787, abs=1e-12)


def test_zero_for_the_same_molecules() -> None:
    doubled = [*SMILES, *reversed(SMILES)]
    assert NSPDKDistance(SMILES).compute(doubled) == pytest.approx(0, abs=1e-15)


def test_the_order_of_the_atoms_does_not_matter() -> None:
    rng = random.Random(0)
    shuffled = []
    for smiles in SMILES:
        mol = Chem.MolFromSmiles(smiles)
        order = list(range(mol.GetNumAtoms()))
        rng.shuffle(order)
        shuffled.append(Chem.RenumberAtoms(mol, order))
    assert NSPDKDistance(SMILES).compute(shuffled) == pytest.approx(0, abs=1e-15)


def test_chunks_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = NSPDKDistance(OTHERS).compute(SMILES)
    monkeypatch.setattr("pyg_topn.metrics._nspdk_features._CHUNK", 3)
    assert NSPDKDistance(OTHERS).compute(SMILES) == pytest.approx(whole, abs=1e-14)


def test_tells_bonds_and_elements_apart() -> None:
    distance = NSPDKDistance(["CCO"])
    assert distance.compute(["CC=O"]) > 0.05
    assert distance.compute(["CCN"]) > 0.05


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"Expected at least one molecule \(got 0\)"):
        NSPDKDistance([])
    with pytest.raises(ValueError, match="Expected valid molecules"):
        NSPDKDistance(["CCO"]).compute(["C1CC"])
    with pytest.raises(ValueError, match="Expected a complexity of 0 or more"):
        NSPDKDistance(["CCO"], complexity=-1)


def test_says_what_it_is() -> None:
    assert repr(NSPDKDistance(["CCO"])) == "NSPDKDistance(1, complexity=4)"
