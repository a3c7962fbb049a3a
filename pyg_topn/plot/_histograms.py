"""Histograms of generated molecules against those of the data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_topn.metrics.properties import PROPERTIES, MoleculeProperties, total_variation
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles
from pyg_topn.plot._figure import DATA, GENERATED, check_path, label, panels, save, shared_range

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_VALUES = {
    "weight": ("molecular weight", "g/mol"),
    "logp": ("logP (Crippen)", "logP"),
    "qed": ("drug-likeness (QED)", "QED, 0 to 1"),
    "sa": ("synthetic accessibility (SA)", "1 (easy) to 10 (hard)"),
}
_COUNTS = {
    "atom_type": ("atom types", "element", "percent of atoms"),
    "bond_type": ("bond types (kekulised)", "bond", "percent of bonds"),
    "ring_count": ("rings", "rings in a molecule", "percent of molecules"),
    "ring_size": ("ring sizes", "atoms in a ring", "percent of rings"),
}


def plot_histograms(
    generated: Sequence[Mol | str | None],
    reference: Sequence[Mol | str | None],
    path: str | os.PathLike[str],
    *,
    properties: Sequence[str] = PROPERTIES,
    max_molecules: int = 2_000,
    seed: int = 0,
    names: tuple[str, str] = ("generated", "data"),
    title: str = "",
) -> Path:
    r"""Draw sizes, structure and properties of generated molecules over those of the data.

    Sizes are those of all molecules that can be read, everything else is of the valid ones. Each
    panel states the distance between the two histograms (total variation, TV) or samples
    (Wasserstein, W).

    Args:
        generated: RDKit molecules or SMILES strings.
        reference: The data, in the same forms.
        path: File to write, ending in :obj:`.png`, :obj:`.pdf` or :obj:`.svg`.
        properties: Which of :obj:`"weight"`, :obj:`"logp"`, :obj:`"qed"` and :obj:`"sa"`.
        max_molecules: Compute them on a random subset of this size on each side.
        seed: Seed of the subset.
        names: What the two are called in the legend.
        title: Heading of the figure.

    Returns:
        The path.

    Raises:
        ValueError: If one side has no valid molecule, a property is unknown, or the suffix is no
            format.
        OSError: If the folder cannot be written to.

    Example:
        >>> plot_histograms(["CCO", "CC"], ["CCN", "CO"], "properties.png")  # doctest: +SKIP
    """
    path = check_path(path)
    one, other = (
        MoleculeProperties.from_molecules(
            [molecule for molecule in side if molecule is not None],
            names=properties,
            max_molecules=max_molecules,
            seed=seed,
        )
        for side in (generated, reference)
    )
    sizes, other_sizes = _sizes(generated), _sizes(reference)
    distances = one.distances(other)
    figure, axes = panels(1 + len(properties) + len(_COUNTS), 3, title, (3.7, 2.8))
    _bars(axes[0], sizes, other_sizes, names)
    _describe(axes[0], "size", "heavy atoms", "percent of molecules", sizes, other_sizes)
    for axis, name in zip(axes[1:], properties, strict=False):
        _densities(axis, one.values[name], other.values[name])
        text, unit = _VALUES[name]
        label(axis, f"{text}\nW = {distances[name]:.3g}", unit, "density")
    for axis, (name, texts) in zip(axes[1 + len(properties) :], _COUNTS.items(), strict=True):
        counts, other_counts = one.histograms[name], other.histograms[name]
        _bars(axis, counts, other_counts, names)
        _describe(axis, *texts, counts, other_counts)
    axes[0].legend(fontsize=8, frameon=False)
    return save(figure, path)


def _sizes(molecules: Sequence[Mol | str | None]) -> dict[str, int]:
    counts: Counter[int] = Counter()
    for molecule in molecules:
        if molecule is not None:
            graph = read_smiles(molecule) if isinstance(molecule, str) else neutral_graph(molecule)
            if graph is not None:
                counts[graph.GetNumAtoms()] += 1
    return {str(size): counts[size] for size in range(min(counts), max(counts) + 1)}


def _bars(
    axis: Any, counts: Mapping[str, int], other: Mapping[str, int], names: tuple[str, str]
) -> None:
    """Two bars for every key, in percent of their side's total."""

    def rank(key: str) -> tuple[int, str]:
        # Numbers ascend; names come by their frequency in the data.
        return (int(key), "") if key.isdigit() else (-other.get(key, 0), key)

    keys = sorted({*counts, *other}, key=rank)
    places = np.arange(len(keys))
    sides = ((other, DATA, names[1], -0.2), (counts, GENERATED, names[0], 0.2))
    for values, colour, name, shift in sides:
        total = max(1, sum(values.values()))
        heights = [100 * values.get(key, 0) / total for key in keys]
        axis.bar(places + shift, heights, width=0.4, color=colour, label=name)
    axis.set_xticks(places, [key.lower() if len(key) > 2 else key for key in keys])
    axis.grid(False, axis="x")


def _describe(
    axis: Any,
    title: str,
    x: str,
    y: str,
    counts: Mapping[str, int],
    other: Mapping[str, int],
) -> None:
    label(axis, f"{title}\nTV = {total_variation(counts, other):.3f}", x, y)


def _densities(axis: Any, values: np.ndarray, other: np.ndarray) -> None:
    edges = np.linspace(*shared_range((values, other)), 31)
    axis.hist(other, bins=edges, density=True, color=DATA)
    axis.hist(values, bins=edges, density=True, histtype="step", color=GENERATED, linewidth=1.8)
