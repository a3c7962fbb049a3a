"""Distances of samples of graphs, in the two conventions of the literature."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyg_topn.metrics._graph_statistics import CLUSTERING_BINS, GraphStatistics, pad_alike
from pyg_topn.metrics.mmd import (
    Kernel,
    gaussian_emd_kernel,
    gaussian_kernel,
    gaussian_tv_kernel,
    squared_mmd,
)

STATISTICS = ("degree", "clustering", "orbit", "spectrum")

#: A convention is named after who uses it.
KERNELS: Mapping[str, Mapping[str, Kernel]] = {
    "gdss": {
        "degree": gaussian_emd_kernel,
        "clustering": partial(gaussian_emd_kernel, sigma=0.1, bin_width=1 / CLUSTERING_BINS),
        "orbit": partial(gaussian_kernel, sigma=30.0),  # no histogram
        "spectrum": gaussian_emd_kernel,
    },
    "gran": {
        "degree": gaussian_tv_kernel,
        "clustering": partial(gaussian_tv_kernel, sigma=0.1),
        "orbit": partial(gaussian_tv_kernel, sigma=30.0),
        "spectrum": gaussian_tv_kernel,
    },
}

TITLES = {
    "gdss": "Gaussian of EMD (GDSS)",
    "gran": "Gaussian of TV (GRAN, SPECTRE, DiGress)",
}

Distances = dict[str, dict[str, float]]


def graph_distances(x: GraphStatistics, y: GraphStatistics) -> Distances:
    """Squared MMD by convention and statistic."""
    return {
        name: {
            statistic: squared_mmd(
                *pad_alike(getattr(x, statistic), getattr(y, statistic)), kernels[statistic]
            )
            for statistic in STATISTICS
        }
        for name, kernels in KERNELS.items()
    }


def distance_ratios(distances: Distances, unit: Distances) -> dict[str, dict[str, float | None]]:
    """Distances in units of others, and their mean; None where the unit is not positive."""
    ratios: dict[str, dict[str, float | None]] = {}
    for name, of_name in distances.items():
        each = {
            statistic: value / unit[name][statistic] if unit[name][statistic] > 1e-12 else None
            for statistic, value in of_name.items()
        }
        known = [value for value in each.values() if value is not None]
        ratios[name] = {**each, "mean": sum(known) / len(known) if known else None}
    return ratios
