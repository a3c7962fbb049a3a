"""Layers are copied, pickled, stored, cast, compiled and exported, and stay what they are.

What compiles in one piece and is exported is :meth:`Creation.create`, tensors in and out. The
layers behind it take a :class:`~pyg_topn.utils.Layout`, which holds the sizes of the batch as
Python integers and counts pairs and padded slots by them: ``torch.compile`` breaks the graph there,
and ``torch.export`` stops, since a shape would depend on the values of a tensor.

An exported :class:`TopNCreation` takes two sets or more: PyTorch traces the comparison of sizes
with ranks as a broadcast, for which one row is a special case. The others take any number.
"""

from __future__ import annotations

import copy
import io
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.utils import erdos_renyi_graph

from pyg_topn.models import build_graph_vae, build_set_vae
from pyg_topn.nn.creation import (
    Creation,
    FirstNCreation,
    IIDCreation,
    MLPCreation,
    TopNCreation,
)
from pyg_topn.nn.decoder import (
    GraphDecoder,
    NeighborEmbedding,
    PairRefinement,
    Set2Graph,
    SetDecoder,
)
from pyg_topn.nn.encoder import (
    ConditionEncoder,
    FSPool,
    GraphCritic,
    GraphEncoder,
    SetEncoder,
)
from pyg_topn.nn.update import SetTransformer
from pyg_topn.transforms import CanonicalOrder, OneHotLabels
from pyg_topn.utils import Layout, RelaxedGraphs, build_batch

LATENT, CHANNELS, LARGEST = 4, 8, 7
SIZES = torch.tensor([3, 1, 7, 2])
LAYOUT = Layout(SIZES, torch.device("cpu"))

CREATIONS: dict[str, Callable[[], Creation]] = {
    "top_n": lambda: TopNCreation(LATENT, CHANNELS, LARGEST),
    "first_n": lambda: FirstNCreation(LATENT, CHANNELS, LARGEST),
    "mlp": lambda: MLPCreation(LATENT, CHANNELS, LARGEST),
    "iid": lambda: IIDCreation(LATENT, CHANNELS),
}


def fixed(*shape: int) -> Tensor:
    """The same random numbers at every call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def graphs() -> Batch:
    """Graphs of mixed sizes with 3 types of nodes and 2 of edges, with a canonical order."""
    torch.manual_seed(2)
    encode, found = OneHotLabels(range(3), range(2)), []
    for size in SIZES.tolist():
        edge_index = erdos_renyi_graph(size, 0.6)
        types = edge_index.sum(dim=0) % 2
        data = Data(x=torch.arange(size) % 3, edge_index=edge_index, edge_attr=types)
        found.append(CanonicalOrder()(encode(data)))
    return Batch.from_data_list(found)


def points() -> Batch:
    return build_batch(SIZES, {"pos": fixed(13, 3)})


def decoded(layer: Any) -> list[Tensor]:
    distribution = layer(fixed(4, LATENT), SIZES, torch.Generator().manual_seed(0))
    return [distribution.node_logits, distribution.pair_logits]


def encoded(posterior: Any) -> list[Tensor]:
    return [posterior.mean, posterior.log_variance]


def autoencoded(vae: Any) -> list[Tensor]:
    # The mean: noise of another type would be other noise.
    posterior = vae.encode(graphs())
    distribution = vae.decode(posterior.mean, SIZES)
    return [*encoded(posterior), distribution.node_logits, distribution.pair_logits]


def graph_vae() -> nn.Module:
    return build_graph_vae(
        3,
        (1, 2),
        [0, 1, 1, 1, 1, 1, 1, 1],
        latent_channels=LATENT,
        hidden_channels=16,
        pair_channels=8,
        creation_channels=16,
        num_layers=1,
        encoder_layers=1,
        heads=2,
        prior="rectified_flow",
        prior_channels=8,
        prior_layers=1,
        prior_guidance=2.0,
    )


def created(layer: Any) -> list[Tensor]:
    return [layer(fixed(4, LATENT), SIZES, torch.Generator().manual_seed(0)).x]


def with_conditions() -> Creation:
    layer = TopNCreation(LATENT, CHANNELS, LARGEST, cond_channels=2)
    assert layer.condition is not None
    return drawn(layer.eval())  # In training, conditions are hidden at random.


def drawn(layer: Any) -> Any:
    """The layer with all weights drawn: those that start at zero hide what is in front."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.5, 0.5)
    return layer


def neighbors_found(layer: Any) -> list[Tensor]:
    points = layer(fixed(13, CHANNELS))
    return [points, layer.log_odds(points, LAYOUT)]


