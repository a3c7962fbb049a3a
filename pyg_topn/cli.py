"""The command line: parses, calls one public function, prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pyg_topn.losses.matching import MATCHERS
from pyg_topn.recipe import RECIPES
from pyg_topn.resolver import CREATIONS, PRIORS
from pyg_topn.utils.optional import require

typer = require("typer", extra="cli")
app = typer.Typer(
    help="One-shot generation of sets and graphs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Dataset = Enum("Dataset", {"qm9": "qm9"}, type=str)
CreationName = Enum("CreationName", {name: name for name in CREATIONS}, type=str)  # type: ignore[misc]
MatcherName = Enum("MatcherName", {name: name for name in MATCHERS}, type=str)  # type: ignore[misc]
PriorName = Enum("PriorName", {name: name for name in PRIORS}, type=str)  # type: ignore[misc]
RecipeName = Enum("RecipeName", {name: name for name in RECIPES}, type=str)  # type: ignore[misc]


@app.command()
def train(
    dataset: Annotated[Dataset, typer.Argument(help="The data set.")],
    out: Annotated[Path, typer.Option(help="Folder for model, checkpoints and logs.")] = Path(
        "runs/qm9"
    ),
    creation: Annotated[
        CreationName, typer.Option(help="The creation layer.")
    ] = CreationName.top_n,  # type: ignore[attr-defined]
    matcher: Annotated[
        MatcherName | None, typer.Option(help="The matcher, if not the recipe's own.")
    ] = None,
    prior: Annotated[
        PriorName | None, typer.Option(help="The prior, if not the recipe's own.")
    ] = None,
    recipe: Annotated[RecipeName, typer.Option(help="Everything else.")] = RecipeName.default,  # type: ignore[attr-defined]
    minutes: Annotated[
        float | None, typer.Option(help="Budget in minutes.", show_default="5")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Budget in epochs instead.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    data: Annotated[Path, typer.Option(help="Folder for the processed data.")] = Path("data/qm9"),
) -> None:
    """Train a graph VAE; the model is written to OUT/model."""
    from pyg_topn.training import train_qm9

    try:
        folder = train_qm9(
            out,
            recipe_name=recipe.value,
            creation=creation.value,
            matcher=None if matcher is None else matcher.value,
            prior=None if prior is None else prior.value,
            minutes=minutes,
            epochs=epochs,
            seed=seed,
            resume=resume,
            root=data,
        )
    except KeyboardInterrupt:  # Typer would end without a word.
        typer.echo("pyg-topn: interrupted; train --resume goes on from here", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"The model is in {folder}, the curves in {out / 'training_curves.png'}")


@app.command()
def sample(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model, or a name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File: .smi, .csv, .sdf or .png.")],
    number: Annotated[int, typer.Option("-n", help="How many molecules.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    batch_size: Annotated[int, typer.Option(help="How many are decoded at once.")] = 2048,
    temperature: Annotated[
        float | None,
        typer.Option(help="Draw at this temperature instead of taking the most likely graph."),
    ] = None,
    correct: Annotated[
        bool, typer.Option("--correct", help="Keep atoms within their valency, greedily.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(help="Processes that write SMILES; 0 for none.", show_default="one a core"),
    ] = None,
) -> None:
    """Generate molecules in one pass; none is rejected, and none corrected unless asked for."""
    from pyg_topn.generate import (
        check_output,
        generate_molecules,
        generate_smiles,
        write_molecules,
    )
    from pyg_topn.pretrained import load

    check_output(out)
    if processes is not None and out.suffix != ".smi":
        raise ValueError(f"Expected a file ending in .smi with '--processes' (got '{out}')")
    vae = load(model)
    words = (vae, number, seed, batch_size, temperature, correct)
    parts: Iterator[list[Any]] = (
        generate_smiles(*words, processes=processes)
        if out.suffix == ".smi"
        else generate_molecules(*words)
    )
    write_molecules(_counted(parts, number), out)
    how = "valencies corrected" if correct else "none corrected"
    typer.echo(f"{number:,} molecules are in {out} (prior: {vae.prior.label}; {how})")


def _counted(parts: Iterator[list[Any]], number: int) -> Iterator[Any]:
    """The molecules of all parts, one by one, with a progress bar."""
    from tqdm import tqdm

    with tqdm(total=number, unit=" molecules", desc="sampling") as bar:
        for part in parts:
            yield from part
            bar.update(len(part))


@app.command()
def evaluate(
    molecules: Annotated[Path, typer.Argument(help="File of SMILES, from anywhere.")],
    reference: Annotated[str, typer.Option(help="'qm9', 'none' or a file of SMILES.")] = "qm9",
    label: Annotated[str, typer.Option(help="Printed with the table.")] = "",
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Also write everything as JSON.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw histograms against the reference (.png).")
    ] = None,
) -> None:
    """Print every definition of valid, unique and novel side by side."""
    from pyg_topn.generate import check_output, evaluate_molecules, plot_against

    given = None if reference == "none" else reference
    if json_out is not None:
        check_output(json_out, (".json",))
    if plot is not None:
        check_output(plot, (".png",))
        if given is None:
            raise ValueError("Expected a reference to draw histograms against (got 'none')")
    report = evaluate_molecules(molecules, given, label=label or str(molecules))
    typer.echo(report.table())
    typer.echo(report.per_size_table())
    if json_out is not None:
        json_out.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        plot_against(molecules, reference, plot)
        typer.echo(f"The histograms are in {plot}")
