"""What the canonical order costs, and how predictable it makes the slots of QM9.

Usage: python benchmarks/canonical_order.py [--root data/qm9] [--molecules 130831]

Prints the seconds for QM9, for batches of it and for symmetric graphs, and the sums of the marginal
entropies (nats) of the edge class of all pairs of slots and of the atom type of all slots, for the
order of the SMILES, a random one and the canonical one. The lower, the less a decoder has to guess.
"""

from __future__ import annotations

import argparse
import time

import networkx as nx
import numpy as np

from pyg_topn.datasets import HeavyAtomQM9
from pyg_topn.utils.canonical import canonical_order

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

SYMMETRIC = {
    "cycle of 300": nx.cycle_graph(300),
    "complete graph of 40": nx.complete_graph(40),
    "grid, 10 x 10": nx.grid_2d_graph(10, 10),
    "hypercube, 64 nodes": nx.hypercube_graph(6),
    "rook's graph, 8 x 8": nx.line_graph(nx.complete_bipartite_graph(8, 8)),
    "10 hexagons": nx.disjoint_union_all([nx.cycle_graph(6)] * 10),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="data/qm9", help="folder of the dataset's cache")
    parser.add_argument("--molecules", type=int, default=130_831, help="how many to take")
    options = parser.parse_args()
    graphs = load(options.root, options.molecules)
    print(f"{'graphs':28s} {'nodes':>9s} {'seconds':>9s}")
    order = timed("QM9", graphs)
    for size in (128, 512, 2048):
        timed(f"{size} molecules", last(graphs, size), repeats=10)
    for name, graph in SYMMETRIC.items():
        timed(name, arrays(graph))
    print(f"\n{'order':28s} {'edges':>9s} {'nodes':>9s} {'sum':>9s}   nats")
    local = np.arange(order.size) - start_of(graphs[1])
    noise = np.random.default_rng(0).random(order.size)
    shuffled = np.lexsort((noise, start_of(graphs[1]))) - start_of(graphs[1])
    for name, slots in {"SMILES": local, "random": shuffled, "canonical": order}.items():
        edges, nodes = entropies(graphs, slots)
        print(f"{name:28s} {edges:9.2f} {nodes:9.2f} {edges + nodes:9.2f}")


def load(root: str, num_molecules: int) -> Arrays:
    """QM9 as the arguments of canonical_order."""
    dataset = HeavyAtomQM9(root)
    data, slices = dataset._data, dataset.slices
    num_nodes, num_edges = slices["x"].diff().numpy(), slices["edge_index"].diff().numpy()
    offset = np.repeat(slices["x"][:-1].numpy(), num_edges)
    node_label, edge_label = data.x.argmax(dim=1).numpy(), data.edge_attr.argmax(dim=1).numpy()
    edge_index = data.edge_index.numpy() + offset
    return last((edge_index, num_nodes, node_label, edge_label), num_molecules)


def last(graphs: Arrays, size: int) -> Arrays:
    """The last graphs of a batch: QM9 begins with the small molecules."""
    edge_index, num_nodes, node_label, edge_label = graphs
    start = num_nodes[: max(0, num_nodes.size - size)].sum()
    kept = edge_index[0] >= start
    return edge_index[:, kept] - start, num_nodes[-size:], node_label[start:], edge_label[kept]


def arrays(graph: nx.Graph) -> Arrays:
    """A networkx graph without labels."""
    graph = nx.convert_node_labels_to_integers(graph)
    edges = np.array(graph.edges()).T
    edge_index = np.concatenate([edges, edges[::-1]], axis=1)
    num_nodes, zeros = np.array([len(graph)]), np.zeros(edge_index.shape[1], dtype=np.int64)
    return edge_index, num_nodes, np.zeros(len(graph), dtype=np.int64), zeros


def timed(name: str, graphs: Arrays, repeats: int = 1) -> np.ndarray:
    """Print the seconds of one call, the median of some."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        order = canonical_order(*graphs)
        seconds.append(time.perf_counter() - start)
    print(f"{name:28s} {order.size:9d} {np.median(seconds):9.4f}", flush=True)
    return order


def start_of(num_nodes: np.ndarray) -> np.ndarray:
    """For every node the first node of its graph. [N]"""
    return np.repeat(np.cumsum(num_nodes) - num_nodes, num_nodes)


def entropies(graphs: Arrays, order: np.ndarray) -> tuple[float, float]:
    """Sums over pairs of slots and over slots; a slot that is not there is a class too."""
    edge_index, num_nodes, node_label, edge_label = graphs
    start, largest = start_of(num_nodes), int(num_nodes.max())
    node, slot = order + start, np.arange(order.size) - start
    place = np.empty_like(node)
    place[node] = slot
    row, column = place[edge_index]
    graph = np.repeat(np.arange(num_nodes.size), num_nodes)
    bonds = np.zeros((largest, largest, num_nodes.size), dtype=np.int64)
    bonds[row, column, graph[edge_index[0]]] = edge_label + 1
    atoms = np.zeros((largest, num_nodes.size), dtype=np.int64)
    atoms[slot, graph] = node_label[node] + 1
    pairs = zip(*np.triu_indices(largest, 1), strict=True)
    return sum(entropy(bonds[i, j]) for i, j in pairs), sum(map(entropy, atoms))


def entropy(classes: np.ndarray) -> float:
    """Entropy of the frequencies of some classes, in nats."""
    share = np.bincount(classes) / classes.size
    return float(-(share[share > 0] * np.log(share[share > 0])).sum())


if __name__ == "__main__":
    main()
