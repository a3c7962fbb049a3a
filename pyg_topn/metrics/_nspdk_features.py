"""Mean feature vector of the neighbourhood subgraph pairwise distance kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Hash = NDArray[np.uint64]
Sparse = tuple[Hash, NDArray[np.float64]]  # Feature identifiers in ascending order, their values.
_CHUNK = 512
_FAR = 1 << 20


class _Padded(NamedTuple):
    """A chunk of molecules, padded with atoms and bonds at a distance that nothing asks for."""

    atom: Hash  # [B, n]
    distance: NDArray[np.int64]  # [B, n, n]
    bond: Hash  # [B, m]
    bond_distance: NDArray[np.int64]  # [B, n, m] from the atom to the nearer end of the bond


def mean_features(mols: Sequence[Mol], complexity: int) -> Sparse:
    r"""Mean over molecules of the kernel's unit-length feature vectors.

    A feature is a pair of neighbourhoods of equal radius :math:`r` around two atoms at distance
    :math:`d`, or the second of them alone, for :math:`r, d` up to the complexity. A neighbourhood
    is hashed from the multisets of atoms (element, degree) and bonds (order) in every ring of
    distances around its root. The features of each :math:`(r, d)` are scaled to unit length, then
    the whole vector is. Hashes have 64 bits, so that features do not collide.
    """
    order = sorted(range(len(mols)), key=lambda index: mols[index].GetNumAtoms())
    parts = []
    for start in range(0, len(order), _CHUNK):
        chunk = [mols[index] for index in order[start : start + _CHUNK]]
        parts.append(_chunk_features(_pad(chunk), complexity))
    ids, values = _sum_by_id(
        np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    )
    return ids, values / len(mols)


def _chunk_features(data: _Padded, complexity: int) -> Sparse:
    hashes, known = _neighbourhoods(data, complexity)  # both [B, n, complexity + 1]
    blocks = [
        _block(data.distance, hashes[..., radius], known[..., radius], radius, distance)
        for distance in range(complexity + 1)
        for radius in range(complexity + 1)
    ]
    graph = np.concatenate([block[0] for block in blocks])
    ids = np.concatenate([block[1] for block in blocks])
    values = np.concatenate([block[2] for block in blocks])
    norm = np.sqrt(np.bincount(graph, values**2, minlength=len(data.atom)))  # [B]
    return _sum_by_id(ids, values / norm[graph])


def _neighbourhoods(data: _Padded, complexity: int) -> tuple[Hash, NDArray[np.bool_]]:
    """Hash of the ball of every radius around every atom, and whether the graph reaches so far."""
    level = np.broadcast_to(np.uint64(0), data.atom.shape)
    hashes, known = [], []
    for depth in range(2 * complexity + 1):
        on_atoms = depth % 2 == 0
        steps = data.distance if on_atoms else data.bond_distance
        token = data.atom if on_atoms else data.bond
        inside = steps == depth // 2  # [B, n, n or m]
        ring = np.where(inside, token[:, None, :], np.uint64(0)).sum(axis=2)  # [B, n]
        level = _mix(level, _mix(ring, np.full_like(ring, depth)))
        if on_atoms:
            hashes.append(level)
            known.append(inside.any(axis=2))
    return np.stack(hashes, axis=-1), np.stack(known, axis=-1)


def _block(
    distances: NDArray[np.int64],
    hashes: Hash,
    known: NDArray[np.bool_],
    radius: int,
    distance: int,
) -> tuple[NDArray[np.int64], Hash, NDArray[np.float64]]:
    """Features of one radius and distance: molecule, identifier, value (unit length)."""
    graph, first, second = np.nonzero(
        (distances == distance) & known[:, :, None] & known[:, None, :]
    )
    one, other = hashes[graph, first], hashes[graph, second]
    pair = _mix(np.minimum(one, other), np.maximum(one, other))
    kind = np.full_like(pair, 2 * (1000 * radius + distance))
    ids = np.concatenate([_mix(pair, kind), _mix(other, kind + np.uint64(1))])
    graph = np.concatenate([graph, graph])
    order = np.lexsort((ids, graph))
    graph, ids = graph[order], ids[order]
    new = np.ones(len(ids), dtype=bool)
    new[1:] = (graph[1:] != graph[:-1]) | (ids[1:] != ids[:-1])
    starts = np.flatnonzero(new)
    count = np.diff(np.append(starts, len(ids))).astype(np.float64)
    graph, ids = graph[starts], ids[starts]
    norm = np.sqrt(np.bincount(graph, count**2, minlength=len(distances)))
    return graph, ids, count / norm[graph]


def _pad(mols: Sequence[Mol]) -> _Padded:
    chem = require("rdkit.Chem", extra="chem")
    num_atoms = max(mol.GetNumAtoms() for mol in mols)
    num_bonds = max(mol.GetNumBonds() for mol in mols)
    atom = np.zeros((len(mols), num_atoms, 2), dtype=np.uint64)
    bond = np.zeros((len(mols), num_bonds), dtype=np.uint64)
    ends = np.zeros((len(mols), 2, num_bonds), dtype=np.int64)
    distance = np.full((len(mols), num_atoms, num_atoms), _FAR, dtype=np.int64)
    for row, mol in enumerate(mols):
        n, m = mol.GetNumAtoms(), mol.GetNumBonds()
        atom[row, :n] = [(a.GetAtomicNum(), a.GetDegree()) for a in mol.GetAtoms()]
        distance[row, :n, :n] = np.minimum(chem.GetDistanceMatrix(mol), _FAR)
        if m:
            # Aromatic bonds, 1.5, become 1 here as in the code of GDSS.
            bond[row, :m] = [1000 + int(b.GetBondTypeAsDouble()) for b in mol.GetBonds()]
            ends[row, :, :m] = np.transpose(
                [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
            )
    rows = np.arange(len(mols))[:, None]
    nearer = np.minimum(distance[rows, ends[:, 0]], distance[rows, ends[:, 1]])  # [B, m, n]
    nearer = np.where((bond == 0)[..., None], _FAR, nearer).transpose(0, 2, 1)  # [B, n, m]
    return _Padded(_mix(atom[..., 0], atom[..., 1]), distance, _mix(bond, bond), nearer)


def _sum_by_id(ids: Hash, values: NDArray[np.float64]) -> Sparse:
    distinct, where = np.unique(ids, return_inverse=True)
    totals = np.bincount(where, values, minlength=len(distinct))
    return distinct, totals.astype(np.float64)


def _mix(left: Hash, right: Hash) -> Hash:
    """Hash of an ordered pair, by the finaliser of SplitMix64."""
    value = left * np.uint64(0x9E3779B97F4A7C15) + right + np.uint64(0x632BE59BD9B4E019)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
