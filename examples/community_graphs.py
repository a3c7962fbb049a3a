"""Train a graph VAE on graphs that are not molecules, in a plain loop; measure and draw samples.

    python examples/community_graphs.py --family community_small --minutes 2 --out runs/graphs

Writes a checkpoint every half minute; started again with the same arguments, it goes on from there.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_networkx
from tqdm import tqdm

from pyg_topn import GraphVAELoss, build_graph_vae
from pyg_topn.datasets import GenericGraphs
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses.matching import CanonicalMatcher
from pyg_topn.metrics import GraphMetrics
from pyg_topn.resolver import CREATIONS
from pyg_topn.transforms import SpectralOrder

# Eigenvectors that give the order of nodes, graphs a step, learning rate, weight of the divergence.
# Where edges are random, as within a community, a small weight has the training graphs memorised.
SETTINGS = dict.fromkeys(("community_small", "ego_like", "sbm"), (1, 16, 1e-3, 1.0))
SETTINGS |= dict.fromkeys(("planar", "grid", "tree", "lobster"), (2, 8, 3e-3, 0.2))
JOINT = 0.85  # The share of the budget before a flow is fitted as prior.
UNUSED = dict.fromkeys(("formula", "edge_count", "edge_type_share", "valency", "kl"), 0.0)
QUOTED = """quoted for planar: ratios of degree, clustering, orbit with total variation; valid
SPECTRE 2.5 / 2.5 / 2.4; 25 %        DiGress 1.4 / 1.2 / 1.7; 85 %"""


def draw(graphs: Sequence[Data], path: Path) -> None:
    """Six generated graphs above six training graphs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), layout="constrained")
    for place, data in enumerate(graphs):
        graph, axis = to_networkx(data, to_undirected=True), figure.add_subplot(2, 6, place + 1)
        pieces = nx.number_connected_components(graph)
        where = nx.spring_layout(graph) if pieces > 1 else nx.kamada_kawai_layout(graph)
        look = {"node_size": 14, "node_color": "#2a6fbb" if place < 6 else "#6f7a85"}
        nx.draw_networkx(graph, where, ax=axis, with_labels=False, edge_color="0.6", **look)
        title = f"{'generated' if place < 6 else 'training'}, {graph.number_of_edges()} edges"
        axis.set_title(title + (f",\nin {pieces} pieces" if pieces > 1 else ""), fontsize=8)
        axis.set_axis_off()
    figure.savefig(path, dpi=120)


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=SETTINGS, default="community_small")
    parser.add_argument("--creation", choices=CREATIONS, default="top_n")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--processor-time", action="store_true", help="minutes of this thread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=("val", "test"), default="test", help="to measure on")
    parser.add_argument("--data", default="data/graphs")
    parser.add_argument("--out", type=Path, default=Path("runs/graphs"))
    args = parser.parse_args(words)
    if not args.minutes > 0:
        parser.error(f"expected --minutes above 0 (got {args.minutes})")
    args.out.mkdir(parents=True, exist_ok=True)
    clock = time.thread_time if args.processor_time else time.monotonic
    num_vectors, batch_size, lr, kl_weight = SETTINGS[args.family]

    torch.manual_seed(args.seed)
    train = GenericGraphs(args.data, args.family, pre_transform=SpectralOrder(num_vectors))
    loader = ResidentLoader(train, batch_size, shuffle=True, seed=args.seed)
    sizes = train.size_histogram().tolist()
    model: dict[str, Any] = {"latent_channels": 64, "pair_channels": 32, "num_layers": 2}
    model |= {"creation": args.creation, "num_reference_points": len(sizes) - 1, "num_rounds": 1}
    vae = build_graph_vae(1, (1,), sizes, prior="rectified_flow", prior_channels=256, **model)
    average = copy.deepcopy(vae).requires_grad_(False)
    loss_fn = GraphVAELoss(CanonicalMatcher(), (1,), UNUSED)
    optimizer = torch.optim.Adam(vae.parameters(), lr=lr)
    parts = {"model": vae, "average": average, "optimizer": optimizer, "loader": loader}
    step, spent, latents, checkpoint = 0, 0.0, None, args.out / "checkpoint.pt"
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        step, spent = state["step"], state["spent"]
        for name, part in parts.items():
            part.load_state_dict(state[name])
    begin, saved, progress = clock(), time.monotonic(), spent / (60 * args.minutes)
    bar = tqdm(total=round(60 * args.minutes), initial=round(spent), unit="s", desc="training")
    while progress < 1:
        for batch in loader:
            progress = min(1.0, (elapsed := spent + clock() - begin) / (60 * args.minutes))
            share = progress / JOINT if progress < JOINT else (progress - JOINT) / (1 - JOINT)
            decay = 0.5 * (1 + math.cos(math.pi * share))
            optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / 50) * decay
            if progress < JOINT:
                output = vae(batch)
                terms = loss_fn(output.distribution, batch, output.posterior)
                loss = terms["loss"] + kl_weight * min(1.0, 0.02 + share / 0.3) * terms["kl"]
            else:  # Of the batch, nothing counts: encoder and decoder no longer change.
                if latents is None:
                    graphs = loader.gather(loader.indices)
                    latents, num_nodes = vae.encode(graphs).mean.detach(), graphs.ptr.diff()
                    for each in (vae.prior, average.prior):
                        each.standardise(latents.mean(dim=0), latents.std(dim=0).clamp(min=1e-3))
                index = torch.randint(len(train), (256,))
                loss = vae.prior.loss(latents[index], num_nodes[index])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 5.0)
            optimizer.step()
            step += 1
            current = [p.detach() for p in vae.parameters()]
            torch._foreach_lerp_([*average.parameters()], current, max(0.01, 10 / (10 + step)))
            bar.n = round(elapsed)
            bar.set_postfix(step=step, loss=f"{float(loss.detach()):.2f}")
            if progress == 1 or time.monotonic() - saved > 30:
                saved = time.monotonic()
                states = {name: part.state_dict() for name, part in parts.items()}
                torch.save({**states, "step": step, "spent": elapsed}, args.out / "draft.tmp")
                os.replace(args.out / "draft.tmp", checkpoint)  # It is there whole or not at all.
            if progress == 1:
                break
    bar.close()

    held_out = GenericGraphs(args.data, args.family, args.split, pre_transform=train.pre_transform)
    generated = average.sample(len(held_out), generator=torch.manual_seed(args.seed), temperature=1)
    label = f"{args.family}, {args.creation}, {step} steps, {args.split} split"
    metrics = GraphMetrics(train, held_out, valid=args.family, label=label)
    metrics.update(generated)
    fitting = [graph for graph in held_out if graph.num_nodes < len(sizes)]
    batches = [Batch.from_data_list(graphs) for graphs in (list(train), fitting)]
    nats = [float(loss_fn(average(each).distribution, each)["loss"]) for each in batches]
    print("Reconstruction, nats a graph: {:.1f} train, {:.1f} {}".format(*nats, args.split))
    print(report := metrics.compute(), *([QUOTED] if args.family == "planar" else []), sep="\n")
    if importlib.util.find_spec("matplotlib") is not None:
        draw([*generated.to_data_list()[:6], *train[:6]], args.out / "graphs.png")
        print(f"A picture of generated and training graphs is in {args.out}")
    return {**report.to_dict(), "nats": nats}


if __name__ == "__main__":
    main()
