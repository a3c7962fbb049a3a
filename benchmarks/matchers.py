"""What it costs to match a batch of QM9 with a prediction, and how well the matchers do.

Usage: python benchmarks/matchers.py [--root data/qm9] [--model runs/qm9/model] [--threads 1]

Prints milliseconds a batch, the median of repeats that take turns, with the canonical order stored
in the graphs and without; of the assignments of the Hungarian matcher alone, beside a loop over
graphs that calls scipy; and the negative log-likelihood (nats a graph) of the nodes and pairs of
the targets, each matcher's way. The prediction is that of a saved model, or of one with random
weights. On a machine that others use as well, times are too long: look at the load.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from unittest import mock

import numpy as np
import torch
from _machine import load, print_machine
from _turns import milliseconds
from scipy.optimize import linear_sum_assignment
from torch_geometric.data import Batch

import pyg_topn
from pyg_topn.datasets import HeavyAtomQM9
from pyg_topn.losses import GraphVAELoss
from pyg_topn.losses.matching import MATCHERS, HungarianMatcher, Matcher, hungarian
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.utils.assignment import batched_linear_assignment

SIZES = (64, 256, 512, 2048)

Assignments = list[tuple[torch.Tensor, torch.Tensor]]


def main() -> None:
    """Print the machine and both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="data/qm9", help="folder of the dataset's cache")
    parser.add_argument("--model", help="folder of a saved model; by default random weights")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--repeats", type=int, default=15, help="of every measurement")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print_machine("numpy", "scipy")
    dataset = HeavyAtomQM9(options.root)
    vae = model(options.model)
    batches = [draw(dataset, size) for size in SIZES]
    predictions = [predict(vae, batch) for batch in batches]
    columns = [
        milliseconds(cases(*pair), options.repeats)
        for pair in zip(predictions, batches, strict=True)
    ]
    print(f"\n{'milliseconds a batch of':52s}" + "".join(f"{size:9d}" for size in SIZES))
    for name in columns[0]:
        print(f"{name:52s}" + "".join(f"{column[name]:9.2f}" for column in columns))
    weights = options.model or "random weights"
    print(f"\n{f'nats a graph, {SIZES[-1]} graphs, {weights}':62s} {'nodes':>8s} {'pairs':>8s}")
    for name, matcher in matchers().items():
        nodes, pairs = nats(matcher, predictions[-1], batches[-1])
        print(f"{name:62s} {nodes:8.3f} {pairs:8.3f}")
    print(f"\nload {load()} at the end")


def model(folder: str | None) -> GraphVAE:
    """A saved model, or one with random weights."""
    if folder is not None:
        return pyg_topn.load(folder)
    return build_graph_vae(4, (1, 2, 3), [0] + [1] * 9).eval()


def draw(dataset: HeavyAtomQM9, size: int) -> Batch:
    """Random molecules, with their canonical order."""
    chosen = torch.randperm(len(dataset))[:size]
    return Batch.from_data_list([dataset[int(i)] for i in chosen])


@torch.no_grad()
def predict(vae: GraphVAE, batch: Batch) -> GraphDistribution:
    """The decoded posterior of the batch."""
    return vae(batch).distribution


def matchers() -> dict[str, Matcher]:
    """Every matcher, and the Hungarian one with fewer rounds."""
    found: dict[str, Matcher] = {name: kind() for name, kind in MATCHERS.items()}
    found.pop("hungarian")
    return {
        **found,
        **{f"hungarian, {rounds} rounds": HungarianMatcher(rounds) for rounds in range(3)},
    }


def cases(prediction: GraphDistribution, batch: Batch) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    bare = batch.clone()
    del bare.canonical_index
    found: dict[str, Callable[[], object]] = {}
    for name, matcher in matchers().items():
        found[name] = partial(matcher, prediction, batch)
        if name != "none":
            found[f"{name}, order not stored"] = partial(matcher, prediction, bare)
    solved = assignments(prediction, batch)
    name = f"{len(solved)} assignments of it"
    found[f"{name}, all graphs together"] = lambda: [batched_linear_assignment(*s) for s in solved]
    found[f"{name}, a loop over graphs with scipy"] = lambda: [with_scipy(*s) for s in solved]
    return found


def assignments(prediction: GraphDistribution, batch: Batch) -> Assignments:
    """The costs and sizes that the Hungarian matcher solves assignments for."""
    name = "batched_linear_assignment"
    with mock.patch.object(hungarian, name, wraps=batched_linear_assignment) as solver:
        HungarianMatcher()(prediction, batch)
    return [call.args for call in solver.call_args_list]


def with_scipy(cost: torch.Tensor, num_nodes: torch.Tensor) -> np.ndarray:
    """The same assignments, a graph at a time."""
    column = np.tile(np.arange(cost.size(1)), (cost.size(0), 1))
    costs = cost.double().numpy()
    for graph, size in enumerate(num_nodes.tolist()):
        column[graph, :size] = linear_sum_assignment(costs[graph, :size, :size])[1]
    return column


def nats(matcher: Matcher, prediction: GraphDistribution, batch: Batch) -> tuple[float, float]:
    """The negative log-likelihood of nodes and pairs, the mean over graphs."""
    terms = GraphVAELoss(matcher, (1, 2, 3))(prediction, batch)
    return float(terms["node"]), float(terms["edge"] + terms["edge_type"])


if __name__ == "__main__":
    main()
