"""Train a GAN for molecules of QM9 in a plain loop, with any creation layer, and sample from it.

    python examples/qm9_gan.py --creation top_n --minutes 10 --out runs/qm9_gan

Writes checkpoints, one at the end; started again with the same arguments, it goes on from there.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pyg_topn import PriorRegularizer
from pyg_topn.datasets import HeavyAtomQM9, qm9_smiles
from pyg_topn.generate import generate_molecules, write_molecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import GraphGANLoss
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.models import build_graph_gan
from pyg_topn.resolver import CREATIONS


def save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint that is there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--creation", choices=CREATIONS, default="top_n")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("runs/qm9_gan"))
    parser.add_argument("--data", type=Path, default=Path("data/qm9"))
    parser.add_argument("--num-samples", type=int, default=10_000)
    args = parser.parse_args()
    if not args.minutes > 0:
        parser.error(f"expected --minutes above 0 (got {args.minutes})")
    args.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(args.seed)
    dataset = HeavyAtomQM9(args.data, split="train")
    vocabulary, histogram = dataset.vocabulary, dataset.size_histogram().tolist()
    loader = ResidentLoader(dataset, args.batch_size, shuffle=True, drop_last=True, seed=args.seed)
    gan = build_graph_gan(len(vocabulary.atoms), vocabulary.bond_orders, histogram, args.creation)
    gan.vocabulary = vocabulary
    average = copy.deepcopy(gan).requires_grad_(False)
    loss_fn = GraphGANLoss(
        regularizer=PriorRegularizer(vocabulary.valences, vocabulary.bond_orders),
        weights={"penalty": 5.0, "valency": 1.0, "connectivity": 0.1},
    )
    optimizers = [
        torch.optim.Adam(module.parameters(), betas=(0.5, 0.9))
        for module in (gan.critic, gan.generator)
    ]

    checkpoint = args.out / "checkpoint.pt"
    step, spent = 0, 0.0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        gan.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for optimizer, stored in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        loader.load_state_dict(state["loader"])
        step, spent = state["step"], state["spent"]

    begin, saved, progress = time.monotonic(), time.monotonic(), spent / (60 * args.minutes)
    bar = tqdm(total=round(60 * args.minutes), initial=round(spent), unit="s", desc="training")
    while progress < 1:
        for batch in loader:
            elapsed = spent + time.monotonic() - begin
            progress = min(1.0, elapsed / (60 * args.minutes))
            # Full until a third of the run, then along a cosine to 2 percent.
            cosine = 0.5 * (1 + math.cos(math.pi * max(0.0, 1.5 * progress - 0.5)))
            factor = min(1.0, (step + 1) / 50) * max(0.02, cosine)
            for optimizer, rate in zip(optimizers, (2e-3, 1e-3), strict=True):
                optimizer.param_groups[0]["lr"] = rate * factor

            # The critic compares true graphs with generated ones of the same sizes.
            sizes = batch.ptr.diff()
            with torch.no_grad():
                generated = gan(sizes)
            terms = loss_fn.critic_terms(gan.critic, batch, generated)
            optimizers[0].zero_grad()
            terms["loss"].backward()
            optimizers[0].step()

            gan.critic.requires_grad_(False)
            made = loss_fn.generator_terms(gan.critic, gan(sizes))
            optimizers[1].zero_grad()
            made["loss"].backward()
            torch.nn.utils.clip_grad_norm_(gan.generator.parameters(), 5.0)
            optimizers[1].step()
            gan.critic.requires_grad_(True)
            step += 1
            current = [p.detach() for p in gan.generator.parameters()]
            decay = min(0.998, step / (10 + step))
            torch._foreach_lerp_(list(average.generator.parameters()), current, 1 - decay)

            bar.n = round(elapsed)
            shown = {"apart": terms["wasserstein"], "valency": made["valency"]}
            bar.set_postfix(
                {key: f"{float(value.detach()):.2f}" for key, value in shown.items()}, step=step
            )
            if progress == 1 or time.monotonic() - saved > 30:
                saved = time.monotonic()
                state = {
                    "model": gan.state_dict(),
                    "average": average.state_dict(),
                    "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                    "loader": loader.state_dict(),
                    "step": step,
                    "spent": elapsed,
                }
                save(state, checkpoint)
            if progress == 1:
                break
    bar.close()

    # Drawn as in training: with a little noise, not the most likely graphs.
    how = {"seed": args.seed, "temperature": loss_fn.temperature * loss_fn.noise}
    parts = generate_molecules(average, args.num_samples, **how)
    molecules = [molecule for part in parts for molecule in part]
    write_molecules(molecules, args.out / "molecules.smi")
    write_molecules(molecules, args.out / "molecules.png")
    metrics = MoleculeMetrics(qm9_smiles("train"), label=f"GAN, {args.creation} creation")
    metrics.update(molecules)
    report = metrics.compute()
    print(report.table())
    print("percent                 V    V.U.  V.U.N.")
    figures = report.paper.valid, report.paper.vu, report.paper.vun
    print("this run         " + "".join(f"{100 * figure:8.1f}" for figure in figures))
    print("MolGAN, as quoted    98.1  2.3 to 10.2  -")
    print(f"Molecules and a picture are in {args.out}")


if __name__ == "__main__":
    main()
