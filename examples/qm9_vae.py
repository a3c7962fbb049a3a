"""Train a graph VAE with Top-n creation on QM9, in a plain loop, and sample molecules.

    python examples/qm9_vae.py --minutes 5 --out runs/example

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

from pyg_topn import GraphVAE, GraphVAELoss, PriorRegularizer, SizeDistribution, TopNCreation
from pyg_topn.datasets import HeavyAtomQM9
from pyg_topn.generate import evaluate_molecules, generate_molecules, write_molecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses.matching import CanonicalMatcher
from pyg_topn.nn.decoder import GraphDecoder
from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.nn.update import SetTransformer


def build(dataset: HeavyAtomQM9) -> GraphVAE:
    """Put the parts together by hand; build_graph_vae does the same from names."""
    vocabulary = dataset.vocabulary
    creation = TopNCreation(48, 256, num_reference_points=12)
    update = SetTransformer(64, num_layers=3, heads=4, latent_channels=48)
    decoder = GraphDecoder(
        creation, update, len(vocabulary.atoms), vocabulary.bond_orders, num_rounds=2
    )
    encoder = GraphEncoder(4, 3, latent_channels=48, readout="canonical", max_num_nodes=9)
    return GraphVAE(encoder, decoder, SizeDistribution.from_dataset(dataset), vocabulary)


def save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint that is there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/example"))
    parser.add_argument("--data", type=Path, default=Path("data/qm9"))
    parser.add_argument("--num-samples", type=int, default=10_000)
    args = parser.parse_args()
    if not args.minutes > 0:
        parser.error(f"expected --minutes above 0 (got {args.minutes})")
    args.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(args.seed)
    dataset = HeavyAtomQM9(args.data, split="train")
    loader = ResidentLoader(dataset, 256, shuffle=True, drop_last=True, seed=args.seed)
    vae = build(dataset)
    average = copy.deepcopy(vae).requires_grad_(False)
    orders = dataset.vocabulary.bond_orders
    auxiliary = dict.fromkeys(("formula", "edge_count", "edge_type_share", "valency"), 0.0)
    loss_fn = GraphVAELoss(CanonicalMatcher(), orders, {"kl": 0.0, **auxiliary})
    regularizer = PriorRegularizer(dataset.vocabulary.valences, orders)
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)

    checkpoint = args.out / "checkpoint.pt"
    step, spent = 0, 0.0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        vae.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        loader.load_state_dict(state["loader"])
        step, spent = state["step"], state["spent"]

    begin, saved, progress = time.monotonic(), time.monotonic(), spent / (60 * args.minutes)
    bar = tqdm(total=round(60 * args.minutes), initial=round(spent), unit="s", desc="training")
    while progress < 1:
        for batch in loader:
            elapsed = spent + time.monotonic() - begin
            progress = min(1.0, elapsed / (60 * args.minutes))
            kl_weight = 0.5 * min(1.0, 0.02 + progress / 0.5)
            penalty_weight = min(1.0, max(0.0, (progress - 0.25) / 0.5))
            optimizer.param_groups[0]["lr"] = (
                2e-3 * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * progress))
            )

            output = vae(batch)
            terms = loss_fn(output.distribution, batch, output.posterior)
            # A quarter as many graphs are decoded from the prior: they should be molecules too.
            sizes = batch.ptr.diff()[: batch.num_graphs // 4]
            penalties = regularizer(vae.decode(vae.prior.sample(sizes), sizes))
            penalty = 0.25 * penalties["valency"] + penalties["connectivity"]
            loss = terms["loss"] + kl_weight * terms["kl"] + penalty_weight * penalty

            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 5.0)
            optimizer.step()
            step += 1
            decay = min(0.998, step / (10 + step))
            current = [p.detach() for p in vae.parameters()]
            torch._foreach_lerp_(list(average.parameters()), current, 1 - decay)

            bar.n = round(elapsed)
            shown = {
                "loss": f"{float(loss.detach()):.2f}",
                "kl": f"{float(terms['kl'].detach()):.1f}",
            }
            bar.set_postfix(shown, step=step)
            if progress == 1 or time.monotonic() - saved > 30:
                saved = time.monotonic()
                state = {
                    "model": vae.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "loader": loader.state_dict(),
                    "step": step,
                    "spent": elapsed,
                }
                save(state, checkpoint)
            if progress == 1:
                break
    bar.close()

    molecules = [m for part in generate_molecules(average, args.num_samples) for m in part]
    write_molecules(molecules, args.out / "molecules.smi")
    write_molecules(molecules, args.out / "molecules.png")
    report = evaluate_molecules(molecules, label="Top-n, prior N(0, I)", fcd=False)
    print(report.table())
    print(f"Molecules and a picture are in {args.out}")


if __name__ == "__main__":
    main()
