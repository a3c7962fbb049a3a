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
from pyg_topn.utils.precision import PRECISIONS

typer = require("typer", extra="cli")
app = typer.Typer(
    help="One-shot generation of sets and graphs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Dataset = Enum("Dataset", {"qm9": "qm9", "synthetic": "synthetic"}, type=str)
CreationName = Enum("CreationName", {name: name for name in CREATIONS}, type=str)  # type: ignore[misc]
MatcherName = Enum("MatcherName", {name: name for name in MATCHERS}, type=str)  # type: ignore[misc]
PriorName = Enum("PriorName", {name: name for name in PRIORS}, type=str)  # type: ignore[misc]
RecipeName = Enum("RecipeName", {name: name for name in RECIPES}, type=str)  # type: ignore[misc]
PrecisionName = Enum("PrecisionName", {name: name for name in PRECISIONS}, type=str)  # type: ignore[misc]


@app.command()
def train(
    dataset: Annotated[Dataset, typer.Argument(help="The data set.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for model, checkpoints and logs.", show_default="runs/DATASET"),
    ] = None,
    creation: Annotated[
        CreationName, typer.Option(help="The creation layer.")
    ] = CreationName.top_n,  # type: ignore[attr-defined]
    matcher: Annotated[
        MatcherName | None, typer.Option(help="Of qm9: the matcher, if not the recipe's own.")
    ] = None,
    prior: Annotated[
        PriorName | None, typer.Option(help="The prior, if not the recipe's own.")
    ] = None,
    recipe: Annotated[
        RecipeName | None, typer.Option(help="Of qm9: everything else.", show_default="default")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Budget in minutes.", show_default="5")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Budget in epochs instead.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    condition: Annotated[
        list[str] | None,
        typer.Option(help="Of qm9: a property that the model can be asked for; repeat for more."),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Of qm9, with --prior one_step: a trained model, a folder or a name."),
    ] = None,
    precision: Annotated[
        PrecisionName | None,
        typer.Option(help="Of qm9: of products.", show_default="auto: bfloat16 where it is faster"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the processed data.", show_default="data/DATASET")
    ] = None,
) -> None:
    """Train a graph VAE of molecules, or a set VAE; the model is written to OUT/model."""
    given = {"recipe": recipe, "matcher": matcher, "prior": prior, "precision": precision}
    names = {name: value.value for name, value in given.items() if value is not None}
    names |= {} if teacher is None else {"teacher": teacher}
    out = Path("runs") / dataset.value if out is None else out
    root = Path("data") / dataset.value if data is None else data
    budget: dict[str, Any] = {"minutes": minutes, "epochs": epochs, "seed": seed, "resume": resume}
    try:
        asked = tuple(condition or ())
        words = (dataset.value, out, names, asked)
        folder = _train(*words, creation=creation.value, root=root, **budget)
    except KeyboardInterrupt:  # Typer would end without a word.
        typer.echo("pyg-topn: interrupted; train --resume goes on from here", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"The model is in {folder}, the curves in {out / 'training_curves.png'}")


def _train(
    dataset: str, out: Path, names: dict[str, str], conditions: tuple[str, ...], **arguments: Any
) -> Path:
    """Train on a data set; names, but that of the prior, and conditions are of molecules alone."""
    if dataset == "qm9":
        from pyg_topn.training import train_qm9

        return train_qm9(
            out,
            recipe_name=names.get("recipe", "default"),
            matcher=names.get("matcher"),
            prior=names.get("prior"),
            teacher=names.get("teacher"),
            precision=names.get("precision", "auto"),
            conditions=conditions,
            **arguments,
        )
    if "prior" in names:
        arguments["prior"] = names.pop("prior")
    if names or conditions:
        extra = next(iter(names), "condition")
        raise ValueError(f"Expected no '--{extra}' with '{dataset}' (got one)")
    from pyg_topn.set_training import train_synthetic

    return train_synthetic(out, **arguments)


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
    condition: Annotated[
        list[str] | None,
        typer.Option(help="What is asked, as logP=2.5; repeat for more. Of models trained so."),
    ] = None,
    precision: Annotated[
        PrecisionName,
        typer.Option(help="Of products; auto for bfloat16 where it is the faster one."),
    ] = PrecisionName.float32,  # type: ignore[attr-defined]
) -> None:
    """Generate molecules in one pass; none is rejected, and none corrected unless asked for."""
    from pyg_topn.generate import (
        check_output,
        generate_molecules,
        generate_smiles,
        write_molecules,
    )
    from pyg_topn.models import GraphGAN, GraphVAE
    from pyg_topn.pretrained import load

    check_output(out)
    if processes is not None and out.suffix != ".smi":
        raise ValueError(f"Expected a file ending in .smi with '--processes' (got '{out}')")
    vae = load(model)
    if not isinstance(vae, GraphVAE | GraphGAN):
        raise ValueError(f"Expected a model of molecules (got a {type(vae).__name__} in '{model}')")
    words = (vae, number, seed, batch_size, temperature, correct)
    how: dict[str, Any] = {"precision": precision.value}
    how["condition"] = _conditions(condition) if condition else None
    parts: Iterator[list[Any]] = (
        generate_smiles(*words, processes=processes, **how)
        if out.suffix == ".smi"
        else generate_molecules(*words, **how)
    )
    write_molecules(_counted(parts, number), out)
    told = "valencies corrected" if correct else "none corrected"
    typer.echo(f"{number:,} molecules are in {out} (prior: {vae.prior.label}; {told})")


def _conditions(texts: list[str]) -> dict[str, float]:
    """Names and values of conditions as they are typed."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ValueError(f"Expected a condition like logP=2.5 (got '{text}')") from None
    return found


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
