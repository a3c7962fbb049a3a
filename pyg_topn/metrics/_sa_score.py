"""The synthetic accessibility score that RDKit carries among its contributed scripts."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@lru_cache(maxsize=1)
def sa_score() -> Callable[[Mol], float]:
    r"""The function of Ertl and Schuffenhauer, from 1 (easy to make) to 10 (hard).

    Raises:
        ImportError: If this build of RDKit comes without :obj:`Contrib/SA_Score`.
    """
    folder = os.path.join(require("rdkit.RDConfig", extra="chem").RDContribDir, "SA_Score")
    path = os.path.join(folder, "sascorer.py")
    if not os.path.isfile(path):
        raise ImportError(
            f"Expected RDKit's contributed script 'sascorer.py' for the SA score (got no "
            f"'{path}'). RDKit from PyPI or conda-forge brings it; or leave out 'sa'"
        )
    spec = importlib.util.spec_from_file_location("pyg_topn_sascorer", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        # The script does not close its table of fragments.
        warnings.simplefilter("ignore", ResourceWarning)
        spec.loader.exec_module(module)
        module.readFragmentScores()
    score: Callable[[Mol], float] = module.calculateScore
    return score
