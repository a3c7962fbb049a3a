"""The authors' implementation on the clock, from a checkout of their repository.

Their code has no licence: nothing of it is here, and it is imported from the given path at run
time only. What is timed is what their training loop and their evaluation call for every batch and
molecule, with their settings for QM9 and the generator of the paper's title.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from _clock import Case, Series
from _graphs import QM9_NODES, Setting
from torch import nn
from torch_geometric.data import Batch

from pyg_topn.utils.optional import is_installed

FOLDER = "molecule_generation"
LEARNING_RATE, CLIP = 1e-4, 4.0  # their defaults
# Their transformer attends across the molecules of a batch, whose square its memory grows with.
MOST_GRAPHS = 512
ONE_BY_ONE = 16  # molecules a measurement

# Their packages have names that others may have too, and find each other by these names.
_NAMES = ("layers", "model", "paths", "set_generators", "utils")

TRAINING, SAMPLING = "training step", "sampling, one by one"


class Peer:
    """Their modules, imported from a checkout.

    Args:
        path: The checkout.

    Raises:
        ValueError: If it does not hold their code for molecules.
    """

    def __init__(self, path: Path) -> None:
        self.folder = Path(path).resolve() / FOLDER
        if not (self.folder / "graph_train_test.py").is_file():
            raise ValueError(
                f"Expected a checkout of the authors' repository, with '{FOLDER}' (got '{path}')"
            )
        self._modules: dict[str, ModuleType] = {}
        with self._imports():
            self.models: Any = importlib.import_module("model")
            self.losses: Any = importlib.import_module("utils.metrics")

    def settings(self) -> Any:
        """Their settings for QM9, as their main function completes them for Top-n."""
        import yaml  # type: ignore[import-untyped]  # Lightning brings it.

        text = (self.folder / "config" / "config_graph.yaml").read_text(encoding="utf-8")
        return Attributes(yaml.safe_load(text), set_gen_name="TopKGenerator")

    def model(self, device: torch.device) -> nn.Module:
        """Their model with random weights."""
        torch.manual_seed(0)
        # It prints names, and PyG's layers look up the modules they are from when they are made.
        with contextlib.redirect_stdout(None), self._imports():
            model: nn.Module = self.models.GraphTransformerVae(self.settings()).to(device)
        return model

    def loss(self) -> nn.Module:
        """Their loss, with their matching."""
        settings = self.settings()
        with contextlib.redirect_stdout(None):
            matching = self.losses.GraphMatching(disable_matching=False)
        loss: nn.Module = self.losses.GraphVAELoss(settings.lambdas, matching, settings.predict_n)
        return loss

    @contextlib.contextmanager
    def _imports(self) -> Iterator[None]:
        """Find their modules by their names, which afterwards mean what they meant before."""
        before = _take_out()
        sys.modules.update(self._modules)
        if not is_installed("easydict"):  # A line of theirs imports it, and nothing here calls it.
            stub: Any = ModuleType("easydict")
            stub.EasyDict = Attributes
            sys.modules["easydict"] = stub
        writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        sys.path.insert(0, os.fspath(self.folder))
        try:
            yield
        finally:
            sys.path.remove(os.fspath(self.folder))
            sys.dont_write_bytecode = writes_none
            self._modules = _take_out()
            sys.modules.update(before)


class Attributes(dict[str, Any]):
    """A dictionary whose entries are attributes as well: all that they use of EasyDict.

    >>> Attributes({"latent_dim": 256}).latent_dim
    256
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _take_out() -> dict[str, ModuleType]:
    """Remove modules of the names of theirs, and a stub, from those that are loaded."""
    if getattr(sys.modules.get("easydict"), "EasyDict", None) is Attributes:
        del sys.modules["easydict"]
    names = [name for name in sys.modules if name.split(".")[0] in _NAMES]
    return {name: sys.modules.pop(name) for name in names}


def peer_series(setting: Setting, peer: Peer) -> Iterator[Series]:
    """Their training step on batches of graphs of nine atoms, and their sampling."""
    batches = tuple(size for size in setting.batches if size <= MOST_GRAPHS)
    if batches:
        build = partial(_training, setting, peer)
        yield Series("peer", TRAINING, QM9_NODES, build, batches)
    yield Series("peer", SAMPLING, QM9_NODES, partial(_sampling, setting, peer), (1,))


def _training(setting: Setting, peer: Peer, batch: int) -> Case:
    model, loss = peer.model(setting.device).train(), peer.loss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    target = same_size_batch(setting, batch)

    def run() -> None:
        optimizer.zero_grad()
        terms: Sequence[Any] = loss(*model(target), target)[0]
        terms[-1].backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return Case("peer", TRAINING, batch, QM9_NODES, run, setting.device, "other")


def same_size_batch(setting: Setting, batch: int) -> Batch:
    """A batch as ours are, with the attribute by which they count its graphs."""
    target = setting.batch(QM9_NODES, batch).clone()
    target.idx = torch.arange(batch, device=setting.device)
    return target


def _sampling(setting: Setting, peer: Peer, batch: int) -> Case:
    model: Any = peer.model(setting.device).eval()

    @torch.no_grad()
    def run() -> None:
        for _ in range(ONE_BY_ONE):
            model.generate(setting.device, print_generated=False)

    return Case("peer", SAMPLING, batch, QM9_NODES, run, setting.device, "other", graphs=ONE_BY_ONE)
