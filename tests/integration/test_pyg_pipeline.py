"""Generated graphs go through unmodified PyG layers, transforms and loaders."""

from __future__ import annotations

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GINEConv, global_mean_pool
from torch_geometric.utils import to_dense_adj, to_networkx, unbatch, unbatch_edge_index

from pyg_topn.nn.creation import TopNCreation
from pyg_topn.nn.decoder import GraphDecoder
from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.nn.update import SetTransformer

SIZES = torch.tensor([5, 1, 9, 2, 7])


@pytest.fixture(params=["mode", "sample"])
def batch(request: pytest.FixtureRequest) -> Batch:
    """Generated graphs of mixed sizes, of one node too."""
    decoder = GraphDecoder(
        TopNCreation(4, 16, num_reference_points=12),
        SetTransformer(16, num_layers=1, heads=2, latent_channels=4),
        num_node_types=4,
        edge_orders=(1, 2, 3),
    )
    with torch.no_grad():
        distribution = decoder(2 * torch.randn(5, 4), SIZES)
        torch.nn.init.normal_(distribution.node_logits)
        torch.nn.init.normal_(distribution.pair_logits)
    generated: Batch = getattr(distribution, request.param)()
    assert generated.num_edges > 0
    return generated


def build_conv() -> GINEConv:
    return GINEConv(torch.nn.Linear(4, 8), edge_dim=3)


def test_message_passing(batch: Batch) -> None:
    conv = build_conv()
    out = conv(batch.x, batch.edge_index, batch.edge_attr)
    alone = [conv(data.x, data.edge_index, data.edge_attr) for data in batch.to_data_list()]
    torch.testing.assert_close(out, torch.cat(alone))
    assert global_mean_pool(out, batch.batch).shape == (5, 8)


def test_loader(batch: Batch) -> None:
    graphs = batch.to_data_list()
    (again,) = DataLoader(graphs, batch_size=5)
    assert again.keys() == batch.keys()
    for key, value in batch.to_dict().items():
        assert torch.equal(again[key], value), key
    observed = Data(**graphs[0].to_dict())  # Made by hand, mixed with generated graphs.
    sizes = [data.num_graphs for data in DataLoader([observed, *graphs], batch_size=4)]
    assert sizes == [4, 2]
    conv = build_conv()
    for part in DataLoader([observed, *graphs], batch_size=4, shuffle=True):
        assert conv(part.x, part.edge_index, part.edge_attr).isfinite().all()


def test_transforms(batch: Batch) -> None:
    transform = T.Compose([T.ToUndirected(), T.Constant(), T.LocalDegreeProfile()])
    for data in batch.to_data_list():
        changed = transform(data.clone())
        assert torch.equal(changed.edge_index, data.edge_index)  # It was undirected already.
        assert changed.x.shape == (data.num_nodes, 4 + 1 + 5)
    walks = T.AddRandomWalkPE(walk_length=3)
    large = walks(batch[2])
    assert large.random_walk_pe.shape == (9, 3)
    whole = T.Constant()(batch.clone())
    assert whole[2].x.shape == (9, 5)
    assert torch.equal(whole[2].x[:, :4], batch[2].x)


def test_utilities(batch: Batch) -> None:
    parts = unbatch(batch.x, batch.batch)
    edges = unbatch_edge_index(batch.edge_index, batch.batch)
    for data, x in zip(batch.to_data_list(), parts, strict=True):
        assert torch.equal(data.x, x)
    assert torch.equal(edges[2], batch[2].edge_index)
    dense = to_dense_adj(batch.edge_index, batch.batch, batch_size=5)
    assert torch.equal(dense, dense.transpose(1, 2))
    graph = to_networkx(batch[2], to_undirected=True)
    assert (graph.number_of_nodes(), 2 * graph.number_of_edges()) == (9, batch[2].num_edges)


@pytest.mark.parametrize("readout", ["pna", "canonical"])
def test_generated_graphs_can_be_encoded(batch: Batch, readout: str) -> None:
    encoder = GraphEncoder(4, 3, latent_channels=6, readout=readout, max_num_nodes=9)
    ours = encoder(batch).mean
    theirs = encoder(Batch.from_data_list(batch.to_data_list())).mean
    assert ours.shape == (5, 6)
    assert torch.equal(ours, theirs)
