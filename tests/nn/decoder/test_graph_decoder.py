"""From latent vectors to distributions over graphs."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pyg_topn.nn.creation import Creation, FirstNCreation, IIDCreation, MLPCreation, TopNCreation
from pyg_topn.nn.decoder import GraphDecoder, GraphDistribution
from pyg_topn.nn.update import SetTransformer
from pyg_topn.utils.layout import Layout

LATENT, LARGEST = 4, 8
SIZES = torch.tensor([3, 1, 6, 2])
CREATIONS: dict[str, Callable[[], Creation]] = {
    "top_n": lambda: TopNCreation(LATENT, 10, LARGEST),
    "first_n": lambda: FirstNCreation(LATENT, 10, LARGEST),
    "mlp": lambda: MLPCreation(LATENT, 10, LARGEST),
    "iid": lambda: IIDCreation(LATENT, 10),
}


def build(creation: str = "top_n", plus: bool = False, num_rounds: int = 0) -> GraphDecoder:
    return GraphDecoder(
        CREATIONS[creation](),
        SetTransformer(12, num_layers=2, heads=2, latent_channels=LATENT),
        num_node_types=4,
        edge_orders=(1, 2, 3),
        pair_channels=9,
        plus=plus,
        num_rounds=num_rounds,
    )


@pytest.fixture(params=[(False, 0), (True, 2)], ids=["S2G", "S2G+ and rounds"])
def decoder(request: pytest.FixtureRequest) -> GraphDecoder:
    return build("top_n", *request.param)


def logits(distribution: GraphDistribution) -> tuple[Tensor, Tensor]:
    return distribution.node_logits, distribution.pair_logits


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("num_rounds", [0, 1])
def test_every_creation_decodes(creation: str, num_rounds: int) -> None:
    decoder = build(creation, num_rounds=num_rounds)
    z = torch.randn(4, LATENT)
    distribution = decoder(z, SIZES, torch.Generator().manual_seed(0))
    assert distribution.node_logits.shape == (12, 4)
    assert distribution.pair_logits.shape == (19, 4)
    assert decoder.latent_channels == LATENT
    assert decoder.max_num_nodes == (None if creation == "iid" else LARGEST)
    again = decoder(z, SIZES, torch.Generator().manual_seed(0))
    for mine, other in zip(logits(distribution), logits(again), strict=True):
        assert torch.equal(mine, other)
    assert distribution.sample().ptr.diff().tolist() == SIZES.tolist()


def test_a_batch_is_its_graphs_one_by_one(decoder: GraphDecoder) -> None:
    z = torch.randn(4, LATENT)
    alone = [logits(decoder(z[g : g + 1], SIZES[g : g + 1])) for g in range(4)]
    for mine, parts in zip(logits(decoder(z, SIZES)), zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(mine, torch.cat(parts), rtol=1e-4, atol=1e-5)


def test_other_graphs_do_not_change_by_a_bit(decoder: GraphDecoder) -> None:
    z = torch.randn(4, LATENT)
    before = decoder(z, SIZES)
    for graph in range(4):
        other = z.clone()
        other[graph] = 3 * torch.randn(LATENT)
        after = decoder(other, SIZES)
        batches = (before.layout.batch, before.layout.pair_batch)
        for a, b, batch in zip(logits(after), logits(before), batches, strict=True):
            assert torch.equal(a[batch != graph], b[batch != graph])
            assert (a != b)[batch == graph].any() or not (batch == graph).any()


def test_nodes_and_pairs_follow_the_created_points(decoder: GraphDecoder) -> None:
    """Listing the same points in another order lists the same nodes and pairs in that order."""
    z, sizes = torch.randn(1, LATENT), torch.tensor([6])
    before = decoder(z, sizes)
    perm = torch.randperm(LARGEST)
    creation = decoder.creation
    assert isinstance(creation, TopNCreation)
    chosen = creation.select(creation.cosines(z), sizes)[0][0, :6]
    with torch.no_grad():
        creation.angles.copy_(creation.angles[perm])
        creation.representations.copy_(creation.representations[perm])
    after = decoder(z, sizes)
    now = perm[creation.select(creation.cosines(z), sizes)[0][0, :6]]
    place = torch.tensor([chosen.tolist().index(point) for point in now.tolist()])
    i, j = before.pair_index
    pairs = before.layout.pair_id(place[i], place[j])
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(after.node_logits, before.node_logits[place], **close)
    torch.testing.assert_close(after.pair_logits, before.pair_logits[pairs], **close)


def test_presence_and_type_join_to_one_distribution() -> None:
    decoder, e = build(), torch.randn(7, 9)
    joined = decoder._pair_logits(e).softmax(dim=1)
    present = decoder.presence_mlp(e).sigmoid()
    edge_type = decoder.edge_type_mlp(e).softmax(dim=1)
    torch.testing.assert_close(joined[:, :1], 1 - present)
    torch.testing.assert_close(joined[:, 1:], present * edge_type)


def test_gradients_reach_every_parameter_and_z(decoder: GraphDecoder) -> None:
    z = torch.randn(4, LATENT, requires_grad=True)
    distribution = decoder(z, SIZES)
    sum(value.square().sum() for value in logits(distribution)).backward()
    for name, leaf in (*decoder.named_parameters(), ("z", z)):
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


def test_autocast(decoder: GraphDecoder) -> None:
    z = torch.randn(4, LATENT, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        distribution = decoder(z, SIZES)
        sum(value.square().sum() for value in logits(distribution)).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert distribution.sample().num_graphs == 4
    assert all(value.dtype == torch.float32 for value in logits(distribution))  # For the loss.


def test_filling_graphs_up_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path that autocast takes on a CPU, in single precision, forwards and backwards."""
    decoder = build(num_rounds=2)

    def decoded() -> list[Tensor]:
        z = torch.linspace(-1, 1, 4 * LATENT).view(4, LATENT).requires_grad_()
        values = list(logits(decoder(z, SIZES)))
        total = sum((value * torch.arange(value.numel()).view_as(value)).sum() for value in values)
        leaves = [z, *decoder.parameters()]
        return values + list(torch.autograd.grad(total, leaves))

    expected = decoded()
    asked: list[bool] = []
    monkeypatch.setattr(GraphDecoder, "_pays_to_widen", lambda self, layout: not asked.append(True))
    for found, known in zip(decoded(), expected, strict=True):
        torch.testing.assert_close(found, known, rtol=1e-3, atol=1e-3)
    assert asked


