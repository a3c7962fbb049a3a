"""Table 1 of the Top-n paper: creation methods in TSPN and DSPN, on SetMNIST.

Usage: python benchmarks/table1.py --minutes 30 --processor-time --bucket --batch-size 8
           --hidden-channels 64 --step-size 1500 --seeds 0 1 2 --root data/mnist --out runs/table1

Trains both models with every creation method and seed at one budget, on 59,700 digits of the
training set; the other 300 are for what is printed of the way, which tells whether longer runs
would pay. Then it prints the Chamfer loss on the 10,000 digits of the test set at their true sizes:
means and 95 % intervals over seeds, in units of 1e-5. It is the loss that is trained: smooth L1,
which is half the square below 1, summed over channels, averaged over the points of either set.
Decoded sets of DSPN are those after the last step. Creation layers make as many points as the
largest set of the training set has, which no test set exceeds. Other than in the paper, encoders
see points centred and scaled, a step of DSPN moves no point far, and its last steps count most.
Runs are kept in the output folder: started again, the benchmark goes on, in the middle of a run if
it was there.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _intervals
import torch
from _curves import print_curves
from _machine import load, machine
from set_mnist_runs import (
    BUILDERS,
    CREATIONS,
    STEP_WEIGHTS,
    Plan,
    largest_set,
    measure,
)
from set_mnist_runs import arguments as model_arguments

from pyg_topn.datasets import SetMNIST
from pyg_topn.set_recipe import SCHEDULES

CURVE = {"train, e-5": ("train/chamfer", 1e5), "held out, e-5": ("val/chamfer", 1e5)}

# 6 runs of 100 epochs (TSPN) and of 200 (DSPN). Their code pads the sets of DSPN to 342 points and
# counts a mask channel, so that those figures are not of the same quantity as ours.
QUOTED = {
    ("tspn", "iid"): "16.42±0.53",
    ("tspn", "first_n"): "15.45±1.41",
    ("tspn", "top_n"): "14.98±0.59",
    ("tspn", "top_n_same"): "16.07±0.47",
    ("dspn", "iid"): "28.56±1.23",
    ("dspn", "first_n"): "26.61±0.54",
    ("dspn", "top_n"): "22.59±1.71",
    ("dspn", "top_n_same"): "6.14±0.56",
}


def main() -> None:
    """Train, measure, print."""
    parser = arguments()
    options = parser.parse_args()
    try:
        plan = checked_plan(options)
    except (ValueError, OSError, RuntimeError, AssertionError) as error:
        parser.error(str(error))
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    total = len(options.seeds) * len(options.models) * len(options.creations)
    for seed in options.seeds:
        for model in options.models:
            for creation in options.creations:
                done = 1 + sum(len(runs) for runs in rows.values())
                print(f"run {done} of {total}: {model}, {creation}, seed {seed}", flush=True)
                found = measure(
                    options.out,
                    options.root,
                    model=model,
                    creation=creation,
                    seed=seed,
                    plan=plan,
                )
                rows.setdefault((model, creation), []).append(found)
    facts = machine([torch.device(options.device)])
    print(f"\n{plan}, seeds {options.seeds}, {torch.get_num_threads()} threads")
    print(", ".join(f"{name}: {value}" for name, value in facts.items()) + f", load {load()}")
    print_curves({", ".join(kind): runs for kind, runs in rows.items()}, CURVE)
    print_table(rows)


def arguments() -> argparse.ArgumentParser:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, help="budget of a run, training alone")
    parser.add_argument("--epochs", type=float, help="budget of a run in epochs instead")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count minutes of the training thread, which other work on the machine leaves as is",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=BUILDERS, default=list(BUILDERS))
    names = ["iid", "first_n", "top_n"]
    parser.add_argument("--creations", nargs="+", choices=CREATIONS, default=names)
    parser.add_argument("--lr", type=float, help="by default 1e-3 for TSPN and 3e-3 for DSPN")
    parser.add_argument("--schedule", choices=SCHEDULES, default=Plan.schedule)
    parser.add_argument("--batch-size", type=int, default=Plan.batch_size)
    parser.add_argument("--bucket", action="store_true", help="batches of sets of similar sizes")
    parser.add_argument("--hidden-channels", type=int, default=Plan.hidden_channels)
    parser.add_argument(
        "--spread",
        type=float_or_none,
        default=Plan.spread,
        help="encoders see (points - 0.5) / spread; 'none' for points as they are, as in the paper",
    )
    parser.add_argument("--step-size", type=float, default=Plan.step_size, help="of DSPN's steps")
    parser.add_argument(
        "--max-move",
        type=float_or_none,
        default=Plan.max_move,
        help="how far a step of DSPN moves a point at most; 'none' for no bound, as in the paper",
    )
    parser.add_argument(
        "--step-weights",
        choices=STEP_WEIGHTS,
        default=Plan.step_weights,
        help="of DSPN's steps in the loss that is trained: growing, or, as in the paper, the same",
    )
    parser.add_argument("--device", default=Plan.device)
    parser.add_argument("--root", default="data/mnist", help="folder of SetMNIST, files in raw/")
    parser.add_argument("--out", type=Path, required=True, help="folder; what is there is reused")
    return parser


def float_or_none(text: str) -> float | None:
    """A number of the command line, or none."""
    return None if text == "none" else float(text)


def checked_plan(options: argparse.Namespace) -> Plan:
    """What a run may take; every model is built once, so that none is refused when others have
    been trained for hours."""
    plan = plan_of(options)
    torch.empty(0, device=plan.device)
    for model in options.models:
        largest = largest_set(SetMNIST(options.root, "train", model, log=False))
        for creation in options.creations:
            with torch.device("meta"):
                BUILDERS[model](**model_arguments(model, creation, largest, plan))
    return plan


def plan_of(options: argparse.Namespace) -> Plan:
    """What a run may take: 30 minutes unless something else is asked for."""
    chosen = {name: getattr(options, name) for name in Plan.__dataclass_fields__}
    if options.minutes is None and options.epochs is None:
        chosen["minutes"] = 30.0
    return Plan(**chosen)


def print_table(rows: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    """Runs that differ in the seed only, a line each."""
    columns = ("Chamfer e-5", "initial sets", "epochs", "size off by", "quoted, table 1")
    print(f"{'':20s}" + "".join(f"{name:>17s}" for name in columns))
    for (model, creation), runs in rows.items():
        cells = [
            cell([run["chamfer"] for run in runs]),
            cell([run.get("initial", math.nan) for run in runs]),
            f"{min(run['epochs'] for run in runs):.2f}",
            cell([run["size_error"] for run in runs], scale=1),
            QUOTED.get((model, creation), "-"),
        ]
        print(f"{model + ', ' + creation:20s}" + "".join(f"{text:>17s}" for text in cells))
    print(
        "\nQuoted: mean and 95 % interval of 6 runs of 100 epochs (TSPN) and 200 (DSPN); section "
        "5.2 says that they are not of test data.\nDSPN's there count a mask channel and padding. "
        "top_n: n0 = 2 n_max; top_n_same: n0 = n_max."
    )


def cell(values: Sequence[float], scale: float = 1e5) -> str:
    """Mean and interval as text, a dash where nothing was measured."""
    return "-" if any(map(math.isnan, values)) else _intervals.cell(values, scale)


if __name__ == "__main__":
    main()
