"""QM9 as graphs of heavy atoms, from a file in the package."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_topn.datasets._cached_dataset import Collated
from pyg_topn.datasets._collate import collate_molecules
from pyg_topn.datasets._molecule_dataset import MoleculeDataset
from pyg_topn.datasets._parse import RDKIT_PROPERTIES, parse_smiles
from pyg_topn.datasets._qm9_files import (
    DFT_PROPERTIES,
    check_split,
    dft_properties,
    gdb_rows,
    qm9_smiles,
    split_rows,
)
from pyg_topn.molecule import MoleculeVocabulary

__all__ = ["HeavyAtomQM9", "qm9_smiles"]


class HeavyAtomQM9(MoleculeDataset):
    r"""The 130,831 molecules of `QM9 <https://doi.org/10.1038/sdata.2014.22>`_ without hydrogens.

    Nothing is downloaded: the SMILES come with the package. Processing them takes some ten
    seconds and needs RDKit; afterwards a file in :obj:`root` is read. A molecule is a
    :class:`~torch_geometric.data.Data` with

    * :obj:`x` :math:`[n, 4]`: C, N, O, F, one-hot; :math:`1 \leq n \leq 9`;
    * :obj:`edge_index` :math:`[2, e]`: both directions, sorted;
    * :obj:`edge_attr` :math:`[e, 3]`: single, double, triple (kekulised), one-hot;
    * :obj:`smiles`, and :obj:`idx` :math:`[1]`: its row in the table of GDB-9, counted from 0;
    * :obj:`canonical_index` :math:`[n]`: the node at each position of a canonical order, see
      :class:`~pyg_topn.transforms.CanonicalOrder`;
    * :obj:`y` :math:`[1, K]` if :obj:`properties` are asked for.

    580 molecules hold formally charged atoms; their graphs hold them as neutral.

    Args:
        root: Folder for the processed files.
        split: :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for all. The splits are
            those of `DiGress <https://arxiv.org/abs/2209.14734>`_, molecule for molecule: 97,734,
            20,042 and 13,055.
        properties: Names of the columns of :obj:`y`. RDKit computes :obj:`"weight"`,
            :obj:`"logp"`, :obj:`"qed"` (slow), :obj:`"tpsa"`, :obj:`"num_rings"`,
            :obj:`"num_h_donors"`, :obj:`"num_h_acceptors"`, :obj:`"num_rotatable_bonds"`. From the
            installed package :obj:`qm9pack` come :obj:`"mu"` (D), :obj:`"alpha"`
            (:math:`a_0^3`), :obj:`"homo"`, :obj:`"lumo"`, :obj:`"gap"`, :obj:`"zpve"`,
            :obj:`"u0"`, :obj:`"u298"`, :obj:`"h298"`, :obj:`"g298"` (all eV), :obj:`"r2"`
            (:math:`a_0^2`) and :obj:`"cv"` (cal/(mol K)), in the units of
            :class:`torch_geometric.datasets.QM9`.
        transform: Applied to a graph at every access.
        pre_transform: Applied to every graph before it is stored.
        pre_filter: Says of every graph whether to store it.
        processes: Number of processes that parse; the number of usable CPU cores by default.
        log: Whether to show progress on standard error.
        force_reload: Whether to process again.

    Raises:
        ValueError: If a split or property is unknown, or the cache file is damaged.
        ImportError: If RDKit, or qm9pack for its properties, is needed and not installed.

    Example:
        >>> dataset = HeavyAtomQM9("data/qm9", split="train")  # doctest: +SKIP
        >>> dataset[0]  # doctest: +SKIP
        Data(x=[1, 4], edge_index=[2, 0], edge_attr=[0, 3], smiles='C', canonical_index=[1], ...)
    """

    vocabulary = MoleculeVocabulary.qm9()

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str | None = None,
        properties: Sequence[str] = (),
        transform: Callable[..., Any] | None = None,
        pre_transform: Callable[..., Any] | None = None,
        pre_filter: Callable[..., Any] | None = None,
        *,
        processes: int | None = None,
        log: bool = True,
        force_reload: bool = False,
    ) -> None:
        check_split(split)
        known = (*RDKIT_PROPERTIES, *DFT_PROPERTIES)
        for name in (properties,) if isinstance(properties, str) else properties:
            if isinstance(properties, str) or name not in known:
                raise ValueError(f"Expected 'properties' to list some of {known} (got {name!r})")
        self.split, self.properties, self.processes = split, tuple(properties), processes
        self.cache_name = "-".join([split or "all", *self.properties])
        super().__init__(root, transform, pre_transform, pre_filter, log, force_reload)

    def collated(self) -> Collated:
        rows = split_rows(self.split)
        y = self._dft_properties(rows)
        computed = [name for name in self.properties if name in RDKIT_PROPERTIES]
        parsed = parse_smiles(
            qm9_smiles(self.split),
            atomic_numbers=self.vocabulary.atomic_numbers,
            properties=computed,
            processes=self.processes,
            progress=self.show_progress,
        )
        for column, name in enumerate(computed):
            y[name] = parsed.y[:, column]
        index = torch.from_numpy(gdb_rows()[rows])
        target = self._target(y)
        return collate_molecules(parsed, self.vocabulary, index, target, self.show_progress)

    def _dft_properties(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        names = [name for name in self.properties if name in DFT_PROPERTIES]
        return dict(zip(names, dft_properties(names)[rows].T, strict=True)) if names else {}

    def _target(self, y: dict[str, np.ndarray]) -> Tensor | None:
        if not self.properties:
            return None
        return torch.from_numpy(np.stack([y[name] for name in self.properties], axis=1)).float()
