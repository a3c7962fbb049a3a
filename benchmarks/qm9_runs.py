"""Training runs on QM9, measured once and remembered, for the benchmarks beside this file."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _intervals
import torch
from _remembered import write_result
from torch_geometric.data import Batch

import pyg_topn
from pyg_topn.datasets import HeavyAtomQM9, qm9_smiles
from pyg_topn.generate import generate_molecules
from pyg_topn.metrics import FrechetChemNetDistance, MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import GaussianPrior
from pyg_topn.recipe import plain, recipe
from pyg_topn.training import train_qm9
from pyg_topn.utils import has_fast_bfloat16

SIZES = range(1, 10)


class Judge:
    """Measures models against QM9; the references are worked out once."""

    def __init__(self, number: int = 10_000, fcd: bool = True, per_size: int = 500) -> None:
        self.number, self.per_size = number, per_size
        self.train, self.test = qm9_smiles("train"), qm9_smiles("test")
        self.all = [*self.train, *qm9_smiles("val"), *self.test]
        self.fcd: Any = FrechetChemNetDistance(self.test) if fcd else False

    def report(self, molecules: Sequence[Any], distances: bool = True) -> dict[str, Any]:
        """Every figure of molecules, in plain types."""
        metrics = MoleculeMetrics(
            self.train,
            self.test if distances else None,
            nspdk=distances,
            fcd=self.fcd if distances else False,
            properties=distances,
        )
        metrics.update(molecules)
        report = metrics.compute()
        others = {"relaxed_vu": report.relaxed.vu, "valence_vu": report.valence.vu}
        if distances:
            # Of the distinct molecules, how many are none of the data, trained on or not.
            wider = MoleculeMetrics(self.all, nspdk=False)
            wider.update(molecules)
            others["outside"] = wider.compute().paper.novel
        properties = report.to_dict()["properties"]
        return {**report.scalars(), **others, "properties": properties}

    def model(self, vae: GraphVAE, seed: int) -> dict[str, Any]:
        """A model's samples: as they are, corrected, with N(0, I) as prior, and size by size."""

        def draw(**how: Any) -> list[Any]:
            return [m for part in generate_molecules(vae, self.number, seed, **how) for m in part]

        found = {"prior": vae.prior.label, "main": self.report(draw())}
        found["corrected"] = self.report(draw(correct=True), distances=False)
        sizes = [size for size in SIZES if size <= vae.sizes.max_num_nodes]
        found["sizes"] = {size: self._connected(vae, size, seed) for size in sizes}
        own, vae.prior = vae.prior, GaussianPrior(vae.latent_channels)
        found["normal"] = self.report(draw(), distances=False)
        vae.prior = own
        return found

    def data(self, root: str, seed: int) -> dict[str, Any]:
        """Graphs of the training split, drawn with replacement, as if a model had made them: what
        a model can reach."""
        train = HeavyAtomQM9(root, "train")
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randint(len(train), (self.number,), generator=generator)
        parts = (Batch.from_data_list(list(train[part])) for part in drawn.split(1000))
        molecules = [m for part in parts for m in train.vocabulary.to_molecules(part)]
        return {"main": self.report(molecules)}

    def _connected(self, vae: GraphVAE, size: int, seed: int) -> float:
        """Share of valid and connected ones among molecules of one size."""
        generator = torch.Generator().manual_seed(seed)
        sizes = torch.full((self.per_size,), size)
        assert vae.vocabulary is not None
        metrics = MoleculeMetrics(nspdk=False)
        batch = vae.sample(self.per_size, sizes, generator)
        metrics.update(vae.vocabulary.to_molecules(batch))
        return float(metrics.compute().connected.valid)


def measure(
    judge: Judge, runs: Path, known: Path | None = None, **arguments: Any
) -> dict[str, Any]:
    """Train and measure, or read what was measured before; a killed run goes on where it was."""
    name = name_of(**arguments)
    out, path = runs / name, runs / name / "measured.json"
    for found in (path, known / f"{name}.json" if known else path):
        if found.is_file():
            return dict(json.loads(found.read_text(encoding="utf-8")))
    folder = train_qm9(out, resume=True, progress_bar=False, patience=10**6, **arguments)
    vae = pyg_topn.load(folder)
    write_result(path, {**how(out, arguments), **judge.model(vae, arguments.get("seed", 0))})
    return dict(json.loads(path.read_text(encoding="utf-8")))


