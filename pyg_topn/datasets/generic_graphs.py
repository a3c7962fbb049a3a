"""Graphs that are not molecules: communities, grids, planar graphs, trees and others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import networkx as nx
import numpy as np
import torch
from torch_geometric.data import Batch, Data
from tqdm.auto import tqdm

from pyg_topn.datasets._cached_dataset import CachedDataset, Collated
from pyg_topn.datasets._graph_families import FAMILIES
from pyg_topn.transforms import CanonicalOrder

SPLITS = ("train", "val", "test")
CHUNK = 32  # Graphs whose canonical orders are computed together.


class GenericGraphs(CachedDataset):
    r"""Random graphs of the families that generative models of graphs are compared on.

    Nothing is downloaded: :func:`generate_graphs` makes the graphs, afterwards a file in
    :obj:`root` is read. Of every family, 64 % of the graphs are for training, 16 % for validation
    and 20 % for testing. A graph is a :class:`~torch_geometric.data.Data` with

    * :obj:`x` :math:`[n, A]`: node labels, one-hot; :math:`A = 1` without labels;
    * :obj:`edge_index` :math:`[2, E]`: edges in both directions, sorted;
    * :obj:`edge_attr` :math:`[E, T]`: edge labels, one-hot; :math:`T = 1` without labels;
    * :obj:`canonical_index` :math:`[n]`: see :class:`~pyg_topn.transforms.CanonicalOrder`.

    Args:
        root: Folder for the processed files. Other arguments have another file.
        name: A family, see :func:`generate_graphs`.
        split: :obj:`"train"`, :obj:`"val"`, :obj:`"test"`, or :obj:`None` for all graphs in that
            order.
        num_graphs: Number of graphs of all splits together; by default that of the literature.
        seed: Seed of the graphs.
        sizes: Smallest and largest size, see :func:`generate_graphs`.
        node_labels: Whether nodes are labelled by community (families with communities only).
        edge_labels: Whether edges are labelled by whether they stay within a community (first
            column) or join two (families with communities only).
        transform: Applied to a graph at every access.
        pre_transform: Applied to every graph before it is stored, its canonical order included.
        pre_filter: Says of every graph whether to store it.
        log: Whether to show progress on standard error.
        force_reload: Whether to process again.

    Raises:
        ValueError: If an argument is unknown or out of range, or the cache file is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     dataset = GenericGraphs(root, "tree", num_graphs=10, sizes=(9, 9))
        >>> len(dataset), dataset[0]
        (6, Data(x=[9, 1], edge_index=[2, 16], edge_attr=[16, 1], canonical_index=[9]))
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        name: str,
        split: str | None = "train",
        *,
        num_graphs: int | None = None,
        seed: int = 0,
        sizes: tuple[int, int] | None = None,
        node_labels: bool = False,
        edge_labels: bool = False,
        transform: Callable[..., Any] | None = None,
        pre_transform: Callable[..., Any] | None = None,
        pre_filter: Callable[..., Any] | None = None,
        log: bool = True,
        force_reload: bool = False,
    ) -> None:
        self.sizes = _checked(name, num_graphs, seed, sizes, fewest=4)
        if split is not None and split not in SPLITS:
            raise ValueError(
                f"Expected 'split' to be None or one of {list(SPLITS)} (got {split!r})"
            )
        family = FAMILIES[name]
        for argument, wanted in {"node_labels": node_labels, "edge_labels": edge_labels}.items():
            if wanted and family.num_node_labels == 1:
                raise ValueError(
                    f"Expected a family with communities for '{argument}' (got {name!r})"
                )
        self.family, self.split, self.seed = name, split, seed
        self.num_graphs = family.num_graphs if num_graphs is None else num_graphs
        self.num_labels = (
            family.num_node_labels if node_labels else 1,
            family.num_edge_labels if edge_labels else 1,
        )
        names = [name, split or "all", self.num_graphs, *self.sizes, seed, *self.num_labels]
        self.cache_name = "-".join(map(str, names))
        super().__init__(root, transform, pre_transform, pre_filter, log, force_reload)

    def collated(self) -> Collated:
        graphs = generate_graphs(self.family, self.num_graphs, self.seed, sizes=self.sizes)
        data = [_to_data(graph, *self.num_labels) for graph in graphs[self._part()]]
        return self.collate(_with_canonical_order(data, self.show_progress))

    def _part(self) -> slice:
        """The graphs of the split."""
        test, val = round(0.2 * self.num_graphs), round(0.16 * self.num_graphs)
        cuts = [0, self.num_graphs - test - val, self.num_graphs - test, self.num_graphs]
        if self.split is None:
            return slice(None)
        return slice(*cuts[SPLITS.index(self.split) :][:2])


