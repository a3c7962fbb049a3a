"""What bfloat16 changes in the graphs of a model, and what decides whether it pays on a CPU.

Usage: OMP_NUM_THREADS=1 python benchmarks/precision.py [qm9-top-n] [--number 10000]

Prints the share of latent vectors that are decoded to the same graph in either precision, and how
many of the graphs are valid; then milliseconds (medians, cases in turns) of operations of the size
that a batch of 512 molecules gives: products of one and of ever other numbers of rows, attention,
and softmaxes over four classes that lie in rows and in columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import count

import torch
import torch.nn.functional as F
from _machine import print_machine
from _turns import milliseconds
from torch import Tensor

import pyg_topn
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.utils import autocast, keep_freed_memory
from pyg_topn.utils.few_classes import softmax_of_few

PRECISIONS = ("float32", "bfloat16")
BATCH = 2048


def main() -> None:
    """Decode, compare, time, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="qm9-top-n", help="a folder or a name")
    parser.add_argument("--number", type=int, default=10_000, help="of latent vectors")
    parser.add_argument("--repeats", type=int, default=30, help="of every operation")
    options = parser.parse_args()
    keep_freed_memory()
    print_machine("rdkit")
    same, shares = compare(pyg_topn.load(options.model), options.number)
    title = f"{options.number:,} latent vectors of {options.model}"
    print(f"\n{title}: {100 * same:.2f} % the same graph")
    for precision, share in shares.items():
        print(f"{precision:10s} {100 * share:.2f} % valid and connected")
    print()
    for name, median in milliseconds(operations(), options.repeats).items():
        print(f"{name:48s} {median:8.3f} ms")


@torch.no_grad()
def compare(model: GraphVAE, number: int) -> tuple[float, dict[str, float]]:
    """The share of the same graphs, and of valid and connected ones in every precision."""
    generator, same = torch.Generator().manual_seed(0), 0
    metrics = {precision: MoleculeMetrics(nspdk=False) for precision in PRECISIONS}
    assert model.vocabulary is not None
    for begin in range(0, number, BATCH):
        z, sizes = model.sample_latents(min(BATCH, number - begin), generator=generator)
        graphs = []
        for precision, each in metrics.items():
            with autocast("cpu", precision):
                batch = model.decode(z, sizes).mode()
            each.update(model.vocabulary.to_molecules(batch))
            graphs.append(batch.to_data_list())
        for one, other in zip(*graphs, strict=True):
            keys = ("x", "edge_index", "edge_attr")
            same += all(torch.equal(one[key], other[key]) for key in keys)
    return same / number, {name: each.compute().connected.valid for name, each in metrics.items()}


def operations() -> dict[str, Callable[[], Tensor]]:
    """What is timed, by name."""
    found: dict[str, Callable[[], Tensor]] = {}
    rows = torch.randn(10_000, 48)
    weight = torch.randn(96, 48)
    for dtype in (torch.float32, torch.bfloat16):
        name, x, w = str(dtype).removeprefix("torch."), rows.to(dtype), weight.to(dtype)
        numbers = count(9000)
        found[f"{name}, [9000, 48] x [48, 96]"] = lambda x=x, w=w: F.linear(x[:9000], w)
        found[f"{name}, other numbers of rows"] = lambda x=x, w=w, numbers=numbers: F.linear(
            x[: next(numbers)], w
        )
        heads = torch.randn(3, 512, 4, 9, 16, dtype=dtype, requires_grad=True)
        found[f"{name}, attention, with gradients"] = lambda heads=heads: torch.autograd.grad(
            F.scaled_dot_product_attention(*heads).sum(), heads
        )[0]
    logits = torch.randn(18_432, 4)
    columns = logits.t().contiguous().t()
    found["softmax over 4 of 18,432 rows"] = lambda: logits.softmax(1)
    found["softmax over 4 of 18,432 columns"] = lambda: softmax_of_few(columns)
    return found


if __name__ == "__main__":
    main()
