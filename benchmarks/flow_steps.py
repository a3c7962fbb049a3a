"""What the steps of a flow are worth: quality and rate with more of them, fewer, or one network.

Usage: OMP_NUM_THREADS=1 python benchmarks/flow_steps.py [qm9-top-n runs/one_step/model ...]

Draws molecules from models with a rectified flow as prior, in every number of steps, and from those
whose flow was distilled into one evaluation, decodes them in one pass and prints the figures of
benchmarks/table5.py, distances to the test split: means and 95 % intervals over seeds of the
samples (the models are what they are). Molecules a second are those of sampling without RDKit, the
median over seeds; all rows take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch
from _clock import median
from _intervals import cell
from _machine import print_machine

import pyg_topn
from pyg_topn.datasets import qm9_smiles
from pyg_topn.metrics import FrechetChemNetDistance, MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import OneStepPrior, RectifiedFlowPrior

PERCENT = ("valid", "connected", "vu", "connected_vu", "novel")
BATCH = 2048


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["qm9-top-n"], help="folders or names")
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 8, 4, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--number", type=int, default=10_000, help="of molecules, a row and seed")
    options = parser.parse_args()
    try:
        rows = rows_of(options.models, options.steps)
    except ValueError as error:
        parser.error(str(error))
    print_machine("rdkit", "fcd")
    train, fcd = qm9_smiles("train"), FrechetChemNetDistance(qm9_smiles("test"))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    for seed in options.seeds:
        for name, (model, steps) in rows.items():
            print(f"seed {seed}: {name}", flush=True)
            model.prior.num_steps = steps
            metrics = MoleculeMetrics(train, nspdk=False, fcd=fcd, properties=False)
            seconds = draw(model, metrics, options.number, seed)
            scalars = metrics.compute().scalars()
            found[name].append({**scalars, "rate": options.number / seconds})
    print(f"\n{options.number:,} molecules a row and seed, seeds {options.seeds}; percent but FCD")
    width = max(map(len, rows))
    print(" " * width + "".join(f"{name:>14s}" for name in (*PERCENT, "FCD", "molecules/s")))
    for name, runs in found.items():
        cells = [cell([run[key] for run in runs], 100, 1) for key in PERCENT]
        cells += [cell([run["fcd"] for run in runs]), f"{median([r['rate'] for r in runs]):,.0f}"]
        print(f"{name:{width}s}" + "".join(f"{text:>14s}" for text in cells))


def rows_of(models: Sequence[str], steps: Sequence[int]) -> dict[str, tuple[GraphVAE, int]]:
    """What is measured, by name: a model and the number of steps of its flow."""
    rows = {}
    for name in models:
        model = pyg_topn.load(name)
        prior = model.prior if isinstance(model, GraphVAE) else None
        if not isinstance(model, GraphVAE) or not isinstance(prior, RectifiedFlowPrior):
            raise ValueError(f"Expected graph VAEs with a rectified flow (got {name})")
        if isinstance(prior, OneStepPrior):
            rows[f"{name}, one evaluation"] = (model, prior.num_steps)
            continue
        for number in steps:
            rows[f"{name}, {number} steps"] = (model, number)
    return rows


def draw(model: GraphVAE, metrics: MoleculeMetrics, number: int, seed: int) -> float:
    """Give molecules to the metrics; return the seconds that it took to generate their graphs."""
    assert model.vocabulary is not None
    generator, seconds = torch.Generator().manual_seed(seed), 0.0
    for begin in range(0, number, BATCH):
        start = time.perf_counter()
        batch = model.sample(min(BATCH, number - begin), generator=generator)
        seconds += time.perf_counter() - start
        metrics.update(model.vocabulary.to_molecules(batch))
    return seconds


if __name__ == "__main__":
    main()
