"""Molecules with a high QED, a walk between two molecules and the neighbours of one.

Usage: python examples/optimize_molecules.py [--rounds 20] [--population 512] [--out runs/optimized]

Takes the model that comes with the package. QED (drug-likeness, Bickerton et al., 2012) is any
function of a molecule to the search, which only decodes and compares; invalid molecules and those
in pieces are out. Prints the progress of the search and what as many plain samples give, and draws
three pictures.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import torch
from rdkit.Chem import GetMolFrags, Mol, MolToSmiles, SanitizeMol
from rdkit.Chem.QED import qed
from torch import Tensor
from torch_geometric.data import Batch

import pyg_topn
from pyg_topn.datasets import SmilesDataset
from pyg_topn.explore import interpolate, neighborhood
from pyg_topn.models import GraphVAE
from pyg_topn.optimize import optimize
from pyg_topn.plot import plot_molecules

ENDS = ("CC(=O)OCC=C", "c1cc(N)ccc1O")


def main() -> None:
    """Search, walk, look around."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="qm9-top-n", help="a folder or a name")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--population", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/optimized"))
    options = parser.parse_args()
    model = pyg_topn.load(options.model)
    if not isinstance(model, GraphVAE) or model.vocabulary is None:
        raise ValueError(f"Expected a model of molecules (got '{options.model}')")
    vocabulary = model.vocabulary

    def score(batch: Batch) -> Tensor:
        return torch.tensor([_qed(molecule) for molecule in vocabulary.to_molecules(batch)])

    generator = torch.Generator().manual_seed(options.seed)
    looked_at = options.population + options.rounds * (options.population // 2)
    words = model, score, options.population, options.population, options.rounds
    found = optimize(*words, generator=generator)
    for k, (best, mean) in enumerate(found.history):
        print(f"round {k + 1:3d}: best QED {best:.3f}, mean of those kept {mean:.3f}")
    drawn = model.sample(looked_at, generator=generator)
    for name, batch in (("the search", found.batch), (f"{looked_at:,} samples", drawn)):
        values = sorted(_distinct(model, batch).values(), reverse=True)
        shown = f"best {values[0]:.3f}, mean of the 16 best {sum(values[:16]) / 16:.3f}"
        print(f"distinct molecules of {name}: {shown}")
    options.out.mkdir(parents=True, exist_ok=True)
    draw(model, found.batch, options.out / "qed.png", "Highest QED found")
    with tempfile.TemporaryDirectory() as root:
        ends = SmilesDataset(root, ENDS, vocabulary, processes=1, log=False)
        graphs = [ends[0], ends[1]]
    walk = interpolate(model, Batch.from_data_list(graphs), num_steps=12)
    draw(model, walk, options.out / "walk.png", f"From {ENDS[0]} to {ENDS[1]}")
    near = neighborhood(model, Batch.from_data_list(graphs[1:]), 12, 0.4, generator)
    draw(model, near, options.out / "neighbours.png", f"Around {ENDS[1]}")
    print(f"The pictures are in {options.out}")


def draw(model: GraphVAE, batch: Batch, path: Path, title: str) -> None:
    """Draw the molecules of a batch."""
    assert model.vocabulary is not None
    plot_molecules(
        model.vocabulary.to_molecules(batch), path, columns=4, max_molecules=16, title=title
    )


def _distinct(model: GraphVAE, batch: Batch) -> dict[str, float]:
    """The QED of every molecule by its SMILES."""
    assert model.vocabulary is not None
    molecules = model.vocabulary.to_molecules(batch)
    values = [_qed(molecule) for molecule in molecules]
    pairs = zip(molecules, values, strict=True)
    return {MolToSmiles(molecule): value for molecule, value in pairs if value > -math.inf}


def _qed(molecule: Mol) -> float:
    """QED, or -inf for what is no molecule, or more than one."""
    try:
        SanitizeMol(molecule)
    except ValueError:
        return -math.inf
    in_pieces = len(GetMolFrags(molecule)) > 1
    return -math.inf if in_pieces else float(qed(molecule))


if __name__ == "__main__":
    main()
