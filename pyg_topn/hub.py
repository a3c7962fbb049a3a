"""Models on the Hugging Face Hub: pushed from a folder, loaded by the name of a repository."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from torch.nn import Module

from pyg_topn.pretrained import CONFIG, WEIGHTS, Model, load, locate, save
from pyg_topn.utils.optional import require

__all__ = ["load_from_hub", "push_to_hub"]

FILES = (CONFIG, WEIGHTS, "README.md")
#: What PyG's own PyGModelHubMixin tags models with, and what they are.
TAGS = ("graph-machine-learning", "pytorch-geometric", "graph-generation")
HEADER = "---\nlibrary_name: pyg-topn\ntags:\n{tags}\nlicense: {license}\n---\n\n"
CARD = """# {name}

```python
from pyg_topn.hub import load_from_hub

model = load_from_hub("{name}")
batch = model.sample(1000)
```
"""


def push_to_hub(
    folder: str | os.PathLike[str] | Model,
    repo_id: str,
    *,
    private: bool = False,
    license: str = "mit",
    token: str | None = None,
    message: str = "Add a model",
) -> str:
    r"""Push a model to the Hugging Face Hub.

    The weights, the description and the model card go there; a folder without a card gets a short
    one. The card is given the header that the Hub reads: library, tags and licence.

    Args:
        folder: The folder of the model, see :func:`~pyg_topn.pretrained.save`; or the name of one
            that comes with the package; or a model, which is saved first.
        repo_id: The repository, ``"user/name"``; made if it is not there.
        private: Whether a new repository is private.
        license: The licence of the weights, as the Hub names licences.
        token: An access token; by default that of ``hf auth login``.
        message: Of the commit.

    Returns:
        The address of the commit.

    Raises:
        ImportError: If huggingface_hub is not installed.
        ValueError: If the folder holds no model, the model does not know its arguments, or the
            repository is not ``"user/name"``.
        OSError: If the Hub cannot be reached, or refuses.

    Example:
        >>> push_to_hub("runs/qm9/model", "someone/qm9-top-n")  # doctest: +SKIP
    """
    hub = require("huggingface_hub", extra="hub")
    _check_repository(repo_id)
    with tempfile.TemporaryDirectory() as root:
        path = save(folder, f"{root}/model") if isinstance(folder, Module) else locate(folder)
        load(path)  # Before anything is uploaded: a damaged model is an error here, not for others.
        staged = tempfile.mkdtemp(dir=root)
        for name in FILES[:2]:
            shutil.copy2(path / name, staged)
        card = path / FILES[2]
        text = card.read_text(encoding="utf-8") if card.is_file() else CARD.format(name=repo_id)
        if not text.startswith("---\n"):
            tags = "\n".join(f"- {tag}" for tag in TAGS)
            text = HEADER.format(tags=tags, license=license) + text
        (Path(staged) / FILES[2]).write_text(text, encoding="utf-8")
        api: Any = hub.HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repo_id, folder_path=staged, commit_message=message)
    return str(commit)


def load_from_hub(repo_id: str, revision: str | None = None, *, token: str | None = None) -> Model:
    r"""Load a model from the Hugging Face Hub; no code from the repository is run.

    Args:
        repo_id: The repository, ``"user/name"``.
        revision: A branch, tag or commit.
        token: An access token; by default that of ``hf auth login``.

    Returns:
        The model, in evaluation mode, see :func:`~pyg_topn.pretrained.load`.

    Raises:
        ImportError: If huggingface_hub is not installed.
        ValueError: If the repository is not ``"user/name"``, or holds no model of this library.
        OSError: If the Hub cannot be reached and the model was not loaded before.

    Example:
        >>> model = load_from_hub("someone/qm9-top-n")  # doctest: +SKIP
    """
    hub = require("huggingface_hub", extra="hub")
    _check_repository(repo_id)
    # Only what is needed: a repository may hold checkpoints of many gigabytes beside it.
    return load(
        hub.snapshot_download(repo_id, revision=revision, token=token, allow_patterns=list(FILES))
    )


def _check_repository(repo_id: str) -> None:
    rules = require("huggingface_hub.utils", extra="hub")
    try:
        rules.validate_repo_id(repo_id)
        valid = len(repo_id.split("/")) == 2  # The Hub's own models alone have no user.
    except rules.HFValidationError:
        valid = False
    if not valid:
        raise ValueError(f"Expected 'repo_id' to be 'user/name' (got '{repo_id}')")
