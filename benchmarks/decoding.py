"""From logits to graphs: the most likely graph, draws at temperatures, and corrections.

Usage: OMP_NUM_THREADS=1 python benchmarks/decoding.py [qm9-top-n] --seeds 0 1 2

Draws latent vectors from the prior of a model, decodes them in one pass, and turns the same logits
into molecules in every way there is; prints the columns of benchmarks/table5.py, distances to the
test split, with 95 % intervals over seeds of the samples (the model is what it is). Corrected
graphs are another claim than the others, and stand apart.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import torch
from _intervals import cell
from _machine import print_machine
from torch_geometric.data import Batch

import pyg_topn
from pyg_topn.datasets import qm9_smiles
from pyg_topn.metrics import FrechetChemNetDistance, MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.nn.decoder import GraphDistribution, valency_capped_mode

PERCENT = ("valid", "connected", "unique", "vu", "connected_vu", "novel")
BATCH = 2048
Way = Callable[[GraphDistribution], Batch]


def ways(model: GraphVAE, temperatures: list[float], generator: torch.Generator) -> dict[str, Way]:
    """What turns logits into graphs, by name."""
    vocabulary = model.vocabulary
    if vocabulary is None:
        raise ValueError("Expected a model of molecules (got one without a vocabulary)")
    rules = vocabulary.valences, vocabulary.bond_orders
    drawn = {
        f"drawn at temperature {t:g}": lambda d, t=t: d.sample(generator, t) for t in temperatures
    }
    return {
        "most likely": GraphDistribution.mode,
        **drawn,
        "(corrected: valencies)": lambda d: valency_capped_mode(d, *rules),
        "(corrected: valencies, pieces joined)": lambda d: valency_capped_mode(
            d, *rules, connect=True
        ),
    }


@torch.inference_mode()
def measure(
    model: GraphVAE, options: argparse.Namespace, fcd: FrechetChemNetDistance | bool, seed: int
) -> dict[str, dict[str, float]]:
    """The figures of every way, of the same latent vectors."""
    generator = torch.Generator().manual_seed(seed)
    chosen = ways(model, options.temperatures, generator)
    train = qm9_smiles("train")
    found = {
        name: MoleculeMetrics(train, nspdk=False, fcd=fcd, properties=False) for name in chosen
    }
    assert model.vocabulary is not None
    for first in range(0, options.number, BATCH):
        count = min(BATCH, options.number - first)
        distribution = model.decode(*model.sample_latents(count, generator=generator))
        for name, way in chosen.items():
            found[name].update(model.vocabulary.to_molecules(way(distribution)))
    return {name: metrics.compute().scalars() for name, metrics in found.items()}


def main() -> None:
    """Decode, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="qm9-top-n", help="folder or name")
    parser.add_argument("--temperatures", type=float, nargs="*", default=[0.25, 0.5, 1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--number", type=int, default=10_000, help="of molecules, a row and seed")
    parser.add_argument("--no-fcd", action="store_true", help="leave out FCD, the slowest figure")
    options = parser.parse_args()
    try:
        model = pyg_topn.load(options.model)
        if not isinstance(model, GraphVAE):
            raise ValueError(f"Expected a graph VAE (got a {type(model).__name__})")
        ways(model, options.temperatures, torch.Generator())
    except ValueError as error:
        parser.error(str(error))
    print_machine("rdkit", "fcd")
    fcd = False if options.no_fcd else FrechetChemNetDistance(qm9_smiles("test"))
    runs = []
    for seed in options.seeds:
        print(f"seed {seed}", flush=True)
        runs.append(measure(model, options, fcd, seed))
    print(f"\n{options.model} ({model.prior.label}), {options.number:,} molecules a row and seed")
    print(f"{'percent but FCD':40s}" + "".join(f"{name:>14s}" for name in (*PERCENT, "FCD")))
    for name in runs[0]:
        cells = [cell([run[name][key] for run in runs], 100, 1) for key in PERCENT]
        cells.append(cell([run[name].get("fcd", math.nan) for run in runs], 1, 2))
        print(f"{name:40s}" + "".join(f"{text:>14s}" for text in cells))


if __name__ == "__main__":
    main()
