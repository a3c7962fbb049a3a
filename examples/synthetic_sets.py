"""Train a set VAE on synthetic molecules, in a plain loop, and measure and draw generated sets.

python examples/synthetic_sets.py --creation top_n --minutes 5 --out runs/sets
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from pathlib import Path

import torch
from torch_geometric.data import Batch
from tqdm import tqdm

from pyg_topn import SetVAE, SetVAELoss, SizeDistribution
from pyg_topn.datasets import SyntheticMolecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import WassersteinLoss
from pyg_topn.metrics import SetMetrics
from pyg_topn.nn.decoder import SetDecoder
from pyg_topn.nn.encoder import SetEncoder
from pyg_topn.nn.update import SetTransformer
from pyg_topn.resolver import CREATIONS, creation_resolver


def build(creation: str, sizes: SizeDistribution, latent_channels: int = 30) -> SetVAE:
    """Put the parts together by hand; build_set_vae does the same from names."""
    largest = sizes.max_num_nodes
    bounds = {"top_n": {"num_reference_points": largest}, "iid": {}}
    bound = bounds.get(creation, {"max_num_nodes": largest})
    layer = creation_resolver(creation, latent_channels=latent_channels, out_channels=64, **bound)
    update = SetTransformer(64, num_layers=3, heads=4)
    return SetVAE(SetEncoder(3, latent_channels), SetDecoder(layer, update), sizes)


@torch.no_grad()
def reconstruction(vae: SetVAE, dataset: SyntheticMolecules, p: int) -> float:
    """The mean distance between sets and what is decoded of their posterior means."""
    sets = Batch.from_data_list(list(dataset))
    decoded = vae.decode(vae.encode(sets).mean, sets.ptr.diff())
    distances = WassersteinLoss(p=p, reduction="none")(decoded, sets)
    return float(distances.pow(1 / p).mean())


def draw(batch: Batch, path: Path) -> None:
    """Eight sets with a line between neighbours, points of a wrong valency in red."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.2), layout="constrained")
    for index, data in enumerate(batch.to_data_list()):
        near = torch.cdist(data.pos, data.pos).fill_diagonal_(torch.inf) < 2
        wrong = (near.sum(dim=1) == 0) | (near.sum(dim=1) > 4)
        axis = figure.add_subplot(2, 4, index + 1, projection="3d")
        for i, j in near.triu().nonzero().tolist():
            axis.plot(*data.pos[[i, j]].t().numpy(), color="0.6", linewidth=2, zorder=1)
        colours = ["tab:red" if flag else "tab:blue" for flag in wrong]
        axis.scatter(*data.pos.t().numpy(), c=colours, s=70, depthshade=False, edgecolors="white")
        # The same scale along all axes, so that distances are seen as they are.
        low, high = data.pos.min(dim=0).values, data.pos.max(dim=0).values
        middle, half = ((low + high) / 2).tolist(), float((high - low).max()) / 2 + 0.3
        axis.set(**{f"{k}lim": (m - half, m + half) for k, m in zip("xyz", middle, strict=True)})
        axis.set_box_aspect((1, 1, 1), zoom=1.3)
        axis.set_axis_off()
        title = f"{len(data.pos)} points" + (f", {int(wrong.sum())} wrong" if wrong.any() else "")
        axis.set_title(title, fontsize=10)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--creation", choices=CREATIONS, default="top_n")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-sets", type=int, default=2000, help="sets to train on")
    parser.add_argument("--num-samples", type=int, default=1000)
    parser.add_argument("--data", default="data/synthetic")
    parser.add_argument("--out", type=Path, default=Path("runs/sets"))
    args = parser.parse_args()
    if not args.minutes > 0:
        parser.error(f"expected --minutes above 0 (got {args.minutes})")
    args.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(args.seed)
    train = SyntheticMolecules(args.data, num_sets=args.num_sets)
    test = SyntheticMolecules(args.data, "test", max(args.num_sets // 4, 2))
    loader = ResidentLoader(train, 128, shuffle=True, seed=args.seed)
    vae = build(args.creation, SizeDistribution.from_dataset(train))
    loss_fn = SetVAELoss()
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)

    begin = time.monotonic()
    bar = tqdm(total=round(60 * args.minutes), unit="s", desc="training")
    step, progress = 0, 0.0
    while progress < 1:
        for batch in loader:
            progress = (time.monotonic() - begin) / (60 * args.minutes)
            step += 1
            optimizer.param_groups[0]["lr"] = 1e-3 * min(1.0, step / 100, max(2 - 2 * progress, 0))
            output = vae(batch)
            terms = loss_fn(output.prediction, batch, output.posterior)
            optimizer.zero_grad()
            terms["loss"].backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimizer.step()
            if progress >= 1:
                break
        bar.n = min(round(time.monotonic() - begin), bar.total)
        bar.set_postfix(step=step, **{k: f"{float(v.detach()):.2f}" for k, v in terms.items()})
    bar.close()

    for name, dataset in (("train", train), ("test", test)):
        w1, w2 = (reconstruction(vae, dataset, p) for p in (1, 2))
        print(f"{name}: W1 {w1:.3f}, W2 {w2:.3f}")
    generator = torch.Generator().manual_seed(args.seed)
    larger = vae.sizes.sample(args.num_samples, generator) + 10
    if vae.decoder.max_num_nodes is not None:
        larger = larger.clamp(max=vae.decoder.max_num_nodes)
    for name, num_nodes in (("generated", None), ("10 points more", larger)):
        batch = vae.sample(args.num_samples, num_nodes, generator)
        metrics = SetMetrics(train.valency, label=f"{args.creation}, {name}")
        metrics.update(batch.pos, batch.ptr.diff())
        print(metrics.compute().table())
    if importlib.util.find_spec("matplotlib") is not None:
        draw(vae.sample(8, generator=generator), args.out / "sets.png")
        print(f"A picture of generated sets is in {args.out}")


if __name__ == "__main__":
    main()
