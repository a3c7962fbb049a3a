"""Canonical SMILES of a reference set, by the same route as those of generated molecules."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pyg_topn.metrics._verdict import judge, sanitized
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles
from pyg_topn.utils.optional import require


def canonical_reference(smiles: Iterable[str]) -> frozenset[str]:
    r"""Canonicalise the molecules that novelty is measured against.

    Generated molecules are neutral graphs, so every reference molecule is reduced to its neutral
    graph, sanitised and written canonically. A molecule that holds charges may have no valid
    neutral form (139 of QM9, all of them nitro compounds): no molecule that is valid in the
    paper's sense has its graph. It is kept all the same, as it is written and in its relaxed form
    with charges of +1, so that a generated copy never counts as novel under any definition.

    Results are cached for the life of the process. All of QM9 takes about 13 seconds.

    Args:
        smiles: SMILES strings. Unparsable ones are skipped.

    Returns:
        The set of canonical SMILES, to be passed to :class:`~pyg_topn.metrics.MoleculeMetrics`.

    Example:
        >>> sorted(canonical_reference(["OCC", "C[NH3+]", "CN(=O)=O"]))
        ['CCO', 'CN', 'C[N+](=O)O', 'C[N+](=O)[O-]']
    """
    return _canonical_reference(tuple(smiles))


@lru_cache(maxsize=4)
def _canonical_reference(smiles: tuple[str, ...]) -> frozenset[str]:
    keys: set[str | None] = set()
    with require("rdkit.rdBase", extra="chem").BlockLogs():
        for text in smiles:
            verdict = judge(read_smiles(text))
            keys.update((verdict.paper, verdict.relaxed))
            if verdict.paper is None or "+" in verdict.paper:
                keys.update(_charged_keys(text))
    return frozenset(key for key in keys if key)


def _charged_keys(text: str) -> set[str | None]:
    """A molecule with charges: as written, and the verdicts on its graph without them."""
    chem = require("rdkit.Chem", extra="chem")
    params = chem.SmilesParserParams()
    params.sanitize = False
    mol = chem.MolFromSmiles(text, params)
    mol = None if mol is None else sanitized(mol)
    if mol is None:
        return set()
    verdict = judge(neutral_graph(mol))
    return {chem.MolToSmiles(mol, isomericSmiles=False), verdict.paper, verdict.relaxed}
