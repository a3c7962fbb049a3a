"""Every transform composes with PyG's own, on PyG's datasets and ours, before and after storage."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.data.datapipes import DatasetAdapter
from torch_geometric.datasets import ExplainerDataset, FakeDataset, KarateClub
from torch_geometric.datasets.graph_generator import BAGraph, ERGraph
from torch_geometric.loader import DataLoader
from torch_geometric.utils import from_smiles, to_networkx

from pyg_topn import transforms
from pyg_topn.datasets import SmilesDataset, SyntheticMolecules
from pyg_topn.loader import ResidentLoader
from pyg_topn.models import build_graph_vae, build_set_vae
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.transforms import (
    CanonicalOrder,
    HeavyAtomGraph,
    OneHotLabels,
    PermuteNodes,
    SpectralOrder,
    ToPointSet,
)

SMILES = ["CCO", "C#N", "c1ccccc1", "CC(=O)N", "C", "OCC1CC1"]

Graphs = Callable[[], Sequence[Data]]
Chain = Callable[[], Any]


def fake() -> Sequence[Data]:
    """Graphs with features of nodes and of edges, no labels."""
    torch.manual_seed(0)
    return FakeDataset(5, avg_num_nodes=9, avg_degree=3, num_channels=3, edge_dim=2)


def karate() -> Sequence[Data]:
    """One graph, whose nodes are labelled by their community."""
    return [KarateClub()[0]]


def explained(generator: Any) -> Graphs:
    """Random graphs with planted houses, whose nodes are labelled by their place in them."""

    def build() -> Sequence[Data]:
        torch.manual_seed(0)
        return ExplainerDataset(generator, "house", num_motifs=2, num_graphs=5)

    return build


def molecules() -> Sequence[Data]:
    """Molecules as PyG stores them, aromatic bonds and all."""
    return [from_smiles(smiles) for smiles in SMILES]


# Where they come from, and the transforms of the package among those of PyG.
CHAINS: dict[str, tuple[Graphs, Chain]] = {
    "points of features": (
        fake,
        lambda: T.Compose(
            [
                T.NormalizeFeatures(),
                T.AddRandomWalkPE(3, attr_name="pe"),
                ToPointSet(("pe", "x"), center="x"),
                T.NormalizeScale(),
            ]
        ),
    ),
    "structure alone": (
        fake,
        lambda: T.Compose([OneHotLabels(), SpectralOrder(2), T.LocalDegreeProfile()]),
    ),
    "communities": (
        karate,
        lambda: T.Compose(
            [
                T.LargestConnectedComponents(),
                T.ToUndirected(),
                OneHotLabels(range(4), node_key="y"),
                CanonicalOrder(),
                T.AddRandomWalkPE(2, attr_name="pe"),
            ]
        ),
    ),
    "planted houses": (
        explained(BAGraph(num_nodes=20, num_edges=2)),
        lambda: T.Compose([OneHotLabels(range(4), node_key="y"), CanonicalOrder(), T.Constant()]),
    ),
    "houses in random graphs, permuted": (
        explained(ERGraph(num_nodes=12, edge_prob=0.3)),
        lambda: T.Compose([OneHotLabels(range(4), (0, 1), "y", "edge_mask"), PermuteNodes(seed=0)]),
    ),
    "molecules": (
        molecules,
        lambda: T.Compose([HeavyAtomGraph(), T.AddRandomWalkPE(2), T.ToUndirected()]),
    ),
    "molecules, permuted, with distances": (
        molecules,
        lambda: T.Compose([HeavyAtomGraph(), PermuteNodes(seed=3), T.OneHotDegree(4, cat=False)]),
    ),
}
KEPT_ORDER = [name for name in CHAINS if "permuted" not in name]


class Stored(InMemoryDataset):
    """Graphs in a file, as a user's dataset holds them."""

    def __init__(self, root: Path, graphs: Sequence[Data], **arguments: Any) -> None:
        self.graphs = graphs
        super().__init__(str(root), log=False, **arguments)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self) -> str:
        return "data.pt"

    def process(self) -> None:
        graphs = [graph.clone() for graph in self.graphs]
        if self.pre_transform is not None:
            graphs = [self.pre_transform(graph) for graph in graphs]
        self.save([Data(**graph.to_dict()) for graph in graphs], self.processed_paths[0])


