"""Conditional generation of molecules: what is asked for against what is obtained.

Usage: python benchmarks/conditional.py --minutes 30 --seeds 0 1 2 --out runs/conditional

Trains the default recipe with conditions on the training split of QM9, asks for the properties and
sizes of molecules of the test split that were drawn at random, one property at a time and all of
them, and prints the mean absolute error among valid molecules, for properties that RDKit computes.
Beside it: the same sizes without a condition, which is what an error of a model that does not
listen looks like, and the error between the molecules asked for and others of the test split of
the same size.
Needs qm9pack for properties that were computed with DFT (gap, mu), which are learnt as well but
not measured. Runs are kept in the output folder: started again, the benchmark goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from _intervals import cell
from _machine import print_machine
from _remembered import write_result
from rdkit.Chem import Mol
from rdkit.Chem.Crippen import MolLogP
from rdkit.Chem.QED import qed
from rdkit.Chem.rdMolDescriptors import CalcNumRings, CalcTPSA
from torch import Tensor

import pyg_topn
from pyg_topn.datasets import HeavyAtomQM9
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.metrics._verdict import sanitized
from pyg_topn.models import GraphVAE
from pyg_topn.training import train_qm9

COMPUTED: dict[str, Callable[[Mol], float]] = {
    "logp": MolLogP,
    "num_rings": CalcNumRings,
    "tpsa": CalcTPSA,
    "qed": qed,
}


def main() -> None:
    """Train, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", nargs="+", default=["gap", "mu", "logp", "num_rings"])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--epochs", type=int, help="budget of a run in epochs instead")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--number", type=int, default=10_000, help="of molecules, a row")
    parser.add_argument("--creation", default="top_n")
    parser.add_argument("--root", default="data/qm9", help="folder of the data set's cache")
    parser.add_argument("--out", type=Path, required=True, help="folder; what is there is reused")
    options = parser.parse_args()
    print_machine("rdkit")
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in options.seeds:
        for name, found in _measured(options, seed).items():
            rows.setdefault(name, []).append(found)
    asked = [name for name in options.conditions if name in COMPUTED]
    columns = ["valid", "connected", "unique", *asked]
    print(f"\n{_budget(options)} a run, seeds {options.seeds}, {options.number} molecules")
    print("mean absolute error of properties; valid, connected and unique in percent\n")
    print(f"{'asked':26s}" + "".join(f"{name:>14s}" for name in columns))
    for name, runs in rows.items():
        print(f"{name:26s}" + "".join(f"{_cell(runs, column):>14s}" for column in columns))


def _cell(runs: Sequence[dict[str, float]], column: str) -> str:
    values = [run.get(column, math.nan) for run in runs]
    return cell(values, 1.0, 3) if column in COMPUTED else cell(values, 100.0, 1)


def _budget(options: argparse.Namespace) -> dict[str, Any]:
    """The budget of a run as arguments of train_qm9."""
    if options.epochs is not None:
        return {"epochs": options.epochs}
    return {"minutes": options.minutes, "processor_time": options.processor_time}


def _measured(options: argparse.Namespace, seed: int) -> dict[str, dict[str, float]]:
    """All rows of a seed, trained and measured, or read."""
    names = "-".join(options.conditions)
    budget = _budget(options)
    text = "-".join(f"{key}-{value:g}" for key, value in budget.items())
    out = options.out / f"{options.creation}-{names}-{text}-{seed}"
    path = out / "asked.json"
    if not path.is_file():
        folder = train_qm9(
            out,
            creation=options.creation,
            **budget,
            seed=seed,
            resume=True,
            root=options.root,
            patience=10**6,
            conditions=options.conditions,
            progress_bar=False,
        )
        model = pyg_topn.load(folder)
        assert isinstance(model, GraphVAE)
        test = HeavyAtomQM9(options.root, "test", options.conditions)
        write_result(path, _rows(model, test, options.number, seed))
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _rows(
    model: GraphVAE, test: HeavyAtomQM9, number: int, seed: int
) -> dict[str, dict[str, float]]:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(test), (number,), generator=generator)
    values, sizes = test._data.y[chosen], test.slices["x"].diff()[chosen]
    rows = {"nothing": _row(model, values, sizes, None, seed)}
    for place, name in enumerate(model.conditions):
        cond = torch.full_like(values, torch.nan)
        cond[:, place] = values[:, place]
        rows[name] = _row(model, values, sizes, cond, seed)
    rows["all of them"] = _row(model, values, sizes, values, seed)
    # Others of the same size: sorted by size, then moved by one within it.
    order = sizes.argsort(stable=True)
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    error = (values - values[other]).abs().mean(dim=0)
    rows["(others of the test split)"] = dict(zip(model.conditions, error.tolist(), strict=True))
    return rows


def _row(
    model: GraphVAE, values: Tensor, sizes: Tensor, cond: Tensor | None, seed: int
) -> dict[str, float]:
    """Shares of valid and unique ones, and the error of every property among valid ones."""
    generator = torch.Generator().manual_seed(seed)
    molecules: list[Any] = []
    assert model.vocabulary is not None
    for part in torch.arange(values.size(0)).split(2048):
        asked = None if cond is None else cond[part]
        batch = model.sample(part.numel(), sizes[part], generator, cond=asked)
        molecules.extend(model.vocabulary.to_molecules(batch))
    metrics = MoleculeMetrics(nspdk=False)
    metrics.update(molecules)
    report = metrics.compute()
    found = {
        "valid": report.paper.valid,
        "connected": report.connected.valid,
        "unique": report.paper.unique,
    }
    errors: dict[str, list[float]] = {}
    for molecule, wanted in zip(molecules, values.tolist(), strict=True):
        clean = sanitized(molecule)
        if clean is None:
            continue
        for name, value in zip(model.conditions, wanted, strict=True):
            if name in COMPUTED:
                errors.setdefault(name, []).append(abs(COMPUTED[name](clean) - value))
    return found | {name: sum(several) / len(several) for name, several in errors.items()}


if __name__ == "__main__":
    main()
