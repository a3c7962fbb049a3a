"""Validity, uniqueness, novelty and distances of generated molecules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pyg_topn.metrics._held_out import HeldOut
from pyg_topn.metrics._reference import canonical_reference
from pyg_topn.metrics._size_counts import SizeCounts
from pyg_topn.metrics._verdict import Verdict, judge
from pyg_topn.metrics.fcd import FrechetChemNetDistance
from pyg_topn.metrics.report import MoleculeReport
from pyg_topn.metrics.scores import ValidityScores
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles
from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol


class MoleculeMetrics:
    r"""All definitions of valid, unique and novel molecules at once, and distances to data.

    Used like a metric of torchmetrics: :meth:`update` as often as there are molecules,
    :meth:`compute`, :meth:`reset`. Every molecule counts as it came; nothing is corrected.

    A molecule is judged as a graph of heavy atoms and bonds, which holds no charges: whatever
    charges, hydrogens and stereo marks a SMILES string from elsewhere has are dropped first, see
    :func:`~pyg_topn.metrics.read_smiles`. That is a restriction for the data themselves: 99.89 %
    of QM9 is valid in this sense.

    Args:
        reference_smiles: Molecules that novelty is measured against, usually the training data.
        held_out_smiles: Molecules that the distances are measured to, all of them valid.
        label: Which model, prior or recipe this is; printed with the figures.
        reference_is_canonical: Whether :obj:`reference_smiles` comes from
            :func:`~pyg_topn.metrics.canonical_reference`, and need not be canonicalised again.
        nspdk: Whether to compute NSPDK, against all held-out molecules if there are any.
        fcd: Whether to compute FCD, against at most 10,000 held-out molecules; or the distance to
            use. Slow without a GPU.
        properties: Whether to compute distances of property distributions: QED and the other
            properties of at most 2,000 molecules, histograms of atoms, bonds and rings of all.

    Raises:
        TypeError: If a single string is given where several are expected.
        ValueError: If a distance is asked for without held-out molecules.

    Example:
        >>> metrics = MoleculeMetrics(reference_smiles=["CCO"], label="toy")
        >>> metrics.update(["CCO", "CCO", "C.N", "CC(C)(C)(C)C", "not a molecule"])
        >>> report = metrics.compute()
        >>> report.paper.valid, report.connected.valid, report.paper.num_unique, report.paper.novel
        (0.6, 0.4, 2, 0.5)
    """

    def __init__(
        self,
        reference_smiles: Iterable[str] | None = None,
        held_out_smiles: Sequence[str] | None = None,
        *,
        label: str = "",
        reference_is_canonical: bool = False,
        nspdk: bool = True,
        fcd: bool | FrechetChemNetDistance = False,
        properties: bool = False,
    ) -> None:
        for given in (reference_smiles, held_out_smiles):
            if isinstance(given, str):
                raise TypeError(f"Expected several SMILES strings (got the one string {given!r})")
        self.label = label
        self._reference = None if reference_smiles is None else tuple(reference_smiles)
        self._is_canonical = reference_is_canonical
        self._held_out = HeldOut(held_out_smiles, nspdk, fcd, properties)
        self.reset()

    def reset(self) -> None:
        r"""Forget all molecules, but not what was computed for the reference."""
        self._verdicts: list[Verdict] = []
        self._atoms: Counter[str] = Counter()
        self._bonds: Counter[str] = Counter()
        self._report: MoleculeReport | None = None

    def update(self, molecules: Iterable[Mol | str | None]) -> None:
        r"""Add molecules.

        Args:
            molecules: RDKit molecules, sanitised or not, or SMILES strings. Unparsable strings
                and :obj:`None` count as invalid. Nothing is changed in place.

        Raises:
            TypeError: If it is a single string, or holds something else.
        """
        if isinstance(molecules, str):
            raise TypeError(f"Expected a list of molecules (got the string {molecules!r})")
        with require("rdkit.rdBase", extra="chem").BlockLogs():
            graphs = [_graph(molecule) for molecule in molecules]
            self._verdicts += [judge(graph) for graph in graphs]
        self._report = None
        for graph in graphs:
            if graph is not None:
                self._atoms.update([atom.GetSymbol() for atom in graph.GetAtoms()])
                self._bonds.update([bond.GetBondType().name for bond in graph.GetBonds()])

    def compute(self) -> MoleculeReport:
        r"""Everything about the molecules added since the last :meth:`reset`.

        Raises:
            ValueError: If there are none.
        """
        if not self._verdicts:
            raise ValueError("Expected at least one molecule before compute() (got 0)")
        if self._report is None:
            valid = [verdict.paper for verdict in self._verdicts if verdict.paper is not None]
            self._report = MoleculeReport(
                num_molecules=len(self._verdicts),
                num_unreadable=sum(verdict.size == 0 for verdict in self._verdicts),
                paper=self._scores(lambda verdict: verdict.paper),
                connected=self._scores(
                    lambda verdict: verdict.paper if verdict.connected else None
                ),
                relaxed=self._scores(lambda verdict: verdict.relaxed),
                valence=self._scores(lambda verdict: verdict.valence),
                sizes=_sizes(self._verdicts),
                atoms=dict(self._atoms.most_common()),
                bonds=dict(self._bonds.most_common()),
                **self._held_out.measure(valid),
                references=self._references(),
                label=self.label,
            )
        return self._report

    def _references(self) -> dict[str, str]:
        known = self._known()
        novel = {} if known is None else {"novel": f"{len(known):,} canonical SMILES"}
        return {**novel, **self._held_out.descriptions()}

    def _known(self) -> frozenset[str] | None:
        if self._reference is None:
            return None
        if self._is_canonical:
            return frozenset(self._reference)
        return canonical_reference(self._reference)

    def _scores(self, key: Callable[[Verdict], str | None]) -> ValidityScores:
        keys = [text for verdict in self._verdicts if (text := key(verdict)) is not None]
        distinct, known = set(keys), self._known()
        novel = None if known is None else len(distinct - known)
        return ValidityScores(len(self._verdicts), len(keys), len(distinct), novel)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self._verdicts)} molecules)"


def _sizes(verdicts: Sequence[Verdict]) -> dict[int, SizeCounts]:
    by_size: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        by_size.setdefault(verdict.size, []).append(verdict)
    by_size.pop(0, None)  # Unreadable ones have no size.
    return {size: _count(by_size[size]) for size in sorted(by_size)}


def _count(verdicts: Sequence[Verdict]) -> SizeCounts:
    valid = [verdict for verdict in verdicts if verdict.paper is not None]
    connected = sum(verdict.connected for verdict in valid)
    distinct = {verdict.paper for verdict in valid}
    return SizeCounts(len(verdicts), len(valid), connected, len(distinct))


def _graph(molecule: Mol | str | None) -> Mol | None:
    if molecule is None or isinstance(molecule, str):
        return None if molecule is None else read_smiles(molecule)
    if not hasattr(molecule, "GetAtoms"):
        raise TypeError(
            f"Expected RDKit molecules or SMILES strings (got {type(molecule).__name__})"
        )
    return neutral_graph(molecule)