def assert_equal(mine: Data, other: Data) -> None:
    assert sorted(mine.keys()) == sorted(other.keys())
    for key, value in mine.to_dict().items():
        assert torch.equal(value, other[key]) if isinstance(value, Tensor) else value == other[key]


def fingerprint(data: Data) -> str:
    """What does not depend on the order of nodes."""
    data = Data(x=data.x, edge_index=data.edge_index)
    graph = to_networkx(data, to_undirected=True)
    for node, row in enumerate(data.x.tolist()):
        graph.nodes[node]["label"] = str(row)
    return str(nx.weisfeiler_lehman_graph_hash(graph, node_attr="label"))


def test_every_transform_is_in_a_chain() -> None:
    used = {type(part).__name__ for _, chain in CHAINS.values() for part in chain().transforms}
    assert set(transforms.__all__) <= used


@pytest.mark.parametrize("name", CHAINS)
def test_as_transform_and_as_pre_transform(name: str, tmp_path: Path) -> None:
    graphs, chain = CHAINS[name][0](), CHAINS[name][1]
    transform = chain()
    expected = [transform(graph) for graph in graphs]
    late = Stored(tmp_path / "late", graphs, transform=chain())
    early = Stored(tmp_path / "early", graphs, pre_transform=chain())
    again = Stored(tmp_path / "early", [], pre_transform=chain())  # Reads the file, in silence.
    for other in (late, early, again):
        assert len(other) == len(expected)
        for data, wanted in zip(other, expected, strict=True):
            assert_equal(data, wanted)


@pytest.mark.parametrize("when", ["transform", "pre_transform"])
@pytest.mark.parametrize("name", KEPT_ORDER)
def test_through_a_loader_with_workers(name: str, when: str, tmp_path: Path) -> None:
    graphs, chain = CHAINS[name][0](), CHAINS[name][1]
    dataset = Stored(tmp_path, graphs, **{when: chain()})
    alone = DataLoader(dataset, batch_size=2)
    batches = list(DataLoader(dataset, batch_size=2, num_workers=2))
    assert sum(batch.num_graphs for batch in batches) == len(graphs)
    for batch, other in zip(batches, alone, strict=True):
        assert_equal(batch, other)


