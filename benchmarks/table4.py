"""Table 4 of the Top-n paper: four creation methods on synthetic molecule-like sets; and table 6.

Usage: python benchmarks/table4.py --minutes 10 --seeds 0 1 2 3 4 --out runs/table4
       python benchmarks/table4.py --study reference_points --minutes 10 --out runs/table6

Every run has the same budget, that of the command line. Reconstructions are those of the posterior
mean. W1 is the mean distance in the optimal assignment, which the figures of the paper are in the
code that made them; W2 is the root of the mean squared one. In the same code the sum over the 500
test sets is divided by 2,000, the number of training sets. Extrapolation draws sizes from the data,
adds 10 and clips them to what the method can make. Finished runs are kept in the output folder:
started again, the benchmark goes on with those that are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from _intervals import cell
from set_runs import EXTRA_POINTS, Run, measure

from pyg_topn.resolver import CREATIONS

REFERENCE_POINTS = (11, 13, 15, 20, 30, 50)
# Sets of at most 11 points, 9 on average.
SMALL_SETS = {"max_points": 11, "early_points": 8}
QUOTED = """
quoted (paper)   train   test |  valency  incorrect %  diversity |  valency  incorrect %  diversity
MLP            .47±.07 .42±.03 |  .73±.06     22.4±2.2     4.6±.1 | 1.06±.14     26.6±1.9     4.3±.2
i.i.d.        1.20±.01 .81±.12 | 1.40±.07    36.8±20.9     5.0±.3 |  .24±.06      7.8±0.5     4.9±.2
First-n        .43±.08 .50±.07 |  .84±.06     24.6±2.1     5.1±.3 |  .81±.19     22.5±3.0     4.6±.3
Top-n          .58±.05 .44±.03 |  .37±.12     13.9±3.7     4.8±.2 |  .80±.10     17.0±1.8     4.5±.2
"""
QUOTED_STUDY = """
quoted (paper)             11        13        15        20        30        50
train                 .75±.04   .78±.03   .79±.04   .87±.05   .93±.04  1.03±.06
valency               .28±.07   .22±.07   .21±.09   .24±.12   .16±.02   .28±.08
"""


def figures(runs: Sequence[dict[str, Any]], part: str) -> str:
    """Valency, incorrect and diversity of generated sets."""
    scales = {"valency_distance": 1, "incorrect": 100, "diversity_w1": 1, "diversity": 1}
    return "".join(
        f"{cell([run[part][name] for run in runs], scale):>14s}" for name, scale in scales.items()
    )


def print_table(rows: dict[str, list[dict[str, Any]]]) -> None:
    """All figures of runs that differ in the seed only, a line each."""
    names = ("train_w1", "test_w1", "train_w2", "test_w2")
    print("\nreconstruction" + "".join(f"{name.replace('_w', ' W'):>14s}" for name in names))
    for name, runs in rows.items():
        print(f"{name:14s}" + "".join(f"{cell([r[n] for r in runs]):>14s}" for n in names))
    heads = ("valency", "incorrect %", "diversity W1", "diversity W2")
    for part in ("generation", "extrapolation"):
        print(f"\n{part:14s}" + "".join(f"{head:>14s}" for head in heads) + "   points a set")
        for name, runs in rows.items():
            points = cell([r[part]["num_points"] / r[part]["num_sets"] for r in runs], digits=1)
            print(f"{name:14s}{figures(runs, part)}{points:>15s}")
    print()
    for name, runs in rows.items():
        share = cell([run["clipped"] for run in runs], 100, 1)
        trained = {"first_n", "mlp"} & {name}
        note = "cannot make more points than the largest training set" if trained else ""
        print(f"{name:14s} sizes clipped in extrapolation: {share} % {note}".rstrip())


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=("creation", "reference_points"), default="creation")
    parser.add_argument("--creations", nargs="+", choices=CREATIONS, default=list(CREATIONS))
    parser.add_argument("--points", type=int, nargs="+", default=list(REFERENCE_POINTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, help="budget of a run in epochs")
    parser.add_argument("--minutes", type=float, help="budget of a run in minutes of training")
    parser.add_argument("--lr", type=float, default=Run.lr)
    parser.add_argument("--schedule", choices=("plateau", "cosine"), default=Run.schedule)
    parser.add_argument("--p", type=int, choices=(1, 2), default=Run.p, help="W2 squared, or W1")
    parser.add_argument("--regularizer", type=float, default=1.0, help="weight of reg2 and reg3")
    parser.add_argument("--film", action="store_true", help="the decoder's layers see z")
    parser.add_argument("--number", type=int, default=Run.number, help="sets generated a run")
    parser.add_argument("--num-sets", type=int, default=Run.num_sets, help="sets to train on")
    parser.add_argument("--root", default="data/synthetic", help="folder of the data's cache")
    parser.add_argument("--out", type=Path, required=True, help="folder; what is there is reused")
    options = parser.parse_args()
    if not ((options.epochs or 0) > 0 or (options.minutes or 0) > 0):
        parser.error("expected a budget above 0: --epochs or --minutes")
    shared = {
        key: getattr(options, key)
        for key in ("epochs", "minutes", "lr", "schedule", "p", "number", "num_sets")
    }
    shared["weights"] = dict.fromkeys(("min_distance", "neighbor"), options.regularizer)
    film = {"film": options.film}
    if options.study == "creation":
        kinds = {name: {"creation": name, "model": film} for name in options.creations}
    else:
        kinds = {
            str(n): {"data": SMALL_SETS, "model": {"num_reference_points": n, **film}}
            for n in options.points
        }
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in options.seeds:
        for name, kind in kinds.items():
            done = 1 + sum(map(len, rows.values()))
            total = len(options.seeds) * len(kinds)
            print(f"run {done} of {total}: {name}, seed {seed}", flush=True)
            found = measure(Run(seed=seed, **shared, **kind), options.root, options.out)
            rows.setdefault(name, []).append(found)
    print(f"\n{shared}, film {options.film}, seeds {options.seeds}, + {EXTRA_POINTS} points")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print_table(rows)
    print(QUOTED if options.study == "creation" else QUOTED_STUDY)


if __name__ == "__main__":
    main()
