"""Plain-text tables of a report, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyg_topn.metrics.scores import ValidityScores

if TYPE_CHECKING:
    from pyg_topn.metrics.report import MoleculeReport

_WIDTH = 100
_ROWS = {
    "paper": "valid (paper: neutral, sanitised)",
    "connected": "valid, connected (strict)",
    "relaxed": "valid (relaxed: +1 charges, largest piece)",
    "valence": "valid w/o correction (valences only)",
}
_HEAD = f"{'percent':43s}{'valid [95 % interval]':>24s}{'unique':>8s}{'V.U.':>8s}"
_HEAD += f"{'novel':>8s}{'V.U.N.':>8s}"


def main_table(report: MoleculeReport) -> str:
    """Every definition, then the distances, then what the molecules are made of."""
    rule = "-" * len(_HEAD)
    count = f"{report.num_molecules:,} molecules, none rejected, none corrected"
    title = f"{report.label}: {count}" if report.label else count
    lines = [*textwrap.wrap(title, _WIDTH), rule, _HEAD, rule]
    lines += [f"{text:43s}{_scores(getattr(report, name))}" for name, text in _ROWS.items()]
    lines.append(rule)
    for entry in _entries(report):
        lines += textwrap.wrap(entry, _WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def size_table(report: MoleculeReport) -> str:
    """One row for every number of heavy atoms."""
    head = f"{'heavy atoms':>11s}{'count':>10s}{'share':>9s}{'valid':>9s}"
    head += f"{'connected':>11s}{'unique':>9s}"
    rule = "-" * len(head)
    lines = [f"percent, by size: {report.label}" if report.label else "percent, by size"]
    lines = [*textwrap.wrap(lines[0], _WIDTH), rule, head, rule]
    for size, row in sorted(report.sizes.items()):
        share = _percent(row.count / report.num_molecules)
        valid, connected = _percent(row.valid / row.count), _percent(row.connected / row.count)
        unique = _percent(row.unique / row.valid if row.valid else None)
        lines.append(
            f"{size:11d}{row.count:10,d}{share:>9s}{valid:>9s}{connected:>11s}{unique:>9s}"
        )
    return "\n".join([*lines, rule])


def _scores(scores: ValidityScores) -> str:
    low, high = (_percent(bound) for bound in scores.interval)
    valid = f"{_percent(scores.valid)} [{low}, {high}]"
    cells = (scores.unique if scores.num_valid else None, scores.vu, scores.novel, scores.vun)
    return f"{valid:>24s}" + "".join(f"{_percent(cell):>8s}" for cell in cells)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _entries(report: MoleculeReport) -> list[str]:
    def against(name: str) -> str:
        return f" ({report.references[name]})" if name in report.references else ""

    fcd = "-" if report.fcd is None else f"{report.fcd:.3f}"
    nspdk = "-" if report.nspdk is None else f"{report.nspdk:.5f}"
    entries = [
        f"FCD {fcd}{against('fcd')}",
        f"NSPDK {nspdk}{against('nspdk')}",
        f"novelty against {report.references.get('novel', 'nothing')}",
        f"unreadable {report.num_unreadable:,}; atoms {_counts(report.atoms)}; "
        f"bonds {_counts(report.bonds)}",
    ]
    if report.properties is not None:
        distances = ", ".join(f"{name} {value:.3f}" for name, value in report.properties.items())
        entries.append(f"distance of properties{against('properties')}: {distances}")
    return entries


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
