"""What the losses on sets cost, and what memory the Chamfer loss takes.

Usage: python benchmarks/set_losses.py [--threads 1] [--repeats 7]
       python benchmarks/set_losses.py --accuracy

Prints three tables. Milliseconds of a step (forwards and backwards) of the Wasserstein loss beside
a loop over sets that has the same value, and how many times as long the loop takes; of the
assignments alone, with scipy and with the solver that takes all sets together. Milliseconds of a
step of every loss. Megabytes that a step of the Chamfer loss adds to the process at its peak (on
Linux), beside one padded matrix of distances. Sets are random or, "near", a set and a noisy copy of
it. Measurements take turns: on a machine that others use as well, times are too long, and ratios
hold. Look at the load.

With --accuracy, one table: how much less than the Wasserstein loss the Sinkhorn loss is of sets and
noisy copies of them, and the cosine between the gradients of the two.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from _machine import load, print_machine
from _turns import milliseconds
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import (
    ChamferLoss,
    HungarianLoss,
    MinDistanceRegularizer,
    NeighborRegularizer,
    SinkhornLoss,
    WassersteinLoss,
)
from pyg_topn.losses.set import SetLoss
from pyg_topn.utils import build_batch
from pyg_topn.utils.assignment import batched_linear_assignment

# Sets a batch, and the least and the most points of a set.
CASES = ((64, 2, 35), (512, 2, 35), (32, 30, 342), (8, 450, 550))
# For the accuracy of the Sinkhorn loss: with its defaults, and with what costs ten times as much.
SINKHORN = (SinkhornLoss(), SinkhornLoss(0.001, num_iters=1000))
POINTS, NOISE = (10, 100, 300), (0.2, 0.05, 0.01)
MEMORY = {
    "64 x (2000, 2000)": ([2000] * 64, [2000] * 64),
    "1 x (20000, 10), 999 x (10, 10)": ([20000] + [10] * 999, [10] * 1000),
    "1 x (10, 20000), 999 x (10, 10)": ([10] * 1000, [20000] + [10] * 999),
    "1 x (20000, 10), 1 x (10, 20000)": ([20000, 10], [10, 20000]),
    "4096 x (9, 9)": ([9] * 4096, [9] * 4096),
}


def main() -> None:
    """Print the machine and the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--repeats", type=int, default=7, help="of every measurement")
    parser.add_argument("--accuracy", action="store_true", help="of the Sinkhorn loss instead")
    parser.add_argument("--peak", choices=list(MEMORY), help="print one peak, and nothing else")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.peak:
        print(peak(*MEMORY[options.peak]))
        return
    if options.accuracy:
        print_accuracy()
        return
    print_machine("numpy", "scipy")
    names = [f"{count} x {low}-{high}" for count, low, high in CASES]
    print_wasserstein(names, options.repeats)
    print_losses(names, options.repeats)
    print_memory()
    print(f"\nload {load()} at the end")


def draw(count: int, low: int, high: int) -> tuple[Batch, Batch, Batch]:
    """A prediction, a random target of the same sizes, and one near the prediction."""
    sizes = torch.randint(low, high + 1, (count,))
    x, y = torch.randn(2, int(sizes.sum()), 3)
    near = x + 0.1 * torch.randn_like(x)
    batches = (build_batch(sizes, {"x": points}) for points in (x.requires_grad_(), y, near))
    return tuple(batches)


def print_wasserstein(names: list[str], repeats: int) -> None:
    """The Wasserstein loss beside a loop, and the two solvers."""
    print(f"\n{'W2, sets of the same sizes, ms a batch':44s}" + "".join(f"{n:>16s}" for n in names))
    rows: dict[str, list[str]] = {}
    for case in CASES:
        x, y, near = draw(*case)
        for label, target in (("random", y), ("near", near)):
            for name, value in wasserstein_row(x, target, repeats).items():
                rows.setdefault(f"{label}: {name}", []).append(value)
    for name, values in rows.items():
        print(f"{name:44s}" + "".join(f"{value:>16s}" for value in values))


def wasserstein_row(x: Batch, y: Batch, repeats: int) -> dict[str, str]:
    """Milliseconds by name, and the ratio."""
    costs = padded_costs(x, y)
    sizes = x.ptr.diff()
    found = milliseconds(
        {
            "loss": partial(step, WassersteinLoss(), x, y),
            "a loop over sets with scipy": partial(loop_step, x, y),
            "assignments alone, scipy": partial(with_scipy, costs, sizes),
            "assignments alone, all sets together": partial(
                batched_linear_assignment, costs, sizes
            ),
        },
        repeats,
    )
    ratio = found["a loop over sets with scipy"] / found["loss"]
    return {
        **{name: f"{value:.2f}" for name, value in found.items()},
        "loop / loss": f"{ratio:.1f}",
    }


def step(loss: SetLoss, x: Batch, y: Batch) -> None:
    """Forwards and backwards."""
    loss(x, y).backward()


