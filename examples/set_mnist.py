"""Train TSPN or DSPN on SetMNIST, in a plain loop, with several creation layers; draw digits.

    python examples/set_mnist.py --model dspn --minutes 5 --out runs/set_mnist

Writes two pictures: digits of the test set beside what the model makes of them with every creation
layer, and for DSPN what each step of its gradient descent makes of one digit.
"""

from __future__ import annotations

import argparse
import math
import time
from functools import partial
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch_geometric.data import Batch
from tqdm import tqdm

from pyg_topn.datasets import SetMNIST
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import ChamferLoss
from pyg_topn.models import DSPN, TSPN, build_dspn, build_tspn
from pyg_topn.resolver import CREATIONS


def train(
    net: TSPN | DSPN, loader: ResidentLoader, minutes: float, lr: float, linear: bool
) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    begin, total = time.monotonic(), 60 * minutes
    step, progress = 0, 0.0
    net.train()
    bar = tqdm(total=round(total), unit="s", desc=type(net.creation).__name__)
    while progress < 1:
        for batch in loader:
            progress = (time.monotonic() - begin) / total
            if progress >= 1:
                break
            step += 1
            # Small steps at first, and at last ever smaller ones.
            optimizer.param_groups[0]["lr"] = lr * min(1.0, step / 50, 2 - 2 * progress)
            z, num_nodes = net.encode(batch), batch.ptr.diff()
            decoded = net.decode(z, num_nodes)
            # Of DSPN the initial set and every step count, the last one the most.
            steps = decoded if isinstance(decoded, list) else [decoded]
            losses = torch.stack([loss_fn(each, batch) for each in steps])
            weights = torch.arange(1.0, len(steps) + 1) if linear else torch.ones(len(steps))
            loss = (weights * losses).sum() / weights.sum()
            size_loss = net.sizes.loss(z, num_nodes)
            optimizer.zero_grad()
            (loss + size_loss).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            bar.n = round(progress * total)
            bar.set_postfix(chamfer=f"{1e5 * loss.detach():.0f}e-5", size=f"{size_loss:.2f}")
    bar.close()


@torch.no_grad()
def reconstruct(net: TSPN | DSPN, batch: Batch) -> list[Batch]:
    """What is made of sets, at the sizes that the model predicts: the steps of DSPN, the last one
    being the result."""
    decoded = net.eval().decode(net.encode(batch))
    return decoded if isinstance(decoded, list) else [decoded]


def draw(rows: list[list[Batch]], path: Path, left: list[str], top: list[str]) -> None:
    """A picture of batches of one set each, with words beside every row and above every column."""
    figure = Figure(figsize=(1.2 * len(rows[0]), 1.25 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for line, row, word in zip(axes, rows, left, strict=True):
        line[0].set_ylabel(word, fontsize=9)
        for ax, batch in zip(line, row, strict=True):
            down, right = batch.pos.detach().t().tolist()
            ax.scatter(right, down, s=3, linewidths=0)
            ax.set(xlim=(-0.05, 1.05), ylim=(1.05, -0.05), xticks=[], yticks=[], aspect="equal")
            ax.spines[:].set_color("0.8")
    for ax, word in zip(axes[0], top, strict=True):
        ax.set_title(word, fontsize=9)
    figure.savefig(path, dpi=150)
    print(f"Wrote {path}")


def positive(text: str) -> float:
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0 (got {text})")
    return float(text)


def count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1 (got {text})")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["tspn", "dspn"], default="dspn")
    names = ["iid", "first_n", "top_n"]
    parser.add_argument("--creations", nargs="+", choices=CREATIONS, default=names)
    parser.add_argument("--minutes", type=positive, default=5.0, help="of training, each")
    parser.add_argument("--lr", type=positive, default=2e-3)
    # The paper has 256, which takes hours.
    parser.add_argument("--hidden-channels", type=count, default=64)
    parser.add_argument("--step-size", type=positive, default=1500.0, help="of DSPN; paper: 25")
    choices = ["linear", "uniform"]
    parser.add_argument("--step-weights", choices=choices, default="linear", help="of DSPN's loss")
    parser.add_argument("--batch-size", type=count, default=8)
    parser.add_argument("--digits", type=count, default=6, help="drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, default=Path("data/mnist"))
    parser.add_argument("--out", type=Path, default=Path("runs/set_mnist"))
    args = parser.parse_args()
    if args.model == "tspn" and args.hidden_channels % 4:
        parser.error(f"expected --hidden-channels for 4 heads (got {args.hidden_channels})")
    args.out.mkdir(parents=True, exist_ok=True)

    data, test = (SetMNIST(args.root, split, args.model) for split in ("train", "test"))
    largest = len(data.size_histogram()) - 1  # No set of the test set is larger.
    digits = [Batch.from_data_list([test[i]]) for i in range(min(args.digits, len(test)))]
    rows = [digits]
    # With the steps of the paper, DSPN learns for hours before they change much. None is to throw
    # a point out of the picture.
    steps = {"step_size": args.step_size, "max_move": 0.2} if args.model == "dspn" else {}
    # Encoders see points centred and scaled, with which they learn several times as much.
    builder = partial(build_tspn if args.model == "tspn" else build_dspn, spread=0.25, **steps)
    for creation in args.creations:
        torch.manual_seed(args.seed)
        net = builder(largest, creation=creation, hidden_channels=args.hidden_channels)
        # Sets of similar sizes go together, which saves padding.
        loader = ResidentLoader(data, args.batch_size, shuffle=True, seed=args.seed, bucket=True)
        train(net, loader, args.minutes, args.lr, args.step_weights == "linear")
        rows.append([reconstruct(net, digit)[-1] for digit in digits])
    labels = [str(int(digit.y)) for digit in digits]
    draw(rows, args.out / f"{args.model}.png", ["input", *args.creations], labels)

    if args.model == "dspn":  # Those of the last creation layer.
        strips = [[*reconstruct(net, digit), digit] for digit in digits[:3]]
        words = [f"step {step}" for step in range(len(strips[0]) - 1)]
        draw(strips, args.out / "dspn_steps.png", labels[:3], [*words, "input"])


if __name__ == "__main__":
    main()
