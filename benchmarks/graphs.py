"""Graphs that are not molecules: how far generated ones are from held-out ones, over seeds.

Usage: python benchmarks/graphs.py --minutes 4 --processor-time --seeds 0 1 2 --out runs/graph_runs

Trains as examples/community_graphs.py does, every run with the budget of the command line, samples
as many graphs as the split has that they are measured on, and prints the mean and the 95 % interval
over seeds of every figure, beside quoted ones. Settings are to be compared with --split val. Runs
are kept in the output folder: started again, the benchmark goes on, in the middle of a run if it
was there. A run has another folder if what the example says in SETTINGS has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _intervals import cell
from _machine import print_machine
from _remembered import write_result

from pyg_topn.resolver import CREATIONS

EXAMPLE = Path(__file__).parents[1] / "examples" / "community_graphs.py"
STATISTICS = ("degree", "clustering", "orbit", "spectrum")
KERNELS = {"gdss": "earth mover's distance (GDSS)", "gran": "total variation (GRAN, DiGress)"}
# The quoted ratios are those of DiGress's paper, with total variation.
QUOTED = {"planar": {"SPECTRE": (2.5, 2.5, 2.4, 25), "DiGress": (1.4, 1.2, 1.7, 85)}}
Run = dict[str, Any]


def main(words: Sequence[str] | None = None) -> None:
    """Train, measure, print."""
    options = arguments().parse_args(words)
    print_machine("torch-geometric", "networkx")
    for family in options.families:
        runs = [measured(family, seed, options) for seed in options.seeds]
        print("\n".join(["", *table(family, runs, options)]), flush=True)


def arguments() -> argparse.ArgumentParser:
    """The words of the command line."""
    families = runpy.run_path(str(EXAMPLE))["SETTINGS"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = ["community_small", "planar"]
    parser.add_argument("--families", nargs="+", choices=families, default=names)
    parser.add_argument("--creation", choices=CREATIONS, default="top_n")
    parser.add_argument("--minutes", type=float, required=True, help="budget of a run")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count minutes of the training thread, which other work on the machine leaves as is",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--data", default="data/graphs", help="folder of the data's cache")
    parser.add_argument("--out", type=Path, required=True, help="folder; what is there is reused")
    return parser


def measured(family: str, seed: int, options: argparse.Namespace) -> Run:
    """Train and measure, or read what was measured before; a killed run goes on where it was."""
    example = runpy.run_path(str(EXAMPLE))
    budget = {name: getattr(options, name) for name in ("minutes", "processor_time")}
    facts = [budget, example["SETTINGS"][family], example["JOINT"]]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:10]
    folder = options.out / f"{family}-{options.creation}-{digest}-{seed}"
    path = folder / f"{options.split}.json"
    if not path.is_file():
        print(f"{family}, {options.creation}, seed {seed}", flush=True)
        words = ["--family", family, "--seed", seed, "--minutes", options.minutes]
        words += ["--creation", options.creation, "--split", options.split]
        words += ["--data", options.data, "--out", folder]
        words += ["--processor-time"] if options.processor_time else []
        found = example["main"](list(map(str, words)))
        write_result(path, found)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def table(family: str, runs: Sequence[Run], options: argparse.Namespace) -> list[str]:
    """The lines of a family: shares, then a block a kernel."""
    clock = "minutes of processor time" if options.processor_time else "minutes"
    lines = [f"{family}, {options.creation}: {options.minutes:g} {clock} a run"]
    lines[0] += f", seeds {options.seeds}, measured on '{options.split}'"
    names = ("nodes", "edges", "valid %", "unique %", "novel %", "V.U.N. %")
    lines.append(_line("", names))
    values = [cell([run[f"num_{name}"] for run in runs], digits=1) for name in names[:2]]
    values += [_share(runs, "valid", "valid")]
    values += [_share(runs, "every", name) for name in ("unique", "novel")]
    values += [_share(runs, "valid", "vun")]
    lines.append(_line("generated, mean", values))
    nats = [cell([run["nats"][k] for run in runs], digits=1) for k in (0, 1)]
    lines.append(f"reconstruction, nats a graph: {nats[0]} train, {nats[1]} {options.split}")
    for kernel, title in KERNELS.items():
        lines += ["", _line(title, [*STATISTICS, "mean"])]
        for name in ("mmd", "train_mmd"):
            numbers = [cell([run[name][kernel][key] for run in runs], 1, 4) for key in STATISTICS]
            lines.append(_line({"mmd": "squared MMD"}.get(name, "  of training graphs"), numbers))
        ratios = [_ratio(runs, kernel, key) for key in (*STATISTICS, "mean")]
        lines.append(_line("ratio", ratios))
    for name, (*ratios, valid) in QUOTED.get(family, {}).items():
        quoted = [f"{ratio:g}" for ratio in ratios]
        lines.append(_line(f"ratio of {name}, quoted", [*quoted, "-", "-", f"valid {valid} %"]))
    return lines


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:32s}" + "".join(f" {text:>15s}" for text in cells)


def _share(runs: Sequence[Run], scores: str, name: str) -> str:
    found = [(run[scores] or {}).get(name) for run in runs]
    return "-" if None in found else cell(found, 100, 1)


def _ratio(runs: Sequence[Run], kernel: str, key: str) -> str:
    found = [run["ratios"][kernel][key] for run in runs]
    return "-" if None in found or any(map(math.isnan, found)) else cell(found, 1, 1)


if __name__ == "__main__":
    main()