def how(out: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a finished run has done, to be read beside its figures."""
    state = torch.load(out / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    timers = [v for k, v in state["callbacks"].items() if "time_elapsed" in v and "Timer" in k]
    return {
        # Of the budget's clock, over all starts of the run: validations are part of it.
        "seconds": timers[0]["time_elapsed"]["train"],
        "steps": state["global_step"],
        "arguments": plain({k: v for k, v in arguments.items() if k != "root"}),
        "bfloat16": uses_bfloat16(arguments.get("precision", "auto")),
        "machine": machine(),
    }


def uses_bfloat16(precision: str) -> bool:
    """Whether products of a run are in half precision: by default, it depends on the machine."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(device))


def name_of(
    seed: int,
    recipe_name: str = "default",
    creation: str = "top_n",
    matcher: str | None = None,
    prior: str | None = None,
    changes: Mapping[str, Any] | None = None,
    **others: Any,
) -> str:
    """The folder of a run, by what it does and not by who asks for it: studies share runs."""
    chosen = recipe(recipe_name, creation, matcher, prior, **(changes or {}))
    budgets = {key: others.get(key) for key in ("minutes", "epochs", "num_train")}
    if others.get("processor_time"):
        budgets["processor_time"] = True
    if others.get("precision", "auto") != "auto":
        budgets["precision"] = others["precision"]
    for key in ("conditions", "teacher"):
        if others.get(key):
            budgets[key] = others[key] if key == "conditions" else os.fspath(others[key])
    content = json.dumps([plain(asdict(chosen)), budgets], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    return f"{creation}-{digest}-{seed}"


def cell(values: Sequence[float], scale: float = 100.0, digits: int = 1) -> str:
    """Mean and interval as text, in percent by default."""
    return _intervals.cell(values, scale, digits)


COLUMNS: dict[str, Callable[[Sequence[dict[str, Any]]], str]] = {
    "valid": lambda runs: cell([run["main"]["valid"] for run in runs]),
    "unique": lambda runs: cell([run["main"]["unique"] for run in runs]),
    "V.U.": lambda runs: cell([run["main"]["vu"] for run in runs]),
    "conn": lambda runs: cell([run["main"]["connected"] for run in runs]),
    "conn V.U.": lambda runs: cell([run["main"]["connected_vu"] for run in runs]),
    "relaxed": lambda runs: cell([run["main"]["relaxed"] for run in runs]),
    "valence": lambda runs: cell([run["main"]["valence"] for run in runs]),
    "novel": lambda runs: cell([run["main"]["novel"] for run in runs]),
    "outside": lambda runs: cell([run["main"].get("outside", math.nan) for run in runs]),
    "FCD": lambda runs: cell([run["main"].get("fcd", math.nan) for run in runs], 1, 2),
    "NSPDK": lambda runs: cell([run["main"].get("nspdk", math.nan) for run in runs], 1, 4),
    "TV atoms": lambda runs: distance(runs, "atom_type"),
    "TV bonds": lambda runs: distance(runs, "bond_type"),
    "TV rings": lambda runs: distance(runs, "ring_count"),
    "ring sizes": lambda runs: distance(runs, "ring_size"),
}
OTHER_WAYS: dict[str, Callable[[Sequence[dict[str, Any]]], str]] = {
    "N(0,I) conn": lambda runs: cell([run["normal"]["connected"] for run in runs]),
    "N(0,I) V.U.": lambda runs: cell([run["normal"]["vu"] for run in runs]),
    "corr. conn": lambda runs: cell([run["corrected"]["connected"] for run in runs]),
    "corr. V.U.": lambda runs: cell([run["corrected"]["vu"] for run in runs]),
    "relaxed V.U.": lambda runs: cell([run["main"].get("relaxed_vu", math.nan) for run in runs]),
    "valence V.U.": lambda runs: cell([run["main"].get("valence_vu", math.nan) for run in runs]),
}


def distance(runs: Sequence[dict[str, Any]], name: str) -> str:
    return cell([run["main"]["properties"][name] for run in runs], 1, 3)


Rows = Mapping[str, Sequence[dict[str, Any]]]


def print_table(rows: Rows, data: Sequence[dict[str, Any]] = ()) -> None:
    """All figures of runs that differ in the seed only, a line each, and those of data."""
    width = max(len(name) for name in rows) + 2
    known = {"(training molecules)": data} if data else {}
    for columns, shown in ((COLUMNS, {**rows, **known}), (OTHER_WAYS, rows)):
        print("\n" + " " * width + "".join(f"{name:>13s}" for name in columns))
        for name, runs in shown.items():
            print(f"{name:{width}s}" + "".join(f"{make(runs):>13s}" for make in columns.values()))
    print("\nvalid and connected, by size\n" + " " * width + "".join(f"{n:13d}" for n in SIZES))
    for name, runs in rows.items():
        figures = (cell([run["sizes"].get(str(n), math.nan) for run in runs]) for n in SIZES)
        print(f"{name:{width}s}" + "".join(f"{figure:>13s}" for figure in figures))


def machine() -> str:
    """Where the figures come from."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}, pyg_topn {pyg_topn.__version__}"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the benchmarks on QM9 have in common."""
    parser.add_argument("--epochs", type=int, help="budget of a run in epochs of 381 steps")
    parser.add_argument("--minutes", type=float, help="budget of a run in minutes instead")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count minutes of the training thread, which other work on the machine leaves as is",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--number", type=int, default=10_000, help="molecules sampled a run")
    parser.add_argument("--no-fcd", action="store_true", help="leave out FCD, the slowest figure")
    parser.add_argument("--root", default="data/qm9", help="folder of the data set's cache")
    parser.add_argument(
        "--known",
        type=Path,
        help="folder of figures, such as benchmarks/results/qm9/five_epochs: what is there is not "
        "trained again",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder; what is there is reused")


def budget(options: argparse.Namespace) -> dict[str, Any]:
    """The budget of a run as arguments of train_qm9."""
    if options.epochs is None and options.minutes is None:
        return {"epochs": 5}
    if options.minutes is None:
        return {"epochs": options.epochs}
    return {"minutes": options.minutes, "processor_time": options.processor_time}
