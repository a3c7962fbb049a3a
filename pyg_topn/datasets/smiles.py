"""Molecules from any list or file of SMILES."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from pyg_topn.datasets._cached_dataset import Collated, fingerprint
from pyg_topn.datasets._collate import collate_molecules
from pyg_topn.datasets._molecule_dataset import MoleculeDataset
from pyg_topn.datasets._parse import RDKIT_PROPERTIES, ParsedSmiles, parse_smiles
from pyg_topn.datasets.smiles_file import read_smiles_file
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils._files import write_at_once
from pyg_topn.utils.elements import ELEMENTS, MAX_VALENCES


class SmilesDataset(MoleculeDataset):
    r"""Molecules from SMILES, as graphs in the format of :class:`HeavyAtomQM9`.

    What cannot be represented is left out and reported: :attr:`dropped` lists line number, SMILES
    and reason, and one line on standard error sums up. Formally charged atoms are stored as neutral
    ones; :attr:`num_charged` counts their molecules. Stereochemistry and isotopes are not stored.
    :obj:`idx` is a molecule's position in the input, counted from 0.

    Args:
        root: Folder for the processed files. Another input, vocabulary or option has another
            file, so that nothing stale is read.
        smiles: SMILES, or the path of a ``.smi``, ``.txt`` or ``.csv`` file (which may be
            compressed as ``.gz`` or ``.xz``).
        vocabulary: The atom and bond types; by default the elements that are found, the most
            frequent first.
        transform: Applied to a graph at every access.
        pre_transform: Applied to every graph before it is stored.
        pre_filter: Says of every graph whether to store it.
        largest_fragment: Whether to keep the largest fragment of a molecule in pieces, of which
            :obj:`smiles` is then stored, rather than to drop the molecule.
        properties: Properties that RDKit computes as columns of :obj:`y` :math:`[1, K]`, see
            :class:`HeavyAtomQM9`.
        processes: Number of processes that parse; the number of usable CPU cores by default.
        log: Whether to show progress and the summary on standard error.
        force_reload: Whether to process again.

    Raises:
        TypeError: If SMILES are not strings.
        ValueError: If there is no usable molecule, the file cannot be read, or a property is
            unknown.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> smiles = ["CCO", "c1ccccc1", "C[Si]"]
        >>> with TemporaryDirectory() as root:
        ...     dataset = SmilesDataset(root, smiles, MoleculeVocabulary.qm9())
        >>> len(dataset), dataset.dropped
        (2, [(3, 'C[Si]', 'atom outside the vocabulary (Si)')])
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        smiles: Iterable[str] | str | os.PathLike[str],
        vocabulary: MoleculeVocabulary | None = None,
        transform: Callable[..., Any] | None = None,
        pre_transform: Callable[..., Any] | None = None,
        pre_filter: Callable[..., Any] | None = None,
        *,
        largest_fragment: bool = False,
        properties: Sequence[str] = (),
        processes: int | None = None,
        log: bool = True,
        force_reload: bool = False,
    ) -> None:
        if vocabulary is not None and not isinstance(vocabulary, MoleculeVocabulary):
            raise TypeError(f"Expected a MoleculeVocabulary (got {type(vocabulary).__name__})")
        for name in properties:
            if name not in RDKIT_PROPERTIES:
                known = list(RDKIT_PROPERTIES)
                raise ValueError(f"Expected 'properties' to list some of {known} (got {name!r})")
        self._lines = _numbered(smiles)
        self._given = vocabulary
        self.largest_fragment, self.properties = largest_fragment, tuple(properties)
        self.processes = processes
        given = None if vocabulary is None else vocabulary.to_dict()
        self.cache_name = fingerprint(self._lines, given, largest_fragment, self.properties)
        super().__init__(root, transform, pre_transform, pre_filter, log, force_reload)

    @property
    def processed_file_names(self) -> list[str]:
        return ["data.pt", "report.json"]

    def collated(self) -> Collated:
        given = self._given
        parsed = parse_smiles(
            [smiles for _, smiles in self._lines],
            atomic_numbers=None if given is None else given.atomic_numbers,
            bond_orders=(1.0, 2.0, 3.0) if given is None else given.bond_orders,
            largest_fragment=self.largest_fragment,
            properties=self.properties,
            processes=self.processes,
            progress=self.show_progress,
        )
        self.dropped = [(*self._lines[index], reason) for index, reason in parsed.dropped]
        self.num_charged = int(parsed.charged.sum())
        if not parsed.smiles:
            raise ValueError(f"Expected at least one usable molecule (got none: {self.summary()})")
        self.vocabulary = given or infer_vocabulary(parsed)
        self._write_report()
        index = torch.from_numpy(parsed.kept)
        y = torch.from_numpy(parsed.y) if self.properties else None
        return collate_molecules(parsed, self.vocabulary, index, y, self.show_progress)

    def summary(self) -> str:
        """Say in one line what was kept and what was dropped, and why."""
        reasons = defaultdict(list)
        for _, _, reason in self.dropped:
            kind, _, detail = reason.partition(" (")
            reasons[kind].append(detail.rstrip(")"))
        parts = [f"kept {len(self._lines) - len(self.dropped)} of {len(self._lines)} molecules"]
        for kind, details in sorted(reasons.items(), key=lambda item: -len(item[1])):
            names = f" ({', '.join(sorted(set(details)))})" if "vocabulary" in kind else ""
            parts.append(f"dropped {len(details)}: {kind}{names}")
        if self.num_charged:
            parts.append(f"{self.num_charged} hold charged atoms, stored as neutral")
        return "; ".join(parts)

    def _write_report(self) -> None:
        logging.getLogger(__name__).info(self.summary())
        if self.show_progress:
            tqdm.write(f"SmilesDataset: {self.summary()}", file=sys.stderr)
        report = {
            "vocabulary": self.vocabulary.to_dict(),
            "dropped": self.dropped,
            "num_charged": self.num_charged,
        }
        text = json.dumps(report, indent=1)
        write_at_once(self.processed_paths[1], lambda path: path.write_text(text, "utf-8"))

    def load(self, path: str, *args: Any) -> None:
        """Load the molecules and the report about them."""
        super().load(path, *args)
        with open(self.processed_paths[1], encoding="utf-8") as file:
            report = json.load(file)
        self.vocabulary = MoleculeVocabulary.from_dict(report["vocabulary"])
        self.dropped = [(line, smiles, reason) for line, smiles, reason in report["dropped"]]
        self.num_charged = report["num_charged"]


