"""The statistics of a graph of which samples are compared: histograms and orbit counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pyg_topn.metrics._plain_graphs import Ints, PlainGraph, concatenate
from pyg_topn.metrics.orbits import orbit_counts, triangle_counts

Floats = NDArray[np.float64]

CLUSTERING_BINS = 100  # of [0, 1]
SPECTRUM_BINS = 200
SPECTRUM = (-1e-5, 2.0)
CHUNK = 64  # graphs whose triangles and orbits are counted at once, as components of one


@dataclass(frozen=True, eq=False)
class GraphStatistics:
    """Every statistic of B graphs.

    Args:
        degree: Shares of the nodes by degree, [B, D].
        clustering: Shares of the nodes by clustering coefficient, [B, 100].
        orbit: Orbit counts, means over the nodes, [B, 15].
        spectrum: Shares of the eigenvalues of the normalised Laplacian, [B, 200].
    """

    degree: Floats
    clustering: Floats
    orbit: Floats
    spectrum: Floats


def graph_statistics(graphs: Sequence[PlainGraph]) -> GraphStatistics:
    """Compute all statistics of graphs that have nodes."""
    parts = [
        _local_statistics(graphs[first : first + CHUNK]) for first in range(0, len(graphs), CHUNK)
    ]
    degree, clustering, orbit = zip(*parts, strict=True)
    widest = max(part.shape[1] for part in degree)
    return GraphStatistics(
        np.concatenate([_pad(part, widest) for part in degree]),
        np.concatenate(clustering),
        np.concatenate(orbit),
        np.stack([_spectrum(graph) for graph in graphs]),
    )


def pad_alike(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Give both as many columns, those that are missing being zero."""
    width = max(x.shape[1], y.shape[1])
    return _pad(x, width), _pad(y, width)


def _pad(x: Floats, width: int) -> Floats:
    return np.pad(x, ((0, 0), (0, width - x.shape[1])))


def _local_statistics(graphs: Sequence[PlainGraph]) -> tuple[Floats, Floats, Floats]:
    """Degrees [B, D], clustering [B, 100] and orbits [B, 15] of some graphs."""
    edge_index, size, _, _ = concatenate(graphs)
    total = int(size.sum())
    graph = np.repeat(np.arange(size.size), size)
    ones = np.ones(edge_index.shape[1])
    adjacency = csr_array((ones, (edge_index[0], edge_index[1])), shape=(total, total))
    degree = np.bincount(edge_index[0], minlength=total)
    closed = 2 * triangle_counts(adjacency)[0]
    clustering = np.divide(closed, degree * (degree - 1), out=np.zeros(total), where=degree > 1)
    orbits = np.zeros((size.size, 15))
    np.add.at(orbits, graph, orbit_counts(edge_index, total))
    return (
        _shares(degree, graph, size, int(degree.max(initial=0)) + 1),
        _shares(_bins(clustering, 0.0, 1.0, CLUSTERING_BINS), graph, size, CLUSTERING_BINS),
        orbits / size[:, None],
    )


def _shares(column: Ints, graph: Ints, size: Ints, width: int) -> Floats:
    """Shares of the nodes of every graph in every column, [B, width]."""
    counts = np.bincount(graph * width + column, minlength=size.size * width)
    return counts.reshape(-1, width) / size[:, None]


def _bins(values: Floats, low: float, high: float, bins: int) -> Ints:
    """The bins of :func:`numpy.histogram`, of which the last includes its end."""
    edges = np.linspace(low, high, bins + 1)
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)


def normalized_spectrum(graph: PlainGraph) -> Floats:
    """The eigenvalues of the normalised Laplacian, between 0 and 2, ascending. [n]"""
    adjacency = np.zeros((graph.num_nodes, graph.num_nodes))
    adjacency[graph.edge_index[0], graph.edge_index[1]] = 1
    degree = adjacency.sum(axis=1)
    # The row of a node without neighbours is zero, as in networkx.
    scale = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    laplacian = np.diag((degree > 0).astype(float)) - scale[:, None] * adjacency * scale
    return np.clip(np.linalg.eigvalsh(laplacian), 0, 2)


def _spectrum(graph: PlainGraph) -> Floats:
    column = _bins(normalized_spectrum(graph), *SPECTRUM, SPECTRUM_BINS)
    return np.bincount(column, minlength=SPECTRUM_BINS) / graph.num_nodes
