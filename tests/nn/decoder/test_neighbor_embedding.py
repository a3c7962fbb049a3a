"""Which pairs are candidates, and what their distance adds to the logits."""

from __future__ import annotations

import math

import pytest
import torch

from pyg_topn.nn.creation import TopNCreation
from pyg_topn.nn.decoder import GraphDecoder, NeighborEmbedding
from pyg_topn.nn.update import SetTransformer
from pyg_topn.utils import Layout, SparseLayout, nearest_pairs

CPU = torch.device("cpu")
LATENT, LARGEST = 4, 30
SIZES = torch.tensor([9, 1, 30, 2])


def build(num_neighbors: int | None, num_rounds: int = 1, num_negatives: int = 2) -> GraphDecoder:
    torch.manual_seed(3)
    return GraphDecoder(
        TopNCreation(LATENT, 10, LARGEST),
        SetTransformer(12, num_layers=1, heads=2, latent_channels=LATENT),
        num_node_types=4,
        edge_orders=(1, 2, 3),
        pair_channels=9,
        plus=True,
        num_rounds=num_rounds,
        num_neighbors=num_neighbors,
        num_negatives=num_negatives,
    )


def test_log_odds_by_hand() -> None:
    embed = NeighborEmbedding(3, num_neighbors=1, channels=2)
    layout = SparseLayout(torch.tensor([3]), CPU, torch.tensor([[0, 1], [2, 2]]))
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 4.0]])
    torch.testing.assert_close(embed.log_odds(points, layout), torch.tensor([[-25.0], [-13.0]]))
    with torch.no_grad():
        embed.scale.fill_(0.0)
        embed.shift.fill_(2.0)
    expected = 2 - math.log(2) * torch.tensor([[25.0], [13.0]])
    torch.testing.assert_close(embed.log_odds(points, layout), expected)
    x = torch.randn(5, 3)
    normed = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(embed(x), normed @ embed.lin.weight.t())


def test_candidates_are_neighbours_given_pairs_and_drawn_pairs() -> None:
    embed = NeighborEmbedding(3, num_neighbors=2, num_negatives=3)
    layout, points = Layout(torch.tensor([20, 5]), CPU), torch.randn(25, 8)
    near = embed.candidates(points, layout)
    assert torch.equal(near.pair_index, nearest_pairs(points, layout, 2))
    assert near.sample_weight is None
    full = layout.pair_index
    far = full[:, near.pair_id(*full) < 0][:, ::7].flip(0)
    wide = embed.candidates(points, layout, far, torch.Generator().manual_seed(0))
    assert wide.sample_weight is not None
    for pairs in (near.pair_index, far):
        place = wide.pair_id(*pairs)
        assert (place >= 0).all()
        assert (wide.sample_weight[place] == 0).all()
    drawn = wide.sample_weight > 0
    assert int((~drawn).sum()) == near.pair_index.size(1) + far.size(1)
    assert 20 < int(drawn.sum()) <= 75
    plain = NeighborEmbedding(3, num_neighbors=2, num_negatives=0)
    both = plain.candidates(points, layout, far)
    assert both.sample_weight is None
    assert both.pair_index.size(1) == near.pair_index.size(1) + far.size(1)


@pytest.mark.parametrize("num_neighbors", [8, 20])
def test_small_graphs_keep_their_layout(num_neighbors: int) -> None:
    embed = NeighborEmbedding(3, num_neighbors)
    layout = Layout(torch.tensor([9, 1, 4]), CPU)
    assert embed.candidates(torch.randn(14, 8), layout) is layout
    assert embed.candidates(torch.randn(14, 8), layout, layout.pair_index) is layout


@pytest.mark.parametrize("num_rounds", [0, 2])
def test_enough_neighbours_decode_as_without(num_rounds: int) -> None:
    """The decoder of all pairs is the limit: the same pairs, the same logits to the last bit."""
    exact = build(None, num_rounds)
    near = build(LARGEST - 1, num_rounds)
    missing, unexpected = near.load_state_dict(exact.state_dict(), strict=False)
    assert {name.partition(".")[0] for name in missing} == {"neighbors"}
    assert not unexpected
    z = torch.randn(4, LATENT)
    expected = exact(z, SIZES)
    found = near(z, SIZES)
    assert torch.equal(found.pair_index, expected.pair_index)
    assert not torch.equal(found.pair_logits, expected.pair_logits)  # The distance counts ...
    assert near.neighbors is not None
    with torch.no_grad():
        near.neighbors.scale.fill_(-torch.inf)
    found = near(z, SIZES)  # ... unless it is made to count nothing.
    assert torch.equal(found.pair_logits, expected.pair_logits)
    assert torch.equal(found.node_logits, expected.node_logits)


@pytest.mark.parametrize("num_rounds", [0, 2])
def test_all_pairs_found_by_search_decode_as_all_pairs(num_rounds: int) -> None:
    """The same once the search has run: here the fewest neighbours that still give all pairs."""
    z, decoder = torch.randn(4, LATENT), build(LARGEST - 1, num_rounds)
    expected = decoder(z, SIZES)
    assert not expected.layout.is_restricted
    near = build(LARGEST - 2, num_rounds)
    near.load_state_dict(decoder.state_dict())
    found = near(z, SIZES, pairs=expected.pair_index)
    assert found.layout.is_restricted
    assert torch.equal(found.pair_index, expected.pair_index)
    assert torch.equal(found.pair_logits, expected.pair_logits)
    assert torch.equal(found.node_logits, expected.node_logits)


