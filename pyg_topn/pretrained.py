"""Saved models: a folder with weights and a description, read without running code from it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pyg_topn._built_alike import difference
from pyg_topn.models import (
    DSPN,
    TSPN,
    GraphGAN,
    GraphVAE,
    SetVAE,
    build_dspn,
    build_graph_gan,
    build_graph_vae,
    build_set_vae,
    build_tspn,
)
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.utils._paths import check_folder

WEIGHTS, CONFIG, FORMAT = "model.safetensors", "config.json", 1
SHIPPED = Path(__file__).parent / "_pretrained"
Model = GraphVAE | GraphGAN | SetVAE | TSPN | DSPN

#: What builds a model of every kind from the arguments that are saved with it.
BUILDERS: dict[str, Callable[..., Model]] = {
    "GraphVAE": build_graph_vae,
    "GraphGAN": build_graph_gan,
    "SetVAE": build_set_vae,
    "TSPN": build_tspn,
    "DSPN": build_dspn,
}
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)


def save(
    model: Model,
    folder: str | os.PathLike[str],
    arguments: dict[str, Any] | None = None,
    vocabulary: MoleculeVocabulary | None = None,
    card: dict[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    r"""Save a model as a folder with ``model.safetensors`` and ``config.json``.

    The folder appears whole or not at all, and takes the place of one that was there.

    Args:
        model: The model: a :class:`~pyg_topn.models.GraphVAE`,
            :class:`~pyg_topn.models.GraphGAN`, :class:`~pyg_topn.models.SetVAE`,
            :class:`~pyg_topn.models.TSPN` or :class:`~pyg_topn.models.DSPN`.
        folder: Where to save it.
        arguments: What :func:`~pyg_topn.models.build_graph_vae` built it from, or
            :func:`~pyg_topn.models.build_graph_gan`, :func:`~pyg_topn.models.build_set_vae`,
            :func:`~pyg_topn.models.build_tspn` or :func:`~pyg_topn.models.build_dspn`; by default
            what they remember. A model is built from them once more, to see that it is alike.
        vocabulary: What node and edge types of a model of graphs mean; by default the model's own.
        card: Anything to remember about the training, as plain JSON types.
        dtype: What floating-point weights are stored as; by default as they are. ``torch.float16``
            halves the file; a model that is loaded computes in single precision all the same.

    Returns:
        The folder.

    Raises:
        OSError: If the folder cannot be written.
        TypeError: If the model is another one, or :obj:`arguments` or :obj:`card` hold more than
            plain JSON types.
        ValueError: If there is a vocabulary with a model of sets or of other types, or the
            arguments do not build this model.

    Example:
        >>> import tempfile
        >>> vae = build_graph_vae(4, edge_orders=[1, 2, 3], size_histogram=[0, 1, 2])
        >>> with tempfile.TemporaryDirectory() as root:
        ...     folder = save(vae, f"{root}/model")
        ...     load(folder).sample(2).num_graphs
        2
    """
    vocabulary = getattr(model, "vocabulary", None) if vocabulary is None else vocabulary
    _check_kind(model, vocabulary)
    arguments = model.arguments if arguments is None else arguments
    folder = check_folder(folder)
    config = {
        "format": FORMAT,
        "model": type(model).__name__,
        "arguments": arguments,
        "vocabulary": None if vocabulary is None else vocabulary.to_dict(),
        "card": card or {},
    }
    text = json.dumps(config, indent=2) + "\n"
    _check_arguments(model, arguments, vocabulary)
    weights = {key: _stored(value, dtype) for key, value in model.state_dict().items()}
    new = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    try:
        new.mkdir(parents=True)
        save_file(weights, new / WEIGHTS)
        (new / CONFIG).write_text(text, encoding="utf-8")
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _check_kind(model: Model, vocabulary: MoleculeVocabulary | None) -> None:
    name = type(model).__name__
    if name not in BUILDERS:
        raise TypeError(f"Expected a model among {', '.join(BUILDERS)} (got {name})")
    if vocabulary is not None and not isinstance(model, GraphVAE | GraphGAN):
        raise ValueError(f"Expected no vocabulary with a model of sets (got one with a {name})")


def _check_arguments(
    model: Model, arguments: dict[str, Any] | None, vocabulary: MoleculeVocabulary | None
) -> None:
    """Build the model once more: wrong arguments may fit the weights, and compute another thing."""
    name = type(model).__name__
    if arguments is None:
        raise ValueError(
            f"Expected 'arguments', or a {name} of {BUILDERS[name].__name__}, which knows them "
            "(got neither)"
        )
    try:
        with torch.random.fork_rng(devices=[]):  # What is drawn next is not to depend on a save.
            found = difference(model, BUILDERS[name](**arguments))
    except (ValueError, TypeError) as error:
        got = f"ones that build none: {error}"
        raise ValueError(f"Expected the arguments of this {name} (got {got})") from error
    if found is not None:
        raise ValueError(f"Expected the arguments of this {name} (got others: {found})")
    other = None if vocabulary is None else _other_types(vocabulary, arguments)
    if other is not None:
        raise ValueError(f"Expected a vocabulary of the types of the model (got {other})")


def _other_types(vocabulary: MoleculeVocabulary, arguments: dict[str, Any]) -> str | None:
    num_types = len(vocabulary.atoms), len(vocabulary.bonds)
    if num_types == (arguments["num_node_types"], len(arguments["edge_orders"])):
        return None
    return f"a vocabulary of {num_types[0]} atoms and {num_types[1]} bonds"


def _stored(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A tensor as it is written; counts, which half precision cannot hold, as they are."""
    convert = dtype is not None and value.dtype == torch.float32
    return value.detach().to(dtype if convert else value.dtype).contiguous()


