"""What the steps of the rectified flow are worth: quality and rate of one model with fewer or more.

Usage: OMP_NUM_THREADS=1 python benchmarks/flow_steps.py [qm9-top-n] [--steps 16 8 4 2]

Draws the same noise and the same sizes for every number of steps, decodes them in one pass and
prints the figures of benchmarks/table5.py, distances to the test split, means and 95 % intervals
over seeds of the samples (the model is one), and molecules a second without RDKit, as a median over
seeds, in which all numbers of steps take turns.
"""

from __future__ import annotations

import argparse
import time

import torch
from _clock import median
from _intervals import cell
from _machine import print_machine

import pyg_topn
from pyg_topn.datasets import qm9_smiles
from pyg_topn.metrics import FrechetChemNetDistance, MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import RectifiedFlowPrior

PERCENT = ("valid", "connected", "vu", "connected_vu")
BATCH = 2048


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="qm9-top-n", help="a folder or a name")
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 8, 6, 4, 3, 2, 1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--number", type=int, default=10_000, help="of molecules, a seed")
    options = parser.parse_args()
    model = pyg_topn.load(options.model)
    if not isinstance(model, GraphVAE) or not isinstance(model.prior, RectifiedFlowPrior):
        parser.error(f"Expected a graph VAE with a rectified flow (got {options.model})")
    print_machine("rdkit", "fcd")
    train, fcd = qm9_smiles("train"), FrechetChemNetDistance(qm9_smiles("test"))
    found: dict[int, list[dict[str, float]]] = {steps: [] for steps in options.steps}
    for seed in options.seeds:
        for steps in options.steps:
            print(f"seed {seed}: {steps} steps", flush=True)
            model.prior.num_steps = steps
            metrics = MoleculeMetrics(train, nspdk=False, fcd=fcd, properties=False)
            seconds = draw(model, metrics, options.number, seed)
            scalars = metrics.compute().scalars()
            found[steps].append({**scalars, "rate": options.number / seconds})
    print(f"\n{options.model}, {options.number:,} molecules a seed, seeds {options.seeds}")
    print(f"{'steps':>5s}" + "".join(f"{name:>14s}" for name in (*PERCENT, "FCD", "molecules/s")))
    for steps, runs in found.items():
        cells = [cell([run[name] for run in runs], 100, 1) for name in PERCENT]
        cells += [cell([run["fcd"] for run in runs]), f"{median([r['rate'] for r in runs]):,.0f}"]
        print(f"{steps:5d}" + "".join(f"{text:>14s}" for text in cells))


def draw(model: GraphVAE, metrics: MoleculeMetrics, number: int, seed: int) -> float:
    """Give molecules to the metrics; return the seconds that it took to generate them as graphs."""
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
