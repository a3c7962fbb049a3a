"""Molecules as SMILES, written in other processes: the same text, and no process left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch

pytest.importorskip("rdkit")

from rdkit import Chem

import pyg_topn
from pyg_topn import _smiles_pipeline
from pyg_topn._smiles_pipeline import default_processes, smiles_of_batches
from pyg_topn.datasets import qm9_smiles
from pyg_topn.generate import generate_molecules, generate_smiles
from pyg_topn.metrics import MoleculeMetrics, write_smiles
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils import _smiles_writer, _worker_process
from pyg_topn.utils._graph_arrays import GraphArrays
from pyg_topn.utils._worker_process import WorkerProcess, answer_in_order

QM9 = MoleculeVocabulary.qm9()
# Nitro groups, which RDKit charges; aromatic rings that share bonds; Kekule forms; over-valent
# atoms; pieces; cages; a single atom.
ODD = [
    *("CN(=O)=O", "c1ccc2ccccc2c1", "c1ccc2[nH]ccc2c1", "C1=CC2=CC=CC=C2C=C1", "O=c1cc[nH]cc1"),
    *(
        "CC(C)(C)(C)C",
        "C.C",
        "C1=CC=CC=C1.N",
        "C12C3C4C1C5C2C3C45",
        "F",
        "O=C1C=C1",
        "c1cc2cccc2c1",
    ),
    *("C1=CC2=CC=C2C=C1", "C#N", "FF(F)F", "N1=NN=NN1", "c1ccc2c(c1)C=C2", "[O]=[O]", "C=[N]=N"),
]


@pytest.fixture
def model() -> GraphVAE:
    """A small model of molecules of 1, 3 or 4 atoms."""
    vae = build_graph_vae(
        4,
        (1, 2, 3),
        [0, 1, 0, 4, 5],
        latent_channels=8,
        hidden_channels=16,
        creation_channels=16,
    )
    vae.vocabulary = QM9
    return vae


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every process that is started during the test."""
    started: list[Any] = []
    enter = WorkerProcess.__enter__

    def remembered(self: WorkerProcess) -> WorkerProcess:
        enter(self)
        started.append(self.process)
        return self

    monkeypatch.setattr(WorkerProcess, "__enter__", remembered)
    return started


def graph(smiles: str, vocabulary: MoleculeVocabulary = QM9) -> Any:
    """The graph of SMILES, valid or not."""
    return vocabulary.from_molecule(Chem.MolFromSmiles(smiles, sanitize=False))


def batches(*smiles: list[str], vocabulary: MoleculeVocabulary = QM9) -> Any:
    return (Batch.from_data_list([graph(text, vocabulary) for text in some]) for some in smiles)


def slow(batch: Batch, vocabulary: MoleculeVocabulary = QM9) -> list[str]:
    return [write_smiles(molecule) for molecule in vocabulary.to_molecules(batch)]


def one_by_one(*args: Any, **kwargs: Any) -> list[list[str]]:
    parts = generate_molecules(*args, **kwargs)
    return [[write_smiles(molecule) for molecule in part] for part in parts]


@pytest.mark.parametrize("processes", [0, 1, 2])
@pytest.mark.parametrize("how", [{}, {"temperature": 1.0}, {"correct": True}])
def test_they_are_the_molecules_one_by_one(
    model: GraphVAE, processes: int, how: dict[str, Any], workers: list[Any]
) -> None:
    torch.nn.init.ones_(model.decoder.presence_mlp.lins[-1].bias)  # Many are over-valent.
    parts = generate_smiles(model, 90, seed=3, batch_size=13, processes=processes, **how)
    assert list(parts) == one_by_one(model, 90, seed=3, batch_size=13, **how)
    assert len(workers) == processes
    assert all(process.poll() is not None for process in workers)