def _numbered(smiles: Iterable[str] | str | os.PathLike[str]) -> list[tuple[int, str]]:
    if isinstance(smiles, (str, os.PathLike)):
        return read_smiles_file(smiles)
    lines = []
    for number, text in enumerate(smiles, 1):
        if not isinstance(text, str):
            raise TypeError(f"Expected SMILES to be strings (got {type(text).__name__})")
        lines.append((number, str(text).strip()))
    if not lines:
        raise ValueError("Expected at least one SMILES (got an empty list)")
    return lines


def infer_vocabulary(parsed: ParsedSmiles) -> MoleculeVocabulary:
    """The elements of molecules, the most frequent first."""
    counts = np.bincount(parsed.atomic_number)
    order = [int(number) for number in np.argsort(-counts, kind="stable") if counts[number]]
    start = np.repeat(parsed.num_nodes.cumsum() - parsed.num_nodes, parsed.num_edges)
    degree = np.bincount(
        parsed.edge_index[0] + start, parsed.bond_order, minlength=parsed.atomic_number.size
    )
    # Of elements without a usual valence, what the molecules show.
    found = [int(degree[parsed.atomic_number == number].max()) for number in order]
    valences = [
        MAX_VALENCES.get(ELEMENTS[number], max(valence, 1))
        for number, valence in zip(order, found, strict=True)
    ]
    return MoleculeVocabulary(tuple(ELEMENTS[n] for n in order), valences=tuple(valences))
