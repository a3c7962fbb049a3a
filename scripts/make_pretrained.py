"""Make a model that comes with the package from a training run.

Usage: python scripts/make_pretrained.py runs/qm9-top-n qm9-top-n --command 'pyg-topn train ...'

Stores the weights in half precision (at most 5 MB; of a distilled flow, without the teacher),
samples 10,000 molecules from what was stored, not from the run, and writes the model card with
their figures: overall, corrected, and by size.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

import pyg_topn
from pyg_topn.generate import evaluate_molecules, generate_molecules
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import OneStepPrior
from pyg_topn.pretrained import CONFIG, SHIPPED, WEIGHTS, load, save

LIMIT = 5 * 2**20
CARD = """# {name}

A graph VAE with Top-n creation that makes molecules like those of QM9: up to 9 heavy atoms among
C, N, O and F, single, double and triple bonds, hydrogens implied, no charges, no stereochemistry.

```python
import pyg_topn

model = pyg_topn.load("{name}")
molecules = model.vocabulary.to_molecules(model.sample(1000))
```

| | |
|---|---|
| data | QM9, the training split of DiGress: {molecules} molecules; sizes as there |
| command | {command} |
| recipe, creation, seed | {recipe}, {creation}, {seed} |
| prior | {prior} |
| trained | {step} steps, {epoch} epochs |
| parameters | {parameters:,} ({megabytes:.1f} MB, stored in half precision) |

## Figures

`python scripts/make_pretrained.py`: 10,000 molecules in one pass of the decoder each, the most
likely graph, seed {sample_seed}, none rejected, none corrected; intervals are those of the sample,
not of the training. Novelty is against the training split, distances are to the test split.

```
{table}

{sizes}
```

500 molecules of each size instead, valid and connected: {per_size}.

With corrected valencies (`model.sample(n, correct=True)`), a different claim:
valid {corrected_valid:.1f} %, valid and connected {corrected_connected:.1f} %, V.U.
{corrected_vu:.1f} %.

## Limits

- Molecules of 9 heavy atoms at most, and no element but C, N, O and F: what QM9 holds.
- QM9 is an enumeration of small molecules: what is like it need not be stable or easy to make.
- Small sizes have few examples ({few}): samples of them repeat.
- Graphs of invalid molecules come out as such; check them, or correct their valencies.
"""


def main() -> None:
    """Store, measure, describe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="output folder of a training run")
    parser.add_argument("name", help="name of the model")
    parser.add_argument("--command", required=True, help="the command that trained it")
    parser.add_argument("--seed", type=int, default=0, help="of the molecules that are measured")
    options = parser.parse_args()
    trained = load(options.run / "model")
    config = json.loads((options.run / "model" / CONFIG).read_text(encoding="utf-8"))
    if isinstance(trained.prior, OneStepPrior):
        trained.prior.forget_teacher()
        config["arguments"]["prior_teacher"] = False
    card = {**config["card"], "command": options.command}
    out = SHIPPED / options.name
    save(trained, out, config["arguments"], trained.vocabulary, card, dtype=torch.float16)
    size = (out / WEIGHTS).stat().st_size
    if size > LIMIT:
        raise ValueError(f"Expected weights of at most {LIMIT:,} bytes (got {size:,})")
    model = pyg_topn.load(out)
    (out / "README.md").write_text(describe(model, card, size, options), encoding="utf-8")
    print(f"{out}: {size:,} bytes; the card is README.md there")


def describe(
    model: GraphVAE, card: dict[str, object], size: int, options: argparse.Namespace
) -> str:
    """The model card."""
    seed, parts = options.seed, generate_molecules(model, 10_000, options.seed)
    report = evaluate_molecules([m for part in parts for m in part], label=options.name)
    parts = generate_molecules(model, 10_000, seed, correct=True)
    corrected = MoleculeMetrics(nspdk=False)
    corrected.update([m for part in parts for m in part])
    fixed = corrected.compute()
    counts = model.sizes.histogram.long().tolist()
    return CARD.format(
        name=options.name,
        molecules=f"{sum(counts):,}",
        few=", ".join(f"{count:,} of {n}" for n, count in enumerate(counts[:7]) if count)
        + " atoms to train on",
        **{key: card[key] for key in ("command", "recipe", "creation", "seed", "prior", "step")},
        epoch=card["epoch"],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        megabytes=size / 2**20,
        sample_seed=seed,
        table=report.table(),
        sizes=report.per_size_table(),
        per_size=", ".join(
            f"{n}: {100 * share:.0f} %" for n, share in by_size(model, seed).items()
        ),
        corrected_valid=100 * fixed.paper.valid,
        corrected_connected=100 * fixed.connected.valid,
        corrected_vu=100 * fixed.paper.vu,
    )


def by_size(model: GraphVAE, seed: int) -> dict[int, float]:
    """Share of valid and connected ones among 500 molecules of every size."""
    shares = {}
    assert model.vocabulary is not None
    for size in range(1, model.sizes.max_num_nodes + 1):
        generator = torch.Generator().manual_seed(seed)
        metrics = MoleculeMetrics(nspdk=False)
        batch = model.sample(500, torch.full((500,), size), generator)
        metrics.update(model.vocabulary.to_molecules(batch))
        shares[size] = metrics.compute().connected.valid
    return shares


if __name__ == "__main__":
    main()