def pretrained_models() -> tuple[str, ...]:
    r"""Return the names of the models that come with the package, for :func:`load`.

    Example:
        >>> all((SHIPPED / name / CONFIG).is_file() for name in pretrained_models())
        True
    """
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}")))


def _build(config: dict[str, Any]) -> Model:
    """Make a model from its description, with weights still to be read."""
    if config["format"] != FORMAT:
        raise ValueError(f"format {config['format']}, this version reads {FORMAT}")
    arguments, described, name = config["arguments"], config["vocabulary"], config["model"]
    if name not in BUILDERS:
        raise ValueError(f"a {name}, this version reads {', '.join(BUILDERS)}")
    model = BUILDERS[name](**arguments)
    if described is None:
        return model
    if not isinstance(model, GraphVAE | GraphGAN):
        raise ValueError(f"a vocabulary of a {name}")
    model.vocabulary = MoleculeVocabulary.from_dict(described)
    other = _other_types(model.vocabulary, arguments)
    if other is not None:
        raise ValueError(other)
    return model


def locate(folder: str | os.PathLike[str]) -> Path:
    r"""Return the folder of a saved model.

    Args:
        folder: The folder, or the name of a model that comes with the package; a folder goes
            before a name.

    Raises:
        ValueError: If there is no model in the folder.

    Example:
        >>> locate(pretrained_models()[0]) == SHIPPED / pretrained_models()[0]
        True
    """
    if os.fspath(folder) in pretrained_models() and not (Path(folder) / CONFIG).is_file():
        folder = SHIPPED / folder
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise ValueError(
            f"Expected a folder with a saved model{_or_names()} (got '{folder}', no {CONFIG} there)"
        )
    return folder


def _or_names() -> str:
    names = pretrained_models()
    return f", or one of {', '.join(names)}" if names else ""


def load(folder: str | os.PathLike[str]) -> Model:
    r"""Load a saved model.

    Args:
        folder: The folder of the model, or the name of one that comes with the package, see
            :func:`pretrained_models`.

    Returns:
        The model, of the class that was saved, in evaluation mode; the :obj:`vocabulary` of a
        model of graphs says what its types mean.

    Raises:
        ValueError: If there is no model in the folder, or it is damaged.
    """
    folder = locate(folder)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        model = _build(config)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (*_DAMAGE, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"Expected a saved model in '{folder}' (got damaged files: {reason}). "
            "Train or copy it again."
        ) from error
    return model.eval()