def generate_graphs(
    name: str,
    num_graphs: int | None = None,
    seed: int = 0,
    *,
    sizes: tuple[int, int] | None = None,
) -> list[nx.Graph]:
    r"""Make the graphs of :class:`GenericGraphs` with networkx.

    ===================  ======  =========================================================  =======
    name                 graphs  procedure                                                  sizes
    ===================  ======  =========================================================  =======
    ``community_small``  100     two connected communities of :math:`\lfloor n/2 \rfloor`   n:
                                 nodes, joined with probability .7 within and               12-20
                                 :math:`.1 / \lfloor n/2 \rfloor` between them, at least
                                 one edge between them
    ``ego_like``         200     a node and its neighbours in a scale-free graph with       n:
                                 triangles                                                  4-18
    ``grid``             100     all pairs of sides, in random order                        sides:
                                                                                            10-19
    ``planar``           200     Delaunay triangulation of uniform points of the unit       n: 64
                                 square
    ``sbm``              200     stochastic block model with 2 to 5 blocks, .3 within and   blocks:
                                 .005 between                                               20-40
    ``tree``             200     uniform labelled trees                                     n: 64
    ``lobster``          100     :func:`networkx.random_lobster_graph` (80, .7, .7)         n:
                                                                                            10-100
    ===================  ======  =========================================================  =======

    The graph of a number depends on the seed, not on how many graphs are made.

    Args:
        name: One of the families above.
        num_graphs: Number of graphs; by default that of the table.
        seed: Seed of the random numbers.
        sizes: Smallest and largest number of nodes, nodes of a block (:obj:`"sbm"`) or nodes of a
            side (:obj:`"grid"`); by default those of the table.

    Returns:
        Graphs with nodes 0, 1, ... In :obj:`"community_small"` and :obj:`"sbm"`, the attribute
        :obj:`label` of a node is its community, that of an edge says whether it joins two
        communities (1) or not (0).

    Raises:
        ValueError: If an argument is unknown or out of range.

    Example:
        >>> graph = generate_graphs("planar", 1)[0]
        >>> len(graph), nx.is_planar(graph)
        (64, True)
    """
    sizes = _checked(name, num_graphs, seed, sizes, fewest=1)
    family = FAMILIES[name]
    stream = (seed, list(FAMILIES).index(name))
    return list(islice(family.draw(stream, sizes), num_graphs or family.num_graphs))


def _checked(
    name: str, num_graphs: int | None, seed: int, sizes: tuple[int, int] | None, fewest: int
) -> tuple[int, int]:
    """Check the arguments and return the range of sizes."""
    if name not in FAMILIES:
        raise ValueError(f"Expected 'name' to be one of {list(FAMILIES)} (got {name!r})")
    family = FAMILIES[name]
    if sizes is not None and (not isinstance(sizes, tuple | list) or len(sizes) != 2):
        raise ValueError(f"Expected 'sizes' to be the smallest and the largest (got {sizes!r})")
    low, high = family.sizes if sizes is None else sizes
    numbers = {"seed": (seed, 0), "the smallest size": (low, family.smallest)}
    numbers["the largest size"] = (high, low)
    if num_graphs is not None:
        numbers["num_graphs"] = (num_graphs, fewest)
    for argument, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            known = argument if " " in argument else f"'{argument}'"
            raise ValueError(f"Expected {known} to be an integer of at least {least} (got {value})")
    return int(low), int(high)


def _to_data(graph: nx.Graph, num_node_labels: int, num_edge_labels: int) -> Data:
    """One-hot labels and both directions of every edge; a single label is that of all."""
    nodes = [label if num_node_labels > 1 else 0 for _, label in graph.nodes(data="label")]
    ends = [
        (i, j, label if num_edge_labels > 1 else 0) for i, j, label in graph.edges(data="label")
    ]
    edges = torch.tensor(ends, dtype=torch.int64).view(-1, 3).t()
    index, label = torch.cat([edges[:2], edges[:2].flip(0)], dim=1), edges[2].repeat(2)
    order = (index[0] * len(nodes) + index[1]).argsort()
    return Data(
        x=torch.eye(num_node_labels)[torch.tensor(nodes, dtype=torch.int64)],
        edge_index=index[:, order],
        edge_attr=torch.eye(num_edge_labels)[label[order]],
    )


def _with_canonical_order(graphs: Sequence[Data], progress: bool) -> list[Data]:
    ordered: list[Data] = []
    with tqdm(total=len(graphs), desc="Canonical orders", disable=not progress) as bar:
        for first in range(0, len(graphs), CHUNK):
            batch = Batch.from_data_list(graphs[first : first + CHUNK])
            ordered += CanonicalOrder()(batch).to_data_list()
            bar.update(batch.num_graphs)
    return ordered
