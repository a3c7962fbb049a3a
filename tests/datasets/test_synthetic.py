"""Synthetic sets: every constraint on every set, the same sets however they are made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pyg_topn.datasets import SyntheticMolecules, synthetic, synthetic_molecules
from pyg_topn.datasets._synthetic_worker import grow_sets
from pyg_topn.utils._worker_process import WorkerProcess

Arrays = dict[str, np.ndarray]

# The first sets of seed 0.
SIZES = [7, 6, 6, 8, 6, 10, 10, 6]
FIRST = [3.626854, 5.315250, -5.934204]


def sets_of(arrays: Arrays) -> list[Arrays]:
    """The arrays of every set."""
    cuts = arrays["num_points"].cumsum()[:-1]
    names = ("pos", "valency", "max_valency")
    parts = zip(*(np.split(arrays[name], cuts) for name in names), strict=True)
    return [dict(zip(names, part, strict=True)) for part in parts]


def assert_constraints(points: Arrays) -> None:
    """What appendix D.2 asks of a set."""
    pos = points["pos"].astype(np.float64)
    assert np.abs(pos).max() <= 6
    distance = cdist(pos, pos)
    others = ~np.eye(len(pos), dtype=bool)
    assert distance[others].min() >= 1
    neighbors = (distance < 2) & others
    assert np.array_equal(neighbors.sum(axis=1), points["valency"])
    assert points["valency"].min() >= 1
    assert (points["valency"] <= points["max_valency"]).all()
    assert set(points["max_valency"]) <= {1, 2, 3, 4}
    assert connected_components(neighbors)[0] == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="module")
def train(folder: Path) -> SyntheticMolecules:
    return SyntheticMolecules(folder, processes=1)


@pytest.fixture(scope="module")
def held_out(folder: Path) -> SyntheticMolecules:
    return SyntheticMolecules(folder, split="test", processes=1)


def test_every_constraint_on_every_set(
    train: SyntheticMolecules, held_out: SyntheticMolecules
) -> None:
    assert (len(train), len(held_out)) == (2000, 500)
    for dataset in (train, held_out):
        for data in dataset:
            assert_constraints({key: value.numpy() for key, value in data.to_dict().items()})


def test_sizes(train: SyntheticMolecules) -> None:
    histogram = train.size_histogram()
    sizes = histogram.nonzero().flatten()
    assert (int(sizes[0]), int(sizes[-1])) == (2, 35)
    assert histogram.sum() == 2000
    # The paper says 9, without digits.
    assert 8 <= train.pos.size(0) / 2000 <= 9.5


def test_drawn_valencies_are_biased_by_their_acceptance(train: SyntheticMolecules) -> None:
    """Of the points that begin a set, which are all accepted, the shares are those of the draws."""
    first = torch.cat([data.max_valency[:1] for data in train])
    shares = torch.bincount(first, minlength=5)[1:] / 2000
    assert shares.tolist() == pytest.approx([0.05, 0.05, 0.1, 0.8], abs=0.03)
    everyone = torch.bincount(train.max_valency, minlength=5)[1:] / train.pos.size(0)
    assert everyone[0] < 0.05
    begins = torch.stack([data.pos[0] for data in train])
    assert begins.mean(0).abs().max() < 0.4
    assert begins.std(0).tolist() == pytest.approx([12 / 12**0.5] * 3, rel=0.05)


def test_format(train: SyntheticMolecules) -> None:
    data = train[5]
    assert data.pos.dtype == torch.float32
    assert data.valency.dtype == data.max_valency.dtype == torch.int64
    assert data.pos.shape == (data.num_nodes, 3)
    assert data.valency.shape == data.max_valency.shape == (data.num_nodes,)
    batch = next(iter(DataLoader(train, batch_size=4)))
    assert torch.equal(batch.pos, Batch.from_data_list([train[i] for i in range(4)]).pos)
    assert torch.equal(batch[2].valency, train[2].valency)
    assert batch.ptr.diff().tolist() == [train[i].num_nodes for i in range(4)]


def test_training_and_test_sets_differ(
    train: SyntheticMolecules, held_out: SyntheticMolecules, tmp_path: Path
) -> None:
    seen = {tuple(point) for point in train.pos.tolist()}
    assert not seen & {tuple(point) for point in held_out.pos.tolist()}
    other = SyntheticMolecules(tmp_path, num_sets=2, seed=1, processes=1)
    assert not seen & {tuple(point) for point in other.pos.tolist()}


def test_2500_sets_take_seconds() -> None:
    start = time.process_time()
    synthetic_molecules(2500, processes=1)
    assert time.process_time() - start < 30  # 1.2 s; room for busy machines.


def test_processes_and_number_of_sets_make_no_difference() -> None:
    one = synthetic_molecules(1100, seed=7, processes=1)
    for processes in (2, 3):
        several = synthetic_molecules(1100, seed=7, processes=processes)
        for key, value in one.items():
            np.testing.assert_array_equal(several[key], value, err_msg=key, strict=True)
    few = synthetic_molecules(40, seed=7, processes=1)
    assert few["num_points"].tolist() == one["num_points"][:40].tolist()
    for key in ("pos", "valency", "max_valency"):
        assert np.array_equal(few[key], one[key][: few["num_points"].sum()])
    other = synthetic_molecules(40, seed=7, stream=1, processes=1)
    assert not np.array_equal(other["num_points"], few["num_points"])


def test_sets_of_a_seed_stay_what_they_are() -> None:
    """Figures are compared between versions."""
    arrays = synthetic_molecules(8, processes=1)
    assert arrays["num_points"].tolist() == SIZES
    np.testing.assert_allclose(arrays["pos"][0], FIRST, atol=1e-5)


@pytest.mark.parametrize(("low", "high"), [(2, 11), (5, 11), (7, 7), (1, 1), (12, 20)])
def test_ranges_of_sizes(low: int, high: int) -> None:
    arrays = synthetic_molecules(300, min_points=low, max_points=high, processes=1)
    sizes = arrays["num_points"]
    assert sizes.shape == (300,)
    assert low <= sizes.min()
    assert sizes.max() == high
    if high > 1:
        for points in sets_of(arrays):
            assert_constraints(points)


def test_sets_of_at_most_11_points_have_9_on_average() -> None:
    """The data of table 6."""
    arrays = synthetic_molecules(1000, max_points=11, early_points=8, processes=1)
    assert 8.5 < arrays["num_points"].mean() < 9.5


def test_the_sets_are_those_of_a_plain_loop() -> None:
    """One point after the other, without batches, has the same sizes and valencies on average."""
    rng = np.random.default_rng(0)
    plain = [_plain_set(rng) for _ in range(120)]
    arrays = synthetic_molecules(3000, max_points=12, early_points=4, processes=1)
    sizes = np.array([len(valency) for valency in plain])
    expected = arrays["num_points"]
    error = np.hypot(sizes.std() / 120**0.5, expected.std() / 3000**0.5)
    assert abs(sizes.mean() - expected.mean()) < 4 * error
    found = np.bincount(np.concatenate(plain), minlength=5) / sizes.sum()
    shares = np.bincount(arrays["valency"], minlength=5) / expected.sum()
    assert np.abs(found - shares).max() < 0.08


def _plain_set(rng: np.random.Generator) -> np.ndarray:
    """The valencies of a set, with at most 12 points and patience from 4 points on."""
    pos, allowed = [rng.uniform(-6, 6, 3)], [rng.choice([1, 2, 3, 4], p=[0.05, 0.05, 0.1, 0.8])]
    valency, failures = np.zeros(1, dtype=int), 0
    while len(pos) < 12 and failures < (30 if len(pos) >= 4 else 1000):
        new, most = rng.uniform(-6, 6, 3), rng.choice([1, 2, 3, 4], p=[0.05, 0.05, 0.1, 0.8])
        distance = np.linalg.norm(np.array(pos) - new, axis=1)
        near = distance < 2
        fits = 1 <= near.sum() <= most and (valency + near <= allowed).all()
        failures += 1
        if fits and distance.min() >= 1:
            pos, allowed, failures = [*pos, new], [*allowed, most], 0
            valency = np.append(valency + near, near.sum())
    return valency


def test_cache(folder: Path, train: SyntheticMolecules, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    with monkeypatch.context() as patch:
        patch.setattr("pyg_topn.datasets.synthetic.synthetic_molecules", made)
        again = SyntheticMolecules(folder)
        assert torch.equal(again.pos, train.pos)
        with pytest.raises(AssertionError, match="made again"):
            SyntheticMolecules(folder, max_failures=31)
    few = SyntheticMolecules(folder, num_sets=3, processes=1)
    assert len(few) == 3
    assert torch.equal(few[2].pos, train[2].pos)
    path = Path(few.processed_paths[0])
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"readable cache file .*force_reload=True"):
        SyntheticMolecules(folder, num_sets=3)
    assert len(SyntheticMolecules(folder, num_sets=3, processes=1, force_reload=True)) == 3


def test_a_single_set(tmp_path: Path, train: SyntheticMolecules) -> None:
    dataset = SyntheticMolecules(tmp_path, num_sets=1, processes=1)
    assert len(dataset) == 1
    assert torch.equal(dataset[0].pos, train[0].pos)
    assert dataset.size_histogram().tolist().index(1) == train[0].num_nodes


def test_transforms(tmp_path: Path) -> None:
    dataset = SyntheticMolecules(
        tmp_path,
        num_sets=60,
        processes=1,
        pre_filter=lambda data: data.num_nodes > 8,
        transform=lambda data: data.num_nodes,
    )
    assert 0 < len(dataset) < 60
    assert min(dataset[i] for i in range(len(dataset))) > 8


def test_progress_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    SyntheticMolecules(tmp_path, num_sets=2, processes=1)
    assert "Sets, 500 at a time: 100%" in capsys.readouterr().err
    SyntheticMolecules(tmp_path, num_sets=3, processes=1, log=False)
    assert capsys.readouterr().err == ""


def test_a_worker_needs_numpy_only() -> None:
    script = Path(sys.modules[grow_sets.__module__].__file__ or "")
    code = f"import runpy, sys; runpy.run_path({str(script)!r})\n"
    code += "assert not {'torch', 'pyg_topn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_sets": 0}, "Expected 'num_sets' to be an integer of at least 1 (got 0)"),
        ({"num_sets": 2.0}, "Expected 'num_sets' to be an integer of at least 1 (got 2.0)"),
        ({"num_sets": True}, "Expected 'num_sets'"),
        ({"min_points": 0}, "Expected 'min_points' to be an integer of at least 1"),
        ({"max_points": 0}, "Expected 'max_points' to be an integer of at least 1"),
        ({"max_failures": 0}, "Expected 'max_failures' to be an integer of at least 1"),
        ({"early_points": 0}, "Expected 'early_points' to be an integer of at least 1"),
        ({"seed": -1}, "Expected 'seed' to be an integer of at least 0 (got -1)"),
        ({"processes": 0}, "Expected 'processes' to be an integer of at least 1"),
        ({"min_points": 9, "max_points": 8}, "at most 'max_points' (got 9 and 8)"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    for make in (synthetic_molecules, lambda **kwargs: SyntheticMolecules(tmp_path, **kwargs)):
        with pytest.raises(ValueError, match=re.escape(message)):
            make(**arguments)
    assert not list(tmp_path.iterdir())


def test_bad_split_and_stream(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected 'split' to be one of .*got 'valid'"):
        SyntheticMolecules(tmp_path, split="valid")
    with pytest.raises(ValueError, match="Expected 'stream'"):
        synthetic_molecules(1, stream=-1)


def test_sizes_that_hardly_occur_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"min_points": 40, "max_points": 40, "max_failures": 1, "early_points": 1}
    message = r"Expected 'min_points' to be a size that sets reach \(got 40\)"
    with pytest.raises(ValueError, match=message):
        grow_sets((0, 0), 0, 2, limits)
    script = sys.modules[grow_sets.__module__].__file__ or ""
    with WorkerProcess(script, "makes sets") as worker:
        answer = worker.ask(((0, 0), 0, 2, limits))
    assert isinstance(answer, ValueError)
    # What a worker answers is raised.
    monkeypatch.setattr(synthetic, "answer_in_order", lambda *_: iter([answer]))
    with pytest.raises(ValueError, match=message):
        synthetic_molecules(501, processes=2)