def test_where_filling_up_pays(decoder: GraphDecoder) -> None:
    def pays(sizes: list[int]) -> bool:
        return decoder._pays_to_widen(Layout(torch.tensor(sizes), torch.device("cpu")))

    assert not pays([9, 9, 8])  # In single precision.
    with torch.autocast("cpu", torch.bfloat16):
        assert pays([9, 9, 8]) != decoder.set2graph.plus  # S2G+ has sums over all rows.
        assert not pays([9, 9, 9])  # Nothing to fill up.
        assert not pays([9, 3, 3])  # Too much.


def test_double_precision(decoder: GraphDecoder) -> None:
    z = torch.randn(4, LATENT)
    single = logits(decoder(z, SIZES))
    double = logits(decoder.double()(z.double(), SIZES))
    for mine, other in zip(single, double, strict=True):
        torch.testing.assert_close(mine.double(), other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sizes", [[], [1], [1, 1]])
def test_no_pairs(decoder: GraphDecoder, sizes: list[int]) -> None:
    num_nodes = torch.tensor(sizes, dtype=torch.int64)
    distribution = decoder(torch.randn(len(sizes), LATENT), num_nodes)
    assert distribution.pair_logits.shape == (0, 4)
    assert distribution.node_logits.shape == (len(sizes), 4)
    for batch in (distribution.mode(), distribution.sample()):
        assert batch.num_graphs == len(sizes)
        assert batch.num_edges == 0
    sum(value.sum() for value in logits(distribution)).backward()


def test_copies_and_reset(decoder: GraphDecoder) -> None:
    z = torch.randn(4, LATENT)
    expected = decoder(z, SIZES).pair_logits
    fresh = copy.deepcopy(decoder)
    state = copy.deepcopy(fresh.state_dict())
    fresh.reset_parameters()
    drawn = [k for k, v in fresh.state_dict().items() if not torch.equal(v, state[k])]
    weights = [k for k in state if k.endswith("weight") and "norm" not in k]
    assert set(weights) <= set(drawn)
    fresh.load_state_dict(decoder.state_dict())
    for other in (fresh, pickle.loads(pickle.dumps(decoder))):
        assert torch.equal(other(z, SIZES).pair_logits, expected)


def test_unfit_arguments() -> None:
    creation, update = CREATIONS["top_n"](), SetTransformer(12, latent_channels=LATENT)
    for types, orders in ((0, (1.0,)), (4, ())):
        match = f"at least one node type and one edge type .got {types} and {len(orders)}"
        with pytest.raises(ValueError, match=match):
            GraphDecoder(creation, update, types, orders)


def test_unfit_input(decoder: GraphDecoder) -> None:
    with pytest.raises(ValueError, match=r"at most 8 everywhere .got 9"):
        decoder(torch.randn(1, LATENT), torch.tensor([9]))
    with pytest.raises(ValueError, match="'z' to be finite"):
        decoder(torch.full((1, LATENT), torch.nan), torch.tensor([2]))
