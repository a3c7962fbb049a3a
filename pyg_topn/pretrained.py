"""Saved models: a folder with weights and a description, read without running code from it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def save(
    model: GraphVAE,
    folder: str | os.PathLike[str],
    arguments: dict[str, Any],
    vocabulary: MoleculeVocabulary | None = None,
    card: dict[str, Any] | None = None,
) -> Path:
    r"""Save a model as a folder with ``model.safetensors`` and ``config.json``.

    The folder appears whole or not at all, and takes the place of one that was there.

    Args:
        model: The model.
        folder: Where to save it.
        arguments: What :func:`~pyg_topn.models.build_graph_vae` built it from.
        vocabulary: What node and edge types mean.
        card: Anything to remember about the training, as plain JSON types.

    Returns:
        The folder.

    Raises:
        OSError: If the folder cannot be written.

    Example:
        >>> import tempfile
        >>> arguments = {"num_node_types": 4, "edge_orders": [1, 2, 3], "size_histogram": [0, 1, 2]}
        >>> with tempfile.TemporaryDirectory() as root:
        ...     folder = save(build_graph_vae(**arguments), f"{root}/model", arguments)
        ...     load(folder).sample(2).num_graphs
        2
    """
    folder = Path(folder)
    new = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    config = {
        "format": 1,
        "model": "GraphVAE",
        "arguments": arguments,
        "vocabulary": None if vocabulary is None else vocabulary.to_dict(),
        "card": card or {},
    }
    weights = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
    save_file(weights, new / WEIGHTS)
    (new / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def load(folder: str | os.PathLike[str]) -> GraphVAE:
    r"""Load a saved model.

    Args:
        folder: The folder of the model.

    Returns:
        The model, in evaluation mode; its :obj:`vocabulary` says what the types mean.

    Raises:
        ValueError: If there is no model in the folder, or it is damaged.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise ValueError(
            f"Expected a folder with a saved model (got '{folder}', no {CONFIG} there)"
        )
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        model = build_graph_vae(**config["arguments"])
        model.load_state_dict(load_file(folder / WEIGHTS))
        described = config["vocabulary"]
        model.vocabulary = None if described is None else MoleculeVocabulary.from_dict(described)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"Expected a saved model in '{folder}' (got damaged files: {reason}). "
            "Train or copy it again."
        ) from error
    return model.eval()