def test_they_are_the_molecules_of_the_pretrained_model() -> None:
    model = pyg_topn.load("qm9-top-n")
    expected = one_by_one(model, 500, batch_size=128)
    assert list(generate_smiles(model, 500, batch_size=128, processes=2)) == expected
    figures = []
    for parts in (expected, list(generate_smiles(model, 500, batch_size=128))):
        metrics = MoleculeMetrics(nspdk=False)
        metrics.update([text for part in parts for text in part])
        figures.append(metrics.compute().to_dict())
    assert figures[0] == figures[1]


def test_molecules_of_qm9_in_any_node_order(generator: torch.Generator) -> None:
    graphs = []
    for text in (*qm9_smiles()[::1500], *ODD):
        data = graph(text)
        order = torch.randperm(data.num_nodes, generator=generator)
        data.x, data.edge_index = data.x[order], order.argsort()[data.edge_index]
        graphs.append(data)
    batch = Batch.from_data_list(graphs)
    (texts,) = smiles_of_batches((each for each in [batch]), QM9, 0)
    assert texts == slow(batch)
    assert "CN(=O)=O" in texts
    assert "c1ccc2ccccc2c1" in texts


def test_other_elements_and_hydrogens() -> None:
    smiles = ["C[SiH3]", "CCl", "CS(C)(=O)=O", "[Na]C", "c1cc[se]c1", "CBr", "[Pt](Cl)Cl", "CP"]
    atoms = ("C", "Si", "Cl", "S", "O", "Na", "Se", "Br", "Pt", "P")
    odd = MoleculeVocabulary(atoms, valences=(4, 4, 1, 6, 2, 1, 6, 1, 4, 5))
    with_hydrogen = MoleculeVocabulary(("C", "H", "O"))
    for vocabulary, texts in ((odd, smiles), (with_hydrogen, ["CO", "[H][H]", "[H]OC"])):
        expected = [slow(batch, vocabulary) for batch in batches(texts, vocabulary=vocabulary)]
        given = batches(texts, vocabulary=vocabulary)
        assert list(smiles_of_batches(given, vocabulary, 1)) == expected


def test_the_fast_way_leaves_what_it_is_not_sure_about() -> None:
    vocabulary = MoleculeVocabulary(("C", "Si"))
    (batch,) = batches(["C[SiH3]", "CC"], vocabulary=vocabulary)
    request = GraphArrays.from_batch(batch, 2, 3).to_request()
    texts = _smiles_writer.write_graphs(request, vocabulary.atoms, vocabulary.bonds)
    assert texts == [None, "CC"]


def test_large_graphs_and_empty_batches() -> None:
    lone = Batch.from_data_list([graph("C"), graph("O")])
    chain = Batch.from_data_list([graph("C" * 300)])
    empty = Batch.from_data_list([graph("C")])
    empty.x, empty.batch, empty.ptr = empty.x[:0], empty.batch[:0], empty.ptr[:1]
    given = (batch for batch in (lone, chain, empty))
    assert list(smiles_of_batches(given, QM9, 2)) == [["C", "O"], ["C" * 300], []]
    arrays = GraphArrays.from_batch(chain, 4, 3)
    assert [values.dtype.itemsize for values in (arrays.begin, arrays.bond_type)] == [2, 1]


def close(parts: Any) -> None:
    parts.close()


