"""One point of the benchmark of large graphs, measured in a process of its own: a JSON object in
the arguments, and one printed."""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch
from scipy.spatial import Delaunay
from torch_geometric.data import Batch, Data

from pyg_topn.losses import GraphVAELoss, target_pairs
from pyg_topn.losses.matching import CanonicalMatcher
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.recipe import recipe
from pyg_topn.transforms import CanonicalOrder

CLIP = 5.0  # as the trainer has it
LEARNING_RATE = 2e-4  # of the first steps, before which there is no warm-up


def grid(nodes: int) -> nx.Graph:
    """The grid of so many nodes that is nearest to a square.

    >>> grid(30).number_of_edges()
    49
    """
    height = max(side for side in range(1, math.isqrt(nodes) + 1) if nodes % side == 0)
    return nx.convert_node_labels_to_integers(nx.grid_2d_graph(height, nodes // height))


def planar(nodes: int) -> nx.Graph:
    """The Delaunay triangulation of random points in a square.

    >>> nx.check_planarity(planar(30))[0]
    True
    """
    corners = Delaunay(np.random.default_rng(0).random((nodes, 2))).simplices
    graph = nx.empty_graph(nodes)
    for k in range(3):
        graph.add_edges_from(corners[:, [k, (k + 1) % 3]].tolist())
    return graph


GRAPHS: dict[str, Callable[[int], nx.Graph]] = {"grid": grid, "planar": planar}


def batch_of(graph: nx.Graph) -> Batch:
    """A batch of one graph with one type of nodes and edges, its canonical order beside it."""
    edges = torch.tensor(sorted(nx.to_directed(graph).edges)).t()
    data = Data(
        x=torch.ones(graph.number_of_nodes(), 1),
        edge_index=edges,
        edge_attr=torch.ones(edges.size(1), 1),
    )
    return CanonicalOrder()(Batch.from_data_list([data]))


def model_of(target: nx.Graph, neighbors: int | None, readout: str) -> GraphVAE:
    """The default model, with as many edges at first as there are."""
    nodes = target.number_of_nodes()
    torch.manual_seed(0)
    vae = build_graph_vae(1, (1,), [0] * nodes + [1], readout=readout, num_neighbors=neighbors)
    density = nx.density(target)
    with torch.no_grad():
        vae.decoder.presence_mlp.lins[-1].bias.fill_(math.log(density / (1 - density)))
    return vae


def train(vae: GraphVAE, target: Batch, repeats: int) -> dict[str, Any]:
    """Steps on one graph, one more than are timed."""
    matcher = CanonicalMatcher()
    loss_fn = GraphVAELoss(matcher, (1,), recipe().weights)
    optimizer = torch.optim.Adam(vae.parameters(), lr=LEARNING_RATE, fused=True)
    seconds, losses, pairs = [], [], 0
    for _ in range(repeats + 1):
        begin = time.process_time()
        output = vae(target, pairs=target_pairs(target, matcher))
        loss = loss_fn(output.distribution, target, output.posterior)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), CLIP)
        optimizer.step()
        seconds.append(time.process_time() - begin)
        losses.append(float(loss.detach()))
        pairs = output.distribution.pair_index.size(1)
    return {"seconds": seconds[1:], "losses": losses, "pairs": pairs}


def sample(vae: GraphVAE, nodes: int, repeats: int) -> dict[str, Any]:
    """Passes from the prior to a graph, one more than are timed."""
    vae.eval()
    seconds, edges = [], 0
    for _ in range(repeats + 1):
        begin = time.process_time()
        edges = vae.sample(1, torch.tensor([nodes])).num_edges // 2
        seconds.append(time.process_time() - begin)
    return {"seconds": seconds[1:], "edges": edges}


def resident(peak: bool) -> int:
    """Bytes of main memory of this process, now or at its peak."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return 1024 * int(lines["VmHWM" if peak else "VmRSS"].split()[0])
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # so far
    return highest * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Measure what the arguments say."""
    point = json.loads(sys.argv[1])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    graph = GRAPHS[point["graphs"]](point["nodes"])
    vae = model_of(graph, point["neighbors"], point["readout"])
    begin = time.process_time()
    target = batch_of(graph) if point["task"] == "train" else None
    order_seconds = time.process_time() - begin
    before = resident(peak=False)
    found = (
        sample(vae, point["nodes"], point["repeats"])
        if target is None
        else train(vae, target, point["repeats"])
    )
    print(json.dumps({**found, "order": order_seconds, "before": before, "peak": resident(True)}))


if __name__ == "__main__":
    main()
