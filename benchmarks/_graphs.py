"""The graphs and models that the speed benchmark measures on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset

from pyg_topn.datasets import SmilesDataset, qm9_smiles
from pyg_topn.loader import ResidentLoader
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.recipe import Recipe, recipe
from pyg_topn.transforms import CanonicalOrder
from pyg_topn.utils.precision import autocast, has_fast_bfloat16

HIDDEN = ("smiles", "idx")  # what training leaves out of its batches
QM9_NODES = 9  # Graphs of this size are molecules of QM9, others are drawn.
DISTINCT = 64  # drawn graphs; larger batches repeat them
ATOM_SHARES = (0.72, 0.12, 0.15, 0.01)
BOND_SHARES = (0.85, 0.12, 0.03)


class Setting:
    """Where and on what is measured.

    Args:
        device: The device.
        nodes: Sizes of graphs.
        batches: Numbers of graphs of a batch.
        molecules: Molecules of QM9, of all sizes.
    """

    def __init__(
        self,
        device: torch.device,
        nodes: Sequence[int],
        batches: Sequence[int],
        molecules: InMemoryDataset,
    ) -> None:
        self.device, self.nodes, self.batches = device, nodes, batches
        self.molecules = molecules
        self._loaders: dict[int, ResidentLoader] = {}

    def loader(self, nodes: int) -> ResidentLoader:
        """Graphs of one size, on the device."""
        if nodes not in self._loaders:
            pool: Any = drawn_graphs(nodes)
            if nodes == QM9_NODES:
                sizes = self.molecules.slices["x"].diff()
                pool = self.molecules[sizes == nodes]
            self._loaders[nodes] = ResidentLoader(pool, exclude_keys=HIDDEN, device=self.device)
        return self._loaders[nodes]

    def batch(self, nodes: int, size: int) -> Batch:
        """A batch of graphs of one size, the same at every call."""
        loader, generator = self.loader(nodes), torch.Generator().manual_seed(size)
        chosen = torch.randint(loader.indices.numel(), (size,), generator=generator)
        return loader.gather(loader.indices[chosen])

    def model(self, nodes: int, chosen: Recipe) -> GraphVAE:
        """A model with random weights, the same at every call."""
        return random_model(nodes, chosen).to(self.device)


def precisions(device: torch.device) -> dict[str, str]:
    """The precisions that pay on a device, by what is added to a name.

    >>> precisions(torch.device("meta"))
    {'': 'float32'}
    """
    fast = {", bfloat16": "bfloat16"} if has_fast_bfloat16(device) else {}
    return {"": "float32", **fast}


def at_precision(
    device: torch.device, precision: str, function: Callable[[], object]
) -> Callable[[], object]:
    """The same function, with products at a precision."""

    def run() -> object:
        with autocast(device, precision):
            return function()

    return run


class Graphs(InMemoryDataset):
    """Graphs in memory."""

    def __init__(self, graphs: list[Data]) -> None:
        super().__init__()
        self.data, self.slices = self.collate(graphs)


def molecules(number: int) -> InMemoryDataset:
    """Random molecules of QM9's training split."""
    smiles = qm9_smiles("train")
    chosen = torch.randperm(len(smiles))[:number].tolist()
    with TemporaryDirectory() as folder:
        kept = [smiles[i] for i in chosen]
        return SmilesDataset(folder, kept, MoleculeVocabulary.qm9(), processes=1, log=False)


@cache
def drawn_graphs(nodes: int) -> Graphs:
    """Graphs like molecules of any size, with the canonical order of their nodes.

    >>> graphs = drawn_graphs(30)
    >>> len(graphs), graphs[0].num_nodes, graphs[0].is_undirected()
    (64, 30, True)
    """
    generator = torch.Generator().manual_seed(nodes)
    graphs = [_drawn_graph(nodes, generator) for _ in range(DISTINCT)]
    return Graphs(CanonicalOrder()(Batch.from_data_list(graphs)).to_data_list())


def _drawn_graph(nodes: int, generator: torch.Generator) -> Data:
    """A tree of short branches, and a ring for every sixth node."""
    node = torch.arange(1, nodes)
    before = torch.randint(1, 4, (nodes - 1,), generator=generator)
    parent = (node - before).clamp(min=0)
    closed = torch.arange(0, nodes - 5, 6)
    pairs = torch.cat([torch.stack([parent, node]), torch.stack([closed, closed + 5])], dim=1)
    kind = _draw(BOND_SHARES, pairs.size(1), generator)
    both = torch.cat([pairs, pairs.flip(0)], dim=1)  # [2, E]
    order = (both[0] * nodes + both[1]).argsort()
    atom = _draw(ATOM_SHARES, nodes, generator)
    return Data(
        x=torch.eye(len(ATOM_SHARES))[atom],
        edge_index=both[:, order],
        edge_attr=torch.eye(len(BOND_SHARES))[kind.repeat(2)[order]],
    )


def _draw(shares: Sequence[float], number: int, generator: torch.Generator) -> Tensor:
    return torch.multinomial(torch.tensor(shares), number, replacement=True, generator=generator)


def random_model(nodes: int, chosen: Recipe) -> GraphVAE:
    """The model of a recipe for graphs of up to so many nodes."""
    vocabulary = MoleculeVocabulary.qm9()
    histogram = [0] * nodes + [1]
    torch.manual_seed(0)
    orders = vocabulary.bond_orders
    vae = build_graph_vae(len(vocabulary.atoms), orders, histogram, **chosen.model)
    vae.vocabulary = vocabulary
    return vae


def creation_model(nodes: int, creation: str, points: int | None = None) -> GraphVAE:
    """A model of the default recipe with some creation layer."""
    return random_model(nodes, recipe(creation=creation, model={"num_reference_points": points}))