def throw(parts: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        parts.throw(KeyboardInterrupt)


@pytest.mark.parametrize("stop", [close, throw])
def test_an_early_stop_leaves_no_process(
    stop: Callable[[Any], None], model: GraphVAE, workers: list[Any]
) -> None:
    model.train()
    parts = generate_smiles(model, 2000, batch_size=20, processes=2)
    assert len(next(parts)) == 20
    assert [process.poll() for process in workers] == [None, None]
    stop(parts)
    assert all(process.poll() is not None for process in workers)
    assert all(process.stdin.closed and process.stdout.closed for process in workers)
    assert model.training


def test_a_failure_of_the_model_leaves_no_process(workers: list[Any]) -> None:
    def failing() -> Iterator[Batch]:
        yield from batches(["C"], ["CC"])
        raise ValueError("the model failed")

    parts = smiles_of_batches(failing(), QM9, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the model failed"):
        list(parts)
    assert len(workers) == 2
    assert all(process.poll() is not None for process in workers)


def test_a_killed_process_is_an_error(model: GraphVAE, workers: list[Any]) -> None:
    parts = generate_smiles(model, 2000, batch_size=20, processes=2)
    next(parts)
    workers[0].kill()
    message = r"answer of the process that writes SMILES \(got its end, exit code -9\)"
    with pytest.raises(RuntimeError, match=message):
        list(parts)
    assert all(process.poll() is not None for process in workers)


def test_a_process_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(3)")
    with pytest.raises(RuntimeError, match=r"process that breaks \(got its end, exit code 3\)"):
        list(answer_in_order([1, 2, 3], script, "breaks", 2))


def test_memory_is_bounded(tmp_path: Path) -> None:
    taken = []

    def requests() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    script = tmp_path / "echo.py"
    script.write_text(
        "import pickle, sys\n"
        "while True:\n"
        "    pickle.dump(pickle.load(sys.stdin.buffer), sys.stdout.buffer)\n"
        "    sys.stdout.buffer.flush()\n"
    )
    answers = answer_in_order(requests(), script, "echoes", 2)
    for expected, answer in enumerate(answers):
        assert answer == expected
        assert len(taken) - expected <= 2 * _worker_process.QUEUED + 1
    assert len(taken) == 40


SCRIPT = """
import pyg_topn
from pyg_topn.generate import generate_smiles
model = pyg_topn.load("qm9-top-n")
for part in generate_smiles(model, 10**7, batch_size=16, processes=2):
    print(len(part), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_an_interrupt_ends_all_of_it_without_noise(tmp_path: Path) -> None:
    """A script without ``if __name__ == "__main__"``, interrupted as by Ctrl-C in a terminal."""
    script = tmp_path / "script.py"
    # Tests that run in the background have interrupts ignored.
    ctrl_c = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script.write_text(ctrl_c + SCRIPT)
    running = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "16\n"
    os.killpg(running.pid, signal.SIGINT)  # A terminal tells all processes of a group.
    # The end of both streams means that the workers, which hold the second, are gone as well.
    _, errors = running.communicate(timeout=60)
    assert running.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") == 1


def test_the_processes_import_neither_torch_nor_numpy() -> None:
    code = (
        f"import runpy, sys; runpy.run_path({_smiles_writer.__file__!r}); "
        "print({'torch', 'numpy', 'pyg_topn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "set()\n"


def test_few_molecules_are_written_here(
    model: GraphVAE, workers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_processes(_smiles_pipeline.FEW - 1) == 0
    for cores, expected in ((1, 0), (2, 1), (64, 8)):
        monkeypatch.setattr(_smiles_pipeline, "usable_cores", lambda cores=cores: cores)
        assert default_processes(_smiles_pipeline.FEW) == expected
    assert len(list(generate_smiles(model, 20, batch_size=5))) == 4
    assert workers == []
    list(generate_smiles(model, 20, batch_size=10, processes=5))
    assert len(workers) == 2  # No more than there are batches.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"processes": -1}, r"'processes' to be at least 0 \(got -1\)"),
        ({"num_molecules": 0}, r"'num_molecules' to be at least 1 \(got 0\)"),
        ({"batch_size": 0}, r"'batch_size' to be at least 1 \(got 0\)"),
        ({"seed": -1}, r"'seed' to be between 0 and 2\^63 - 1 \(got -1\)"),
        ({"temperature": 0.0}, r"'temperature' to be positive \(got 0.0\)"),
        ({"temperature": 1.0, "correct": True}, r"no 'temperature' with 'correct' \(got 1.0\)"),
    ],
)
def test_bad_numbers_are_refused_at_once(
    model: GraphVAE, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate_smiles(model, **{"num_molecules": 1, **options})


def test_a_model_without_vocabulary_is_refused(model: GraphVAE) -> None:
    model.vocabulary = None
    with pytest.raises(ValueError, match="Expected a model with a vocabulary"):
        generate_smiles(model, 1)
