"""A grid of generated molecules."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyg_topn.metrics._verdict import Verdict, judge, sanitized
from pyg_topn.metrics.smiles_io import neutral_graph, read_smiles, write_smiles
from pyg_topn.plot._figure import AMBER, GRID, RED, TEXT, check_path, new_figure, save
from pyg_topn.utils.optional import require

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_LEGENDS = ("smiles", "size", "none")
_PIXELS = 300
_INCHES = 1.35


def plot_molecules(
    molecules: Sequence[Mol | str | None],
    path: str | os.PathLike[str],
    *,
    columns: int = 8,
    max_molecules: int = 64,
    legend: str = "smiles",
    show_invalid: bool = True,
    title: str = "",
) -> Path:
    r"""Draw the first molecules in a grid, as they came.

    Invalid molecules are drawn as the graphs they are, in a red frame, and molecules in pieces in
    an amber one, so that the picture does not flatter the generator. The header counts all
    molecules, not only those drawn.

    Args:
        molecules: RDKit molecules, sanitised or not, or SMILES strings; :obj:`None` and unparsable
            strings leave an empty red frame.
        path: File to write, ending in :obj:`.png`, :obj:`.pdf` or :obj:`.svg`.
        columns: Molecules in a row.
        max_molecules: Draw no more than these.
        legend: What stands below each molecule: :obj:`"smiles"`, :obj:`"size"` or :obj:`"none"`.
        show_invalid: If not, draw the first valid ones only; the header still counts all.
        title: Put before the counts in the header.

    Returns:
        The path.

    Raises:
        ValueError: If there is no molecule, an option is unknown, or the suffix is no format.
        OSError: If the folder cannot be written to.

    Example:
        >>> plot_molecules(["CCO", "c1ccccc1"], "molecules.png")  # doctest: +SKIP
    """
    path = check_path(path)
    if legend not in _LEGENDS:
        raise ValueError(f"Expected a legend among {_LEGENDS} (got {legend!r})")
    if columns < 1 or max_molecules < 1:
        raise ValueError(f"Expected at least 1 molecule (got {columns} by {max_molecules})")
    if len(molecules) == 0:
        raise ValueError("Expected at least one molecule to draw (got 0)")
    with require("rdkit.rdBase", extra="chem").BlockLogs():
        graphs = [_graph(molecule) for molecule in molecules]
        verdicts = [judge(graph) for graph in graphs]
        kept = [i for i, verdict in enumerate(verdicts) if show_invalid or verdict.paper]
        chosen = kept[:max_molecules]
        columns = max(1, min(columns, len(chosen)))
        rows = max(1, -(-len(chosen) // columns))
        figure = new_figure(max(5.5, _INCHES * columns), (_INCHES + 0.12) * rows + 0.55)
        figure.suptitle(_header(verdicts, len(chosen), title), fontsize=9, color=TEXT)
        for place, index in enumerate(chosen):
            axis = figure.add_subplot(rows, columns, place + 1)
            _cell(axis, graphs[index], verdicts[index], legend)
    return save(figure, path, dpi=200)


def _graph(molecule: Mol | str | None) -> Mol | None:
    if molecule is None:
        return None
    return read_smiles(molecule) if isinstance(molecule, str) else neutral_graph(molecule)


def _header(verdicts: Sequence[Verdict], drawn: int, title: str) -> str:
    total = len(verdicts)
    valid = sum(verdict.paper is not None for verdict in verdicts)
    connected = sum(verdict.paper is not None and verdict.connected for verdict in verdicts)
    shown = f"all {total:,}" if drawn == total else f"{drawn:,} of {total:,}"
    counts = f"{shown} molecule{'s' * (total != 1)}; of all, {100 * valid / total:.1f} % valid"
    counts += f" and {100 * connected / total:.1f} % valid and connected"
    lines = [title] if title else []
    return "\n".join([*lines, counts, "frame: red = invalid, amber = in pieces"])


def _cell(axis: Any, graph: Mol | None, verdict: Verdict, legend: str) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    colour, width = GRID, 0.8
    if verdict.paper is None:
        colour, width = RED, 1.6
    elif not verdict.connected:
        colour, width = AMBER, 1.6
    for spine in axis.spines.values():
        spine.set(color=colour, linewidth=width)
    if graph is None:
        axis.text(0.5, 0.5, "unreadable", ha="center", va="center", fontsize=7, color=RED)
        axis.set_aspect("equal")
        return
    axis.imshow(_picture(graph), interpolation="antialiased")
    if legend != "none":
        text = write_smiles(graph) if legend == "smiles" else f"{verdict.size} atoms"
        text = text if len(text) <= 26 else f"{text[:25]}…"
        axis.set_xlabel(text, fontsize=5 if len(text) > 18 else 6, color=TEXT, labelpad=2)


def _picture(graph: Mol) -> Any:
    """Pixels :obj:`[H, W, 4]` of a molecule, valid or not."""
    chem, pil = require("rdkit.Chem", extra="chem"), require("PIL.Image", extra="plot")
    draw = require("rdkit.Chem.Draw.rdMolDraw2D", extra="chem")
    clean = sanitized(graph)
    mol = chem.Mol(graph) if clean is None else clean
    mol.UpdatePropertyCache(strict=False)
    chem.FastFindRings(mol)
    require("rdkit.Chem.rdDepictor", extra="chem").Compute2DCoords(mol)
    canvas = draw.MolDraw2DCairo(_PIXELS, _PIXELS)
    options = canvas.drawOptions()
    options.prepareMolsBeforeDrawing = False
    options.padding, options.bondLineWidth = 0.12, 3
    options.fixedBondLength = 60
    canvas.DrawMolecule(draw.PrepareMolForDrawing(mol, kekulize=clean is not None))
    canvas.FinishDrawing()
    return pil.open(io.BytesIO(canvas.GetDrawingText())).convert("RGBA")