def test_without_rounds_candidates_have_the_logits_of_all_pairs() -> None:
    z, exact, near = torch.randn(4, LATENT), build(LARGEST, 0), build(3, 0)
    near.load_state_dict(exact.state_dict())
    every, some = exact(z, SIZES), near(z, SIZES)
    assert 0 < some.pair_logits.size(0) < every.pair_logits.size(0)
    place = every.layout.pair_id(*some.pair_index)
    torch.testing.assert_close(some.pair_logits, every.pair_logits[place], rtol=1e-5, atol=1e-5)


def test_drawn_pairs_do_not_change_what_others_are_given() -> None:
    z, decoder = torch.randn(4, LATENT), build(3, num_rounds=2)
    without = decoder(z, SIZES)
    given = without.pair_index[:, :3]
    drawn = decoder(z, SIZES, torch.Generator().manual_seed(0), pairs=given)
    assert drawn.layout.sample_weight is not None
    assert drawn.pair_logits.size(0) > without.pair_logits.size(0)
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(drawn.node_logits, without.node_logits, **close)
    candidates = drawn.pair_logits[drawn.layout.sample_weight == 0]
    torch.testing.assert_close(candidates, without.pair_logits, **close)
    again = decoder(z, SIZES, torch.Generator().manual_seed(0), pairs=given)
    assert torch.equal(again.pair_logits, drawn.pair_logits)


def test_other_graphs_do_not_matter() -> None:
    z, decoder = torch.randn(4, LATENT), build(3)
    before = decoder(z, SIZES)
    other = z.clone()
    other[2] = torch.randn(LATENT)
    after = decoder(other, SIZES)
    kept, same = after.layout.pair_batch != 2, before.layout.pair_batch != 2
    assert torch.equal(after.pair_index[:, kept], before.pair_index[:, same])
    # Not to the last bit: a product of matrices depends on the number of rows, that is on how many
    # neighbours another graph has in common.
    torch.testing.assert_close(
        after.pair_logits[kept], before.pair_logits[same], rtol=1e-5, atol=1e-5
    )
    assert not torch.equal(after.pair_logits[~kept], before.pair_logits[~same])


def test_graphs_of_candidates() -> None:
    """Whatever is drawn, an edge joins two candidates; the rest is as with all pairs."""
    distribution = build(3)(torch.randn(4, LATENT), SIZES)
    distribution.pair_logits[:, 1] += 4
    for batch in (distribution.mode(), distribution.sample(torch.Generator().manual_seed(0))):
        assert batch.ptr.diff().tolist() == SIZES.tolist()
        assert batch.num_edges > 0
        assert (distribution.layout.pair_id(*batch.edge_index) >= 0).all()
        assert batch.is_undirected()
        assert len(batch.to_data_list()) == 4
    moved = distribution.to("cpu")
    assert torch.equal(moved.pair_index, distribution.pair_index)
    assert torch.equal(moved.mode().edge_index, distribution.mode().edge_index)


def test_gradients_reach_every_parameter_and_z() -> None:
    z = torch.randn(4, LATENT, requires_grad=True)
    decoder = build(3)
    decoded = decoder(z, SIZES)
    (decoded.node_logits.square().sum() + decoded.pair_logits.square().sum()).backward()
    for name, leaf in (*decoder.named_parameters(), ("z", z)):
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert build(3)(torch.randn(4, LATENT), SIZES).sample().num_graphs == 4


def test_no_graphs_and_no_pairs() -> None:
    for sizes in ([], [1, 1]):
        decoded = build(1)(torch.randn(len(sizes), LATENT), torch.tensor(sizes, dtype=torch.int64))
        assert decoded.pair_logits.shape == (0, 4)
        assert decoded.mode().num_graphs == len(sizes)


def test_reset_and_arguments() -> None:
    embed = NeighborEmbedding(3, 2, 5)
    assert repr(embed) == ("NeighborEmbedding(3, num_neighbors=2, num_negatives=5, channels=8)")
    before = embed.lin.weight.clone()
    embed.scale.data.fill_(9.0)
    embed.reset_parameters()
    assert not torch.equal(embed.lin.weight, before)
    assert torch.nn.functional.softplus(embed.scale).item() == pytest.approx(1)
    for name, value, least in (
        ("num_neighbors", 0, 1),
        ("num_negatives", -1, 0),
        ("channels", 0, 1),
    ):
        arguments = {"num_neighbors": 2, name: value}
        with pytest.raises(ValueError, match=f"'{name}' to be at least {least} .got {value}"):
            NeighborEmbedding(3, **arguments)
    for wrong in (1.5, True):
        with pytest.raises(TypeError, match=f"'num_neighbors' to be an integer .got {wrong}."):
            NeighborEmbedding(3, wrong)
