"""What datasets of molecules share beyond the cache."""

from __future__ import annotations

from pyg_topn.datasets._cached_dataset import CachedDataset
from pyg_topn.molecule import MoleculeVocabulary


class MoleculeDataset(CachedDataset):
    """Molecules in one cache file; a subclass sets :obj:`vocabulary`, too."""

    vocabulary: MoleculeVocabulary

    def smiles_list(self) -> list[str]:
        """Return the SMILES of all molecules, without building graphs."""
        smiles = self._data.smiles
        return [smiles] if isinstance(smiles, str) else [smiles[i] for i in self.indices()]