def test_permuted_by_workers(tmp_path: Path) -> None:
    chain = T.Compose([OneHotLabels(range(4), node_key="y"), PermuteNodes(seed=0)])
    graphs = explained(BAGraph(num_nodes=20, num_edges=2))()
    dataset = Stored(tmp_path, graphs, transform=chain)
    expected = [chain.transforms[0](graph) for graph in graphs]
    found = [
        data
        for batch in DataLoader(dataset, batch_size=2, num_workers=2)
        for data in batch.to_data_list()
    ]
    assert [fingerprint(data) for data in found] == [fingerprint(data) for data in expected]
    assert not all(torch.equal(a.x, b.x) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", CHAINS)
def test_transforms_travel_to_other_processes(name: str) -> None:
    graphs, chain = CHAINS[name][0](), CHAINS[name][1]()
    other = pickle.loads(pickle.dumps(chain))
    assert repr(other) == repr(chain)
    for graph in graphs:
        assert_equal(other(graph), chain(graph))


def test_pyg_finds_them_by_name() -> None:
    labelled = [Data(**graph.to_dict()) for graph in explained(BAGraph(10, 2))()]
    pipe = DatasetAdapter(labelled).one_hot_labels(range(4), node_key="y").canonical_order()
    chain = T.Compose([OneHotLabels(range(4), node_key="y"), CanonicalOrder()])
    for data, graph in zip(pipe.permute_nodes(seed=0), labelled, strict=True):
        assert fingerprint(data) == fingerprint(chain(graph))
    for data, graph in zip(pipe, labelled, strict=True):
        assert_equal(data, chain(graph))
    points = DatasetAdapter(labelled).one_hot_degree(30).to_point_set("x", center=True)
    assert [data.pos.shape for data in points] == [(20, 31)] * 5
    (ethanol,) = DatasetAdapter(["CCO"]).parse_smiles().heavy_atom_graph()
    assert_equal(ethanol, HeavyAtomGraph()(from_smiles("CCO")))


def test_they_say_what_they_do() -> None:
    chain = T.Compose([OneHotLabels(("a", "b")), CanonicalOrder(), ToPointSet("x", center=True)])
    assert repr(chain) == (
        "Compose([\n"
        "  OneHotLabels(node_types=('a', 'b'), edge_types=None),\n"
        "  CanonicalOrder(),\n"
        "  ToPointSet(('x',), center=('x',))\n"
        "])"
    )
    assert all(" object at " not in repr(chain()) for _, chain in CHAINS.values())


def test_smiles_with_pre_transforms_of_several_kinds(tmp_path: Path) -> None:
    def build(**arguments: Any) -> SmilesDataset:
        qm9 = MoleculeVocabulary.qm9()
        return SmilesDataset(tmp_path, SMILES, qm9, processes=1, log=False, **arguments)

    plain = build()
    chain = T.Compose([PermuteNodes(seed=1), CanonicalOrder(), T.AddRandomWalkPE(2)])
    permuted = build(pre_transform=chain)
    assert permuted.processed_dir != plain.processed_dir
    for data, other in zip(permuted, plain, strict=True):
        assert fingerprint(data) == fingerprint(other)
        assert torch.equal(data.x[data.canonical_index], other.x[other.canonical_index])
        assert data.random_walk_pe.shape == (data.num_nodes, 2)
    points = build(pre_transform=ToPointSet("x"))
    assert sorted(points[0].keys()) == ["idx", "pos", "smiles"]
    assert torch.equal(points.size_histogram(), plain.size_histogram())


def test_vocabularies_have_caches_of_their_own() -> None:
    atoms = ("C", "N", "O")
    few, more = ("SINGLE", "DOUBLE"), ("SINGLE", "DOUBLE", "TRIPLE")
    names = {repr(HeavyAtomGraph(MoleculeVocabulary(atoms, bonds))) for bonds in (few, more)}
    assert len(names) == 2


def test_graphs_that_are_no_molecules_train_and_come_back(tmp_path: Path) -> None:
    graphs = explained(ERGraph(num_nodes=6, edge_prob=0.4))()
    one_hot = OneHotLabels.from_dataset(graphs, node_key="y", edge_key=None)
    assert one_hot.node_types == (0, 1, 2, 3)
    dataset = Stored(tmp_path, graphs, pre_transform=T.Compose([one_hot, CanonicalOrder()]))
    sizes = torch.bincount(torch.tensor([data.num_nodes for data in dataset]))
    vae = build_graph_vae(one_hot.num_node_types, [1.0], sizes.tolist(), latent_channels=4)
    (batch,) = ResidentLoader(dataset, 5, shuffle=True)
    assert vae(batch).posterior.mean.shape == (5, 4)
    generated = vae.sample(3)
    nodes, edges = one_hot.labels(generated)
    assert set(nodes) <= {0, 1, 2, 3}
    assert (len(nodes), len(edges)) == (generated.num_nodes, generated.num_edges)


def test_points_of_graphs_train(tmp_path: Path) -> None:
    chain = T.Compose([T.AddRandomWalkPE(3, attr_name="pe"), ToPointSet("pe", center=True)])
    dataset = Stored(tmp_path, fake(), pre_transform=chain)
    vae = build_set_vae([0, *[1] * 20], point_channels=3, creation="first_n")
    batch = next(iter(DataLoader(dataset, batch_size=5, num_workers=2)))
    assert vae(batch).posterior.mean.shape[0] == 5


def test_sets_take_further_channels(tmp_path: Path) -> None:
    """Points of our sets with their valency as a fourth coordinate, one by one or in a batch."""
    chain = T.Compose([ToPointSet(("pos", "valency"), center="pos"), T.RandomJitter(0.0)])
    plain = SyntheticMolecules(tmp_path, num_sets=5, processes=1)
    sets = SyntheticMolecules(tmp_path, num_sets=5, processes=1, transform=chain)
    for data, other in zip(sets, plain, strict=True):
        torch.testing.assert_close(data.pos[:, :3], other.pos - other.pos.mean(dim=0))
        assert torch.equal(data.pos[:, 3], other.valency.float())
    together = chain.transforms[0](Batch.from_data_list(list(plain)))
    assert_equal(together, Batch.from_data_list(list(sets)))
