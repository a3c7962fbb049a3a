"""Train TSPN or DSPN on SetMNIST, in a plain loop, with several creation layers; draw digits.

    python examples/set_mnist.py --model dspn --minutes 5 --out runs/set_mnist

Writes two pictures: digits of the test set beside what the model makes of them with every creation
layer, and for DSPN what each step of its gradient descent makes of one digit.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch_geometric.data import Batch
from tqdm import tqdm

from pyg_topn.datasets import SetMNIST
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import ChamferLoss
from pyg_topn.models import DSPN, TSPN
from pyg_topn.nn.creation import SizePredictor
from pyg_topn.resolver import CREATIONS, creation_resolver


def build(model: str, creation: str, largest: int) -> TSPN | DSPN:
    """The models of the paper: a reference set of twice the largest set for Top-n."""
    latent, width = (256, 256) if model == "tspn" else (64, 2)
    limit = {
        "iid": {},
        "first_n": {"max_num_nodes": largest},
        "mlp": {"max_num_nodes": largest},
        "top_n": {"num_reference_points": 2 * largest},
    }[creation]
    layer = creation_resolver(creation, latent_channels=latent, out_channels=width, **limit)
    # Detached: it learns along with the rest, and changes nothing of it.
    sizes = SizePredictor(latent, largest, hidden_channels=128, detach=True)
    return (TSPN if model == "tspn" else DSPN)(2, layer, sizes=sizes)


def train(net: TSPN | DSPN, loader: ResidentLoader, minutes: float, lr: float) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    begin, spent, total = time.monotonic(), 0.0, 60 * minutes
    net.train()
    bar = tqdm(total=round(total), unit="s", desc=type(net.creation).__name__)
    while spent < total:
        for batch in loader:
            spent = time.monotonic() - begin
            if spent >= total:
                break
            z, num_nodes = net.encode(batch), batch.ptr.diff()
            decoded = net.decode(z, num_nodes)
            # Of DSPN the initial set and every step count.
            steps = decoded if isinstance(decoded, list) else [decoded]
            loss = torch.stack([loss_fn(step, batch) for step in steps]).mean()
            size_loss = net.sizes.loss(z, num_nodes)
            optimizer.zero_grad()
            (loss + size_loss).backward()
            optimizer.step()
            bar.n = round(min(spent, total))
            bar.set_postfix(chamfer=f"{1e5 * loss.detach():.1f}e-5", size=f"{size_loss:.2f}")
    bar.close()


@torch.no_grad()
def reconstruct(net: TSPN | DSPN, batch: Batch) -> list[Batch]:
    """What is made of sets, at the sizes that the model predicts: the steps of DSPN, the last one
    being the result."""
    decoded = net.eval().decode(net.encode(batch))
    return decoded if isinstance(decoded, list) else [decoded]


def draw(rows: list[list[Batch]], titles: list[str], path: Path) -> None:
    """A picture with a row for every list and a column for every batch, each of one set."""
    figure = Figure(figsize=(1.5 * len(titles), 1.6 * len(rows)))
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for ax, batch in zip(line, row, strict=True):
            down, right = batch.pos.detach().t().tolist()
            ax.scatter(right, down, s=3, linewidths=0)
            ax.set(xlim=(-0.1, 1.1), ylim=(1.1, -0.1), xticks=[], yticks=[], aspect="equal")
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=9)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    print(f"Wrote {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["tspn", "dspn"], default="dspn")
    names = ["iid", "first_n", "top_n"]
    parser.add_argument("--creations", nargs="+", choices=CREATIONS, default=names)
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, each")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--digits", type=int, default=6, help="drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, default=Path("data/mnist"))
    parser.add_argument("--out", type=Path, default=Path("runs/set_mnist"))
    args = parser.parse_args()
    if not args.minutes > 0:
        parser.error(f"expected --minutes above 0 (got {args.minutes})")
    args.out.mkdir(parents=True, exist_ok=True)

    data, test = (SetMNIST(args.root, split, args.model) for split in ("train", "test"))
    # As many points as the largest set of either split has.
    largest = max(len(dataset.size_histogram()) for dataset in (data, test)) - 1
    digits = [Batch.from_data_list([test[i]]) for i in range(min(args.digits, len(test)))]
    rows = [[digit] for digit in digits]
    for creation in args.creations:
        torch.manual_seed(args.seed)
        net = build(args.model, creation, largest)
        loader = ResidentLoader(data, args.batch_size, shuffle=True, seed=args.seed)
        train(net, loader, args.minutes, args.lr)
        for row in rows:
            row.append(reconstruct(net, row[0])[-1])
    draw(rows, ["input", *args.creations], args.out / f"{args.model}.png")

    if args.model == "dspn":  # Those of the last creation layer.
        strips = [[*reconstruct(net, digit), digit] for digit in digits[:3]]
        titles = [f"step {step}" for step in range(len(strips[0]) - 1)]
        draw(strips, [*titles, "input"], args.out / "dspn_steps.png")


if __name__ == "__main__":
    main()