def loop_step(x: Batch, y: Batch) -> None:
    """The same as a step of the Wasserstein loss, a set at a time."""
    losses = []
    sizes = x.ptr.diff().tolist()
    for ours, theirs in zip(x.x.split(sizes), y.x.split(sizes), strict=True):
        cost = torch.cdist(ours, theirs).square()
        row, column = linear_sum_assignment(cost.detach().numpy())
        losses.append(cost[row, column].mean())
    torch.stack(losses).mean().backward()


def padded_costs(x: Batch, y: Batch) -> Tensor:
    """Squared distances, [B, n, n]."""
    sizes = x.ptr.diff().tolist()
    padded = [
        torch.nn.utils.rnn.pad_sequence(batch.x.detach().split(sizes), batch_first=True)
        for batch in (x, y)
    ]
    return torch.cdist(*padded).square()


def with_scipy(cost: Tensor, sizes: Tensor) -> list[np.ndarray]:
    """The assignments, a set at a time."""
    array = cost.double().numpy()
    return [
        linear_sum_assignment(array[k, :size, :size])[1] for k, size in enumerate(sizes.tolist())
    ]


def print_losses(names: list[str], repeats: int) -> None:
    """A step of every loss."""
    print(f"\n{'random sets, ms a batch':44s}" + "".join(f"{name:>16s}" for name in names))
    rows: dict[str, list[float]] = {}
    for case in CASES:
        x, y, _ = draw(*case)
        # As many points, but in other sizes: what needs no equal sizes is measured without.
        turned = build_batch(y.ptr.diff().flip(0), {"x": y.x})
        for name, value in milliseconds(losses(x, y, turned), repeats).items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        print(f"{name:44s}" + "".join(f"{value:16.2f}" for value in values))


def losses(x: Batch, y: Batch, turned: Batch) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    return {
        "ChamferLoss, sizes differ": partial(step, ChamferLoss(), x, turned),
        "ChamferLoss, smooth L1, sizes differ": partial(step, ChamferLoss("smooth_l1"), x, turned),
        "HungarianLoss": partial(step, HungarianLoss(), x, y),
        "WassersteinLoss": partial(step, WassersteinLoss(), x, y),
        "WassersteinLoss, sizes differ (POT)": partial(step, WassersteinLoss(), x, turned),
        "SinkhornLoss, sizes differ": partial(step, SinkhornLoss(), x, turned),
        "MinDistanceRegularizer": lambda: MinDistanceRegularizer()(x).backward(),
        "NeighborRegularizer": lambda: NeighborRegularizer()(x).backward(),
    }


def print_accuracy() -> None:
    """The Sinkhorn loss beside the exact one, on random sets and noisy copies."""
    print(
        f"{'Sinkhorn':28s}{'points':>8s}{'noise':>8s}{'below W2 by':>14s}{'gradients, cosine':>20s}"
    )
    for loss, count, sigma in product(SINKHORN, POINTS, NOISE):
        below, cosine = accuracy(loss, count, sigma)
        name = f"epsilon {loss.epsilon:g}, {loss.num_iters} steps"
        print(f"{name:28s}{count:8d}{sigma:8.2f}{100 * below:12.1f} %{cosine:20.3f}")


def accuracy(loss: SinkhornLoss, count: int, sigma: float, sets: int = 8) -> tuple[float, float]:
    """By which share the loss of a few sets is too low, and the cosine of its gradient."""
    generator = torch.Generator().manual_seed(0)
    points, noise = torch.randn(2, sets * count, 3, generator=generator)
    sizes = torch.full((sets,), count)
    target = build_batch(sizes, {"x": points + sigma * noise})
    values, gradients = [], []
    for each in (WassersteinLoss(), loss):
        x = points.clone().requires_grad_()
        value = each(build_batch(sizes, {"x": x}), target)
        gradients.append(torch.autograd.grad(value, x)[0].flatten())
        values.append(float(value.detach()))
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0)
    return 1 - values[1] / values[0], float(cosine)


def print_memory() -> None:
    """Peaks, each in a process of its own: a peak is never forgotten."""
    title = "Chamfer loss, sets of (prediction, target)"
    print(f"\n{title:44s}{'MB at the peak':>16s}{'a padded matrix':>16s}")
    for name, (sizes, others) in MEMORY.items():
        command = [sys.executable, __file__, "--peak", name]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        matrix = len(sizes) * max(sizes) * max(others) * 4 / 1e6
        print(f"{name:44s}{float(run.stdout):16.0f}{matrix:16.0f}")


def peak(sizes: list[int], others: list[int]) -> float:
    """Megabytes that a step adds to the process, points and gradients included."""
    small = build_batch(torch.tensor([2]), {"x": torch.randn(2, 3, requires_grad=True)})
    step(ChamferLoss(), small, small)  # PyTorch itself is loaded.
    before = high_water_mark()
    x, y = torch.randn(sum(sizes), 3, requires_grad=True), torch.randn(sum(others), 3)
    prediction = build_batch(torch.tensor(sizes), {"x": x})
    step(ChamferLoss(), prediction, build_batch(torch.tensor(others), {"x": y}))
    return high_water_mark() - before


def high_water_mark() -> float:
    """Megabytes of this process at its peak; that of getrusage is at least the parent's."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
