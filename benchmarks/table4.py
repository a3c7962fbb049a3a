"""Table 4 of the Top-n paper: four creation methods on synthetic molecule-like sets; and table 6.

Usage: python benchmarks/table4.py --minutes 10 --processor-time --seeds 0 1 2 --out runs/table4
       python benchmarks/table4.py --study reference_points --minutes 10 --processor-time
           --seeds 0 1 2 --out runs/table6

Every run has the same budget, that of the command line. Reconstructions are those of the posterior
mean. W1 is the mean distance in the optimal assignment, which the figures of the paper are in the
code that made them; W2 is the root of the mean squared one. In the same code the sum over the 500
test sets is divided by 2,000, the number of training sets. Extrapolation draws sizes from the data,
adds 10 and clips them to what the method can make, which is printed: the reference set is as large
as the largest set, so that Top-n makes no larger sets than First-n and MLP do. What is printed of
the way is measured on sets that are neither those for training nor those for testing. Runs are kept
in the output folder: started again, the benchmark goes on, in the middle of a run if it was there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from _curves import print_curves
from _intervals import cell
from set_runs import EXTRA_POINTS, Run, check, measure

from pyg_topn.resolver import CREATIONS
from pyg_topn.set_recipe import SCHEDULES, SET_PRIORS, SetRecipe

REFERENCE_POINTS = (11, 13, 15, 20, 30, 50)
# Sets of at most 11 points, 9 on average.
SMALL_SETS = {"max_points": 11, "early_points": 8}
CURVE = {
    "W1": ("val/w1", 1.0),
    "W2": ("val/w2", 1.0),
    "valency": ("generation/valency", 1.0),
    "incorrect %": ("generation/incorrect", 100.0),
    "extrap. valency": ("extrapolation/valency", 1.0),
    "incorrect %, ex.": ("extrapolation/incorrect", 100.0),
}
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
        most = {run["largest"] for run in runs} - {None}
        limit = f"at most {max(most)} points a set" if most else "any number of points a set"
        left = ", ".join(str(sum(run[f"{s}_left_out"] for run in runs)) for s in ("train", "test"))
        print(
            f"{name:14s} {limit}: sizes clipped in extrapolation {share} %, larger sets left out "
            f"of reconstructions (train, test) {left}"
        )


def arguments() -> argparse.ArgumentParser:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=("creation", "reference_points"), default="creation")
    parser.add_argument("--creations", nargs="+", choices=CREATIONS, default=list(CREATIONS))
    parser.add_argument("--points", type=int, nargs="+", default=list(REFERENCE_POINTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--epochs", type=int, help="budget of a run in epochs")
    budget.add_argument("--minutes", type=float, help="budget of a run in minutes of training")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count minutes of the training thread, which other work on the machine leaves as is",
    )
    parser.add_argument("--lr", type=float, default=SetRecipe.learning_rate)
    parser.add_argument("--schedule", choices=SCHEDULES, default=SetRecipe.schedule)
    parser.add_argument("--batch-size", type=int, default=SetRecipe.batch_size)
    parser.add_argument("--p", type=int, choices=(1, 2), default=SetRecipe.p, help="W2², or W1")
    weights = {"kl": "the divergence", "min-distance": "reg2", "neighbor": "reg3"}
    for name, meaning in weights.items():
        parser.add_argument(f"--{name}", type=float, help=f"weight of {meaning}, if not as usual")
    parser.add_argument(
        "--prior", choices=SET_PRIORS, default=SetRecipe.prior, help="of latent vectors"
    )
    parser.add_argument("--film", action="store_true", help="the decoder's layers see z")
    parser.add_argument(
        "--early-points",
        type=int,
        help="from which size on the patience of a set counts; 5 gives the authors' smaller sets",
    )
    parser.add_argument("--number", type=int, default=Run.number, help="sets generated a run")
    parser.add_argument("--num-sets", type=int, default=SetRecipe.num_sets, help="to train on")
    parser.add_argument("--root", default="data/synthetic", help="folder of the data's cache")
    parser.add_argument("--out", type=Path, required=True, help="folder; what is there is reused")
    return parser


def recipes(options: argparse.Namespace) -> dict[str, SetRecipe]:
    """What is trained, by the name of its line."""
    weights = {name: getattr(options, name) for name in ("kl", "min_distance", "neighbor")}
    early = {} if options.early_points is None else {"early_points": options.early_points}
    film = {"film": True} if options.film else {}
    shared: dict[str, Any] = {
        "learning_rate": options.lr,
        "schedule": options.schedule,
        "batch_size": options.batch_size,
        "p": options.p,
        "prior": options.prior,
        "weights": {name: weight for name, weight in weights.items() if weight is not None},
        "num_sets": options.num_sets,
    }
    if options.study == "creation":
        return {
            name: SetRecipe(name, model=film, data=early, **shared) for name in options.creations
        }
    data = {**SMALL_SETS, **early}
    return {
        str(n): SetRecipe(model={"num_reference_points": n, **film}, data=data, **shared)
        for n in options.points
    }


def main() -> None:
    """Train, measure, print."""
    parser = arguments()
    options = parser.parse_args()
    names = ("epochs", "minutes", "processor_time", "number")
    budget = {name: getattr(options, name) for name in names}
    try:
        kinds = recipes(options)
        runs = {
            name: [Run(recipe, seed=seed, **budget) for seed in options.seeds]
            for name, recipe in kinds.items()
        }
        for same in runs.values():
            check(same[0], options.root)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    rows: dict[str, list[dict[str, Any]]] = {}
    total = len(options.seeds) * len(kinds)
    for at, seed in enumerate(options.seeds):
        for name, same in runs.items():
            done = 1 + sum(map(len, rows.values()))
            print(f"run {done} of {total}: {name}, seed {seed}", flush=True)
            found = measure(same[at], options.root, options.out)
            rows.setdefault(name, []).append(found)
    print(
        f"\n{next(iter(kinds.values()))}\n{budget}, seeds {options.seeds}, + {EXTRA_POINTS} points"
    )
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print_curves(rows, CURVE)
    print_table(rows)
    print(QUOTED if options.study == "creation" else QUOTED_STUDY)


if __name__ == "__main__":
    main()