# How to make a layer, and what it says to a fixed input.
LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], list[Tensor]]]] = {
    **{name: (build, created) for name, build in CREATIONS.items()},
    "TopNCreation with conditions": (
        with_conditions,
        lambda layer: [layer(fixed(4, LATENT), SIZES, None, fixed(4, 2)).x],
    ),
    "ConditionEncoder": (
        lambda: drawn(ConditionEncoder(2, CHANNELS, dropout=0.0)),
        lambda layer: [layer(torch.where(fixed(4, 2) > 1, torch.nan, fixed(4, 2)))],
    ),
    "PairRefinement": (
        lambda: PairRefinement(CHANNELS, 6, num_node_types=3, edge_orders=torch.ones(2)),
        lambda layer: [*layer(fixed(13, CHANNELS), fixed(LAYOUT.pair_index.size(1), 6), LAYOUT)],
    ),
    "NeighborEmbedding": (lambda: NeighborEmbedding(CHANNELS, 2), neighbors_found),
    "FSPool": (lambda: FSPool(CHANNELS, 5), lambda layer: [layer(fixed(13, CHANNELS), LAYOUT)]),
    "GraphCritic": (
        lambda: GraphCritic(3, 2, hidden_channels=8, num_layers=2),
        lambda layer: [layer(RelaxedGraphs.from_batch(graphs()))],
    ),
    "SetTransformer": (
        lambda: SetTransformer(CHANNELS, 2, heads=2, latent_channels=LATENT),
        lambda layer: [layer(fixed(13, CHANNELS), LAYOUT, fixed(4, LATENT))],
    ),
    "Set2Graph": (
        lambda: Set2Graph(CHANNELS, 6, plus=True),
        lambda layer: [layer(fixed(13, CHANNELS), LAYOUT)],
    ),
    "GraphDecoder": (
        lambda: GraphDecoder(
            CREATIONS["top_n"](),
            SetTransformer(CHANNELS, 1, heads=2, latent_channels=LATENT),
            num_node_types=3,
            edge_orders=(1, 2),
            pair_channels=8,
            num_rounds=1,
        ),
        decoded,
    ),
    "GraphEncoder, pna": (
        lambda: GraphEncoder(3, 2, LATENT, hidden_channels=8, num_layers=2),
        lambda layer: encoded(layer(graphs())),
    ),
    "GraphEncoder, canonical": (
        lambda: GraphEncoder(3, 2, LATENT, 8, 2, readout="canonical", max_num_nodes=LARGEST),
        lambda layer: encoded(layer(graphs())),
    ),
    "SetEncoder": (
        lambda: SetEncoder(3, LATENT, hidden_channels=8, num_layers=1, heads=2),
        lambda layer: encoded(layer(points())),
    ),
    "SetDecoder": (
        lambda: SetDecoder(CREATIONS["top_n"](), SetTransformer(CHANNELS, 1, heads=2)),
        lambda layer: [layer(fixed(4, LATENT), SIZES).pos],
    ),
    "GraphVAE": (graph_vae, autoencoded),
}


@pytest.fixture(params=LAYERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def assert_same(mine: list[Tensor], other: list[Tensor]) -> None:
    assert len(mine) == len(other) > 0
    assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))


def test_deep_copies_are_independent(name: str) -> None:
    build, run = LAYERS[name]
    layer = build()
    expected = run(layer)
    other = copy.deepcopy(layer)
    assert_same(run(other), expected)
    mine = {tensor.data_ptr() for tensor in layer.state_dict().values() if tensor.numel()}
    theirs = {tensor.data_ptr() for tensor in other.state_dict().values() if tensor.numel()}
    assert mine.isdisjoint(theirs)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert not all(torch.equal(a, b) for a, b in zip(run(other), expected, strict=True))
    assert_same(run(layer), expected)


def test_a_copy_of_a_trained_layer_learns_alone(name: str) -> None:
    """Gradients and caches of a step neither block the copy nor come along into its graph."""
    build, run = LAYERS[name]
    layer = build()
    sum(value.square().mean() for value in run(layer)).backward()
    other = copy.deepcopy(layer)
    other.zero_grad()
    sum(value.square().mean() for value in run(other)).backward()
    for mine, theirs in zip(layer.parameters(), other.parameters(), strict=True):
        if mine.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad)
            assert mine.grad.data_ptr() != theirs.grad.data_ptr()


def test_pickles(name: str) -> None:
    build, run = LAYERS[name]
    layer = build()
    other = pickle.loads(pickle.dumps(layer))
    assert repr(other) == repr(layer)
    assert_same(run(other), run(layer))


def test_weights_are_stored_without_code(name: str) -> None:
    build, run = LAYERS[name]
    layer, fresh = build(), build()
    expected = run(layer)
    assert not all(torch.equal(a, b) for a, b in zip(run(fresh), expected, strict=True))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert_same(run(fresh), expected)


