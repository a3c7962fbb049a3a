"""Loaders and sampling on the clock: what comes before a model and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from _clock import Case, Series
from _graphs import HIDDEN, QM9_NODES, Setting, at_precision, precisions
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

import pyg_topn
from pyg_topn.loader import ResidentLoader
from pyg_topn.metrics import write_smiles
from pyg_topn.models import GraphVAE
from pyg_topn.pretrained import pretrained_models
from pyg_topn.recipe import RECIPES, recipe

WORKERS = (0, 2)
LEAST_LOADED, BATCHES_LOADED = 256, 16  # of an epoch of a loader: graphs and batches


def loaders(setting: Setting) -> Iterator[Series]:
    """An epoch of molecules of all sizes, shuffled, by our loader and by PyG's."""
    for name, bucket in (("resident", False), ("resident, bucket", True)):
        build = partial(_resident, setting, name, bucket)
        yield Series("loader", name, QM9_NODES, build)
    for workers in WORKERS:
        name = f"PyG, {workers} workers"
        yield Series("loader", name, QM9_NODES, partial(_pyg, setting, name, workers))


def _resident(setting: Setting, name: str, bucket: bool, batch: int) -> Case:
    number = num_loaded(batch, len(setting.molecules))
    loader = ResidentLoader(
        setting.molecules[:number],
        batch,
        shuffle=True,
        drop_last=True,
        exclude_keys=HIDDEN,
        device=setting.device,
        bucket=bucket,
    )
    return _epoch(setting, name, batch, loader)


def _pyg(setting: Setting, name: str, workers: int, batch: int) -> Case:
    number = num_loaded(batch, len(setting.molecules))
    loader = DataLoader(
        setting.molecules[:number],
        batch,
        shuffle=True,
        drop_last=True,
        exclude_keys=list(HIDDEN),
        num_workers=workers,
        persistent_workers=workers > 0,  # Starting them is not what is measured.
    )
    return _epoch(setting, name, batch, loader)


def _epoch(setting: Setting, name: str, batch: int, loader: Iterable[Batch]) -> Case:
    def run() -> None:
        for each in loader:
            each.to(setting.device)

    found = list(loader)
    graphs = batch * len(found)
    # The molecules of an epoch are read and written once.
    return Case("loader", name, batch, QM9_NODES, run, setting.device, "copy", (), found, graphs)


def num_loaded(batch: int, largest: int) -> int:
    """Graphs of an epoch: a few batches, and enough that its start counts as it does in training.

    >>> num_loaded(1, 16384), num_loaded(512, 16384), num_loaded(8192, 16384)
    (256, 8192, 16384)
    """
    return min(largest, max(LEAST_LOADED, BATCHES_LOADED * batch))


def sampling(setting: Setting) -> Iterator[Series]:
    """Graphs from nothing: random weights at every size, a trained model at that of QM9."""
    for nodes in setting.nodes:
        for name in RECIPES:
            for suffix, precision in precisions(setting.device).items():
                title = f"graphs, {name}, random weights{suffix}"
                build = partial(_untrained, setting, title, name, nodes, precision)
                yield Series("sampling", title, nodes, build)
    if QM9_NODES in setting.nodes:
        for pretrained in pretrained_models():
            model = pyg_topn.load(pretrained).to(setting.device).eval()
            for what, make in TRAINED.items():
                for suffix, precision in precisions(setting.device).items():
                    title = f"{what}, {pretrained}{suffix}"
                    build = partial(_trained, setting, title, make, model, precision)
                    yield Series("sampling", title, QM9_NODES, build)


def _untrained(
    setting: Setting, title: str, name: str, nodes: int, precision: str, batch: int
) -> Case:
    model = setting.model(nodes, recipe(name)).eval()
    call = partial(model.sample, batch, torch.full((batch,), nodes))
    run = at_precision(setting.device, precision, call)
    return _sampled(setting, title, model, nodes, batch, run)


def _trained(
    setting: Setting,
    title: str,
    make: Callable[[GraphVAE, int], Callable[[], object]],
    model: GraphVAE,
    precision: str,
    batch: int,
) -> Case:
    run = at_precision(setting.device, precision, make(model, batch))
    case = _sampled(setting, title, model, QM9_NODES, batch, run)
    if "SMILES" in title:
        case.kind = "other"
    return case


def _sampled(
    setting: Setting,
    title: str,
    model: GraphVAE,
    nodes: int,
    batch: int,
    run: Callable[[], object],
) -> Case:
    used = (*model.decoder.parameters(), *model.prior.parameters())
    return Case("sampling", title, batch, nodes, run, setting.device, parameters=used)


def _decoded(model: GraphVAE, batch: int) -> Callable[[], object]:
    """The decoder alone, for latent vectors and sizes that were drawn before."""
    return torch.no_grad()(partial(model.decode, *model.sample_latents(batch)))


def _sampled_graphs(model: GraphVAE, batch: int) -> Callable[[], object]:
    """Sizes, latent vectors, decoder, and the most likely graphs as a PyG batch."""
    return partial(model.sample, batch)


def _smiles(model: GraphVAE, batch: int) -> Callable[[], object]:
    """The same graphs as RDKit molecules, sanitised and written as SMILES."""
    vocabulary = model.vocabulary
    assert vocabulary is not None
    return lambda: [write_smiles(mol) for mol in vocabulary.to_molecules(model.sample(batch))]


TRAINED = {
    "decoder only": torch.no_grad()(_decoded),
    "graphs": _sampled_graphs,
    "SMILES": _smiles,
}
