"""What each part of the method is worth on QM9: one part changes at a time, all else is the recipe.

Usage: python benchmarks/qm9_studies.py STUDY --epochs 5 --seeds 0 1 2 --out runs/studies

Studies: reference_points (9 to 30 for Top-n), order (of the selected points), few (methods on
1,000 to 10,000 molecules), priors, flow (how it is fitted, guided and used), penalties (none, each
alone, both), matchers, rounds, precision (of products: with a budget in epochs, whether it costs
quality). Prints the table of benchmarks/table5.py. Runs are kept and shared: started again, the
benchmark goes on where it was, and what a study has trained, others need not.
--only 1,000 takes the variants with that in their name.
"""

from __future__ import annotations

import argparse
from typing import Any

from qm9_runs import Judge, add_arguments, budget, machine, measure, print_table

from pyg_topn.losses.matching import MATCHERS
from pyg_topn.resolver import PRIORS
from pyg_topn.utils.allocator import keep_freed_memory

# What the recipe leaves to the defaults of build_graph_vae.
OWN = {"num_reference_points": 12, "order": "reference", "num_rounds": 2}
VALENCY, CONNECTIVITY = {"valency": 0.5}, {"connectivity": 1.0}
PENALTIES = {
    "none": {},
    "valency": VALENCY,
    "connectivity": CONNECTIVITY,
    "both": {**VALENCY, **CONNECTIVITY},
}


def changed(**model: Any) -> dict[str, Any]:
    """The recipe with other arguments of the model; its own name, and so its runs, if they are the
    same."""
    return {} if model.items() <= OWN.items() else {"changes": {"model": model}}


STUDIES: dict[str, dict[str, dict[str, Any]]] = {
    "reference_points": {
        f"{number} reference points": changed(num_reference_points=number)
        for number in (9, 12, 15, 20, 30)
    },
    "order": {f"listed by {order}": changed(order=order) for order in ("reference", "cosine")},
    "few": {
        f"{creation}, {number:,} molecules": {"creation": creation, "num_train": number}
        for number in (1_000, 3_000, 10_000)
        for creation in ("top_n", "first_n", "mlp")
    },
    "priors": {f"prior {prior}": {"prior": prior} for prior in PRIORS},
    "flow": {
        "the recipe": {},
        "no guidance": {"changes": {"model": {"prior_guidance": 1.0}}},
        "posterior samples": {"changes": {"flow_noise": 1.0}},
        "no flawed samples": {"changes": {"hard_share": 0.0}},
        "divergence x 0.05": {"changes": {"weights": {"kl": 0.05}}},
    },
    "penalties": {
        f"penalties: {name}": {"changes": {"regularizer": weights}}
        for name, weights in PENALTIES.items()
    },
    "matchers": {f"matcher {matcher}": {"matcher": matcher} for matcher in MATCHERS},
    "rounds": {f"{number} rounds": changed(num_rounds=number) for number in (0, 1, 2)},
    "precision": {precision: {"precision": precision} for precision in ("float32", "bfloat16")},
}


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--only", default="", help="those variants whose name contains this")
    add_arguments(parser)
    options = parser.parse_args()
    study = {name: how for name, how in STUDIES[options.study].items() if options.only in name}
    if not study:
        parser.error(f"no variant of {list(STUDIES[options.study])} contains {options.only!r}")
    keep_freed_memory()
    judge = Judge(options.number, fcd=not options.no_fcd)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in study}
    for seed in options.seeds:
        for name, arguments in study.items():
            print(f"seed {seed}: {name}", flush=True)
            common = {"seed": seed, "root": options.root, **budget(options)}
            rows[name].append(measure(judge, options.out, options.known, **arguments, **common))
    print(
        f"\n{budget(options)} a run, seeds {options.seeds}, {options.number} molecules; {machine()}"
    )
    print_table(rows)


if __name__ == "__main__":
    main()