def test_bfloat16_is_near(name: str) -> None:
    build, run = LAYERS[name]
    layer = build()
    expected = run(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = run(layer)
    for mine, other in zip(found, expected, strict=True):
        assert mine.isfinite().all()
        assert mine.shape == other.shape
        # A rounded number is off by 2^-9 of itself at most; sums of some layers by more.
        assert (mine.float() - other).norm() < 0.03 * other.norm()


@pytest.mark.parametrize("num_reference_points", [12, 700])
def test_bfloat16_selects_the_same_points(num_reference_points: int) -> None:
    """Rounded to 8 bits, many cosines of a large reference set would be equal."""
    create = TopNCreation(16, CHANNELS, num_reference_points)
    z, sizes = torch.randn(64, 16), torch.randint(1, num_reference_points + 1, (64,))
    expected = create.select(create.cosines(z), sizes)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = create.select(create.cosines(z), sizes)
        half = create.cosines(z.bfloat16())  # As another layer under autocast hands it on.
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    torch.testing.assert_close(half, create.cosines(z.bfloat16().float()))


def arguments(sizes: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """What :meth:`Creation.create` takes."""
    layout = Layout(torch.tensor(sizes), torch.device("cpu"))
    return fixed(len(sizes), LATENT), layout.batch, layout.ptr


def with_gradients(create: Any, layer: Creation, sizes: list[int]) -> list[Tensor]:
    """The created points and the gradients of all parameters and latent vectors."""
    z, batch, ptr = arguments(sizes)
    leaves = [z.requires_grad_(), *layer.parameters()]
    torch.manual_seed(1)
    x = create(z, batch, ptr)
    return [x, *torch.autograd.grad(x.square().sum(), leaves)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", CREATIONS)
def test_compiles_with_gradients_for_all_sizes(kind: str) -> None:
    layer = CREATIONS[kind]()
    torch.compiler.reset()
    compiled = torch.compile(layer.create, fullgraph=True, dynamic=True, backend="aot_eager")
    for sizes in ([3, 1, 7, 2], [4] * 6):
        expected = with_gradients(layer.create, layer, sizes)
        for mine, other in zip(with_gradients(compiled, layer, sizes), expected, strict=True):
            torch.testing.assert_close(mine, other)


@pytest.mark.filterwarnings("ignore")  # Of the compiler, which looks at gradients between pieces.
@pytest.mark.parametrize("kind", [name for name in LAYERS if name not in (*CREATIONS, "GraphVAE")])
def test_compiles_in_pieces(kind: str) -> None:
    build, run = LAYERS[kind]
    layer = build()
    torch.compiler.reset()
    found = run(torch.compile(layer, backend="eager"))
    for mine, other in zip(found, run(layer), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Those of PyTorch's compiler about its own parts.
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiles_to_machine_code() -> None:
    layer = CREATIONS["top_n"]()
    torch.compiler.reset()
    compiled = torch.compile(layer.create, fullgraph=True, dynamic=True)
    with torch.no_grad():  # The compiler takes half of its time for gradients.
        for sizes in ([3, 1, 7, 2], [4] * 6):
            expected = layer.create(*arguments(sizes))
            torch.testing.assert_close(compiled(*arguments(sizes)), expected)


class Exportable(nn.Module):
    """A creation layer as a module of tensors."""

    def __init__(self, layer: Creation) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Tensor, batch: Tensor, ptr: Tensor) -> Tensor:
        return self.layer.create(z, batch, ptr)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", CREATIONS)
def test_exports_with_free_sizes(kind: str, tmp_path: Path) -> None:
    layer = CREATIONS[kind]()
    num_graphs, num_nodes = Dim("num_graphs", min=0), Dim("num_nodes", min=0)
    shapes = ({0: num_graphs}, {0: num_nodes}, {0: num_graphs + 1})
    program = torch.export.export(Exportable(layer), arguments([3, 1, 7, 2]), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "create.pt2")
    loaded = torch.export.load(tmp_path / "create.pt2").module()
    several = [[3, 1, 7, 2], [2, 5], [7] * 9, [1, 1, 1]]
    for sizes in several if kind == "top_n" else [*several, [1], [5]]:
        torch.manual_seed(1)
        expected = layer.create(*arguments(sizes))
        torch.manual_seed(1)
        torch.testing.assert_close(loaded(*arguments(sizes)), expected)


@pytest.mark.parametrize("kind", ["graphs", "sets"])
def test_generated_batches_go_through_workers(kind: str, tmp_path: Path) -> None:
    vae = graph_vae() if kind == "graphs" else build_set_vae([0, 1, 1, 1], latent_channels=LATENT)
    with torch.no_grad():
        batch = vae.sample(7, generator=torch.Generator().manual_seed(0))  # type: ignore[operator]
    torch.save(batch.to_data_list(), tmp_path / "generated.pt")
    stored = torch.load(tmp_path / "generated.pt", weights_only=False)
    parts = list(DataLoader(stored, batch_size=3, num_workers=2))
    assert [part.num_graphs for part in parts] == [3, 3, 1]
    again = Batch.from_data_list([data for part in parts for data in part.to_data_list()])
    assert sorted(again.keys()) == sorted(batch.keys())
    for key, value in batch.to_dict().items():
        assert torch.equal(again[key], value), key
