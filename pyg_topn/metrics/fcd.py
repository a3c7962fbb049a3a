"""Frechet ChemNet distance."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_topn.metrics._chemnet import chemnet_activations
from pyg_topn.utils.optional import require

_Moments = tuple[NDArray[np.float64], NDArray[np.float64]]


class FrechetChemNetDistance:
    r"""The Frechet ChemNet distance to a fixed set of reference molecules.

    From `"Frechet ChemNet Distance" <https://doi.org/10.1021/acs.jcim.8b00234>`_ (Preuer et al.,
    2018): the Frechet distance between the Gaussians fitted to ChemNet's activations,

    .. math::
        \|\mu_1 - \mu_2\|^2 + \mathrm{tr}(C_1 + C_2 - 2 (C_1 C_2)^{1/2}).

    The weights come with the :obj:`fcd` package; nothing is downloaded. The distance depends on
    the number of molecules: below a few thousand its bias is larger than most differences.

    Args:
        reference: SMILES of the reference. Canonicalised; unparsable ones are skipped.
        max_reference: Use a random subset of this size if the reference is larger.
        seed: Seed of that subset.
        cache_dir: Folder in which the reference's mean and covariance are kept between
            processes. By default :obj:`pyg_topn` in the user's cache folder; :obj:`False` keeps
            nothing. A folder that cannot be written to is not an error.
        batch_size: Molecules that ChemNet reads at a time.
        device: Where ChemNet runs. By default the GPU if there is one.

    Raises:
        ImportError: If the package :obj:`fcd` is missing.
        ValueError: If fewer than two reference molecules can be parsed.

    Example:
        >>> distance = FrechetChemNetDistance(["CCO", "CCN", "C#N"], cache_dir=False)
        >>> distance.compute(["CCO", "C1CC1", "CC=O"]) > 1
        True
    """

    def __init__(
        self,
        reference: Sequence[str],
        *,
        max_reference: int = 10_000,
        seed: int = 0,
        cache_dir: str | os.PathLike[str] | bool | None = None,
        batch_size: int = 256,
        device: str | torch.device | None = None,
    ) -> None:
        require("fcd", extra="fcd")
        reference = list(reference)
        self.batch_size, self.device = batch_size, device
        self.description = f"{len(reference):,} reference molecules"
        if len(reference) > max_reference:
            picked = np.random.default_rng(seed).choice(
                len(reference), max_reference, replace=False
            )
            self.description = f"{max_reference:,} of {self.description}, seed {seed}"
            reference = [reference[index] for index in np.sort(picked)]
        self._path = _cache_path(reference, cache_dir)
        self._moments = _read_moments(self._path)
        if self._moments is None:
            self._moments = self._fit(reference, "reference")
            _write_moments(self._path, self._moments)

    def compute(self, smiles: Sequence[str]) -> float:
        r"""The distance between these molecules and the reference.

        Args:
            smiles: SMILES strings, duplicates included. Unparsable ones are skipped.

        Raises:
            ValueError: If fewer than two of them can be parsed.
        """
        assert self._moments is not None
        return frechet_distance(*self._fit(smiles, "generated"), *self._moments)

    def _fit(self, smiles: Sequence[str], name: str) -> _Moments:
        canonical = _canonical(smiles)
        if len(canonical) < 2:
            raise ValueError(f"Expected at least 2 valid {name} molecules (got {len(canonical)})")
        rows = chemnet_activations(canonical, self.batch_size, self.device).astype(np.float64)
        return rows.mean(axis=0), np.cov(rows.T)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.description})"


def frechet_distance(
    mean1: NDArray[np.float64],
    cov1: NDArray[np.float64],
    mean2: NDArray[np.float64],
    cov2: NDArray[np.float64],
) -> float:
    r"""Frechet distance between two Gaussians with means :obj:`[D]` and covariances :obj:`[D, D]`.

    The trace of :math:`(C_1 C_2)^{1/2}` is that of :math:`(C_1^{1/2} C_2 C_1^{1/2})^{1/2}`, whose
    matrix is symmetric: its eigenvalues are real even where the covariances are singular.

    Example:
        >>> one, two = np.eye(2), 4 * np.eye(2)
        >>> round(frechet_distance(np.zeros(2), one, np.ones(2), two), 6)
        4.0
    """
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov2 @ root).clip(min=0)).sum()
    difference = mean1 - mean2
    return float(difference @ difference + np.trace(cov1) + np.trace(cov2) - 2 * cross)


def _canonical(smiles: Sequence[str]) -> list[str]:
    chem = require("rdkit.Chem", extra="chem")
    canonical: dict[str, str | None] = {}
    with require("rdkit.rdBase", extra="chem").BlockLogs():
        for text in set(smiles):
            mol = chem.MolFromSmiles(text) if text else None
            # Stereo marks are dropped on both sides: a generated graph has none.
            canonical[text] = None if mol is None else chem.MolToSmiles(mol, isomericSmiles=False)
    return [known for text in smiles if (known := canonical[text])]


def _cache_path(
    reference: Sequence[str], folder: str | os.PathLike[str] | bool | None
) -> Path | None:
    if folder is False:
        return None
    if folder is None or folder is True:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        folder = os.path.join(base, "pyg_topn")
    version = require("fcd", extra="fcd").__version__
    text = "\n".join([f"fcd {version}", *reference])
    return Path(folder) / f"fcd-{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


def _read_moments(path: Path | None) -> _Moments | None:
    # A damaged file is computed again and replaced.
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        if path is not None:
            with np.load(path, allow_pickle=False) as stored:
                return stored["mean"], stored["covariance"]
    return None


def _write_moments(path: Path | None, moments: _Moments) -> None:
    if path is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            draft = Path(folder) / "draft.npz"
            np.savez(draft, mean=moments[0], covariance=moments[1])
            os.replace(draft, path)
