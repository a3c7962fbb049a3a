"""The encoder is permutation invariant and treats the graphs of a batch independently."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.transforms import PermuteNodes


@pytest.fixture(params=["pna", "canonical"])
def encoder(request: pytest.FixtureRequest) -> GraphEncoder:
    return GraphEncoder(
        4, 3, latent_channels=5, hidden_channels=16, readout=request.param, max_num_nodes=8
    )


def encode(encoder: GraphEncoder, graphs: list[Data]) -> Tensor:
    posterior = encoder(Batch.from_data_list(graphs))
    return torch.cat([posterior.mean, posterior.log_variance], dim=1)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_nodes_does_not_matter(
    encoder: GraphEncoder, graphs: list[Data], seed: int
) -> None:
    permute = PermuteNodes(seed)
    permuted = [permute(data.clone()) for data in graphs]
    assert any(not torch.equal(a.x, b.x) for a, b in zip(permuted, graphs, strict=True))
    torch.testing.assert_close(
        encode(encoder, permuted), encode(encoder, graphs), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("seed", range(3))
def test_invariant_where_the_order_is_not_stored(
    encoder: GraphEncoder, graphs: list[Data], seed: int
) -> None:
    """The canonical order is then computed from the graphs as they come."""
    bare = Batch.from_data_list(graphs, exclude_keys=["canonical_index"]).to_data_list()
    permute = PermuteNodes(seed)
    permuted = [permute(data.clone()) for data in bare]
    torch.testing.assert_close(
        encode(encoder, permuted), encode(encoder, graphs), rtol=1e-5, atol=1e-5
    )


def test_the_batch_is_left_as_it_was(encoder: GraphEncoder, graphs: list[Data]) -> None:
    batch = Batch.from_data_list(graphs, exclude_keys=["canonical_index"])
    keys = set(batch.keys())
    encoder(batch)
    assert set(batch.keys()) == keys


def test_a_batch_is_its_graphs_one_by_one(encoder: GraphEncoder, graphs: list[Data]) -> None:
    alone = torch.cat([encode(encoder, [data]) for data in graphs])
    torch.testing.assert_close(encode(encoder, graphs), alone, rtol=1e-5, atol=1e-5)


def test_edges_and_their_types_matter(encoder: GraphEncoder, graphs: list[Data]) -> None:
    before = encode(encoder, graphs)
    changed = [data.clone() for data in graphs]
    changed[0].edge_attr = changed[0].edge_attr.roll(1, dims=1)
    changed[2].edge_index = changed[2].edge_index[:, :0]
    changed[2].edge_attr = changed[2].edge_attr[:0]
    differs = (encode(encoder, changed) != before).any(dim=1)
    assert differs.tolist() == [True, False, True, False, False, False]


def test_gradients_reach_every_parameter(encoder: GraphEncoder, graphs: list[Data]) -> None:
    encode(encoder, graphs).square().sum().backward()
    for name, leaf in encoder.named_parameters():
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_log_variances_are_bounded(encoder: GraphEncoder, graphs: list[Data]) -> None:
    with torch.no_grad():
        encoder.mlp.lins[-1].bias[5:] = torch.tensor([1e6, -1e6, 0.0, 0.0, 0.0])
    posterior = encoder(Batch.from_data_list(graphs))
    assert posterior.log_variance[:, 0].eq(10).all()
    assert posterior.log_variance[:, 1].eq(-20).all()
    assert posterior.kl().isfinite().all()


def test_copies_and_reset(encoder: GraphEncoder, graphs: list[Data]) -> None:
    expected = encode(encoder, graphs)
    fresh = copy.deepcopy(encoder)
    fresh.reset_parameters()
    assert not torch.equal(encode(fresh, graphs), expected)
    fresh.load_state_dict(encoder.state_dict())
    for other in (fresh, pickle.loads(pickle.dumps(encoder))):
        assert torch.equal(encode(other, graphs), expected)


def test_unfit_arguments() -> None:
    with pytest.raises(ValueError, match=r"'max_num_nodes' with readout='canonical' .got None"):
        GraphEncoder(4, 3, 5, readout="canonical")
    with pytest.raises(ValueError, match=r"'readout' to be 'pna' or 'canonical' .got 'mean'"):
        GraphEncoder(4, 3, 5, readout="mean")


def test_too_large(graphs: list[Data]) -> None:
    encoder = GraphEncoder(4, 3, 5, readout="canonical", max_num_nodes=6)
    with pytest.raises(ValueError, match=r"at most 6 nodes .got 7"):
        encode(encoder, graphs)
