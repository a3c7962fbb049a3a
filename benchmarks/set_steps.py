"""Sets a second in training: a step of the set VAE, TSPN and DSPN with every creation layer.

Usage: python benchmarks/set_steps.py --mnist data/mnist [--synthetic data/synthetic] [--threads 1]

A step is the loss, its gradient, the clipping and Adam, on batches of sets of similar sizes, as
benchmarks/table4.py (64 synthetic molecules) and benchmarks/table1.py with the settings of the
guide (8 digits, 64 channels, DSPN's steps of 1,500) take them; no two batches are the same. Medians
of steps that take turns, with the quartiles. On a machine that others use as well, rates are too
low: look at the load.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import cycle, islice

import numpy as np
import torch
from _machine import load, print_machine
from _turns import seconds
from set_mnist_runs import BUILDERS, Plan, arguments, loss_of
from torch import Tensor, nn
from torch_geometric.data import Batch, InMemoryDataset

from pyg_topn.datasets import SetMNIST, SyntheticMolecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import ChamferLoss, SetVAELoss
from pyg_topn.models import DSPN, TSPN, SetVAE, build_set_vae
from pyg_topn.resolver import CREATIONS
from pyg_topn.utils.allocator import keep_freed_memory

Case = tuple[int, Callable[[], None]]  # sets a step, and the step

PLAN = Plan(minutes=1.0, batch_size=8, bucket=True, hidden_channels=64, step_size=1500.0)
VAE_BATCH = 64


def main() -> None:
    """Print the machine and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", default="data/mnist", help="folder of SetMNIST, files in raw/")
    parser.add_argument("--synthetic", default="data/synthetic", help="folder of the data's cache")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--repeats", type=int, default=30, help="steps of everything")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print_machine("scipy")
    found = {**dict(vaes(options.synthetic)), **dict(autoencoders(options.mnist))}
    print(f"\n{'training':24s}{'sets a step':>12s}{'ms a step':>20s}{'sets a second':>15s}")
    steps = {name: run for name, (_, run) in found.items()}
    for name, times in seconds(steps, options.repeats, warm_up=3).items():
        low, middle, high = 1e3 * np.quantile(times, [0.25, 0.5, 0.75])
        number = found[name][0]
        spread = f"{middle:.1f} ({low:.1f}-{high:.1f})"
        print(f"{name:24s}{number:12d}{spread:>20s}{1e3 * number / middle:15,.0f}")
    print(f"\nload {load()} at the end")


def vaes(root: str) -> Iterator[tuple[str, Case]]:
    """The set VAE of D.2 on synthetic molecules."""
    sets = SyntheticMolecules(root, log=False)
    loss_fn = SetVAELoss()
    for creation in CREATIONS:
        vae = build_set_vae(sets.size_histogram().tolist(), creation=creation)

        def loss(batch: Batch, vae: SetVAE = vae) -> Tensor:
            output = vae(batch)
            return loss_fn(output.prediction, batch, output.posterior)["loss"]

        yield f"set VAE, {creation}", step(vae, sets, VAE_BATCH, loss)


def autoencoders(root: str) -> Iterator[tuple[str, Case]]:
    """TSPN and DSPN on the digits of SetMNIST."""
    loss_fn = ChamferLoss("smooth_l1", point_reduction="mean")
    for model, build in BUILDERS.items():
        sets = SetMNIST(root, "train", model, log=False)
        largest = len(sets.size_histogram()) - 1
        for creation in CREATIONS:
            net = build(**arguments(model, creation, largest, PLAN))

            def loss(batch: Batch, net: TSPN | DSPN = net) -> Tensor:
                return loss_of(net, batch, loss_fn)["loss"]

            name = f"{model.upper()}, {creation}"
            yield name, step(net, sets, PLAN.batch_size, loss)


def step(
    net: nn.Module, sets: InMemoryDataset, batch_size: int, loss: Callable[[Batch], Tensor]
) -> Case:
    """A step on another batch every time."""
    loader = ResidentLoader(sets, batch_size, shuffle=True, bucket=True, drop_last=True)
    taken = cycle(list(islice(loader, 64)))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)

    def run() -> None:
        optimizer.zero_grad()
        loss(next(taken)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return batch_size, run


if __name__ == "__main__":
    main()
