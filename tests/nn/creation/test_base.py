"""The contract that every creation layer keeps."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from pyg_topn.nn.creation import (
    Creation,
    FirstNCreation,
    IIDCreation,
    MLPCreation,
    TopNCreation,
)

LATENT, CHANNELS, LARGEST = 4, 5, 7
SIZES = torch.tensor([3, 1, 7, 2])
NONE = torch.empty(0, dtype=torch.int64)

LAYERS: dict[str, Callable[[], Creation]] = {
    "top_n": lambda: TopNCreation(LATENT, CHANNELS, LARGEST),
    "top_n_cosine": lambda: TopNCreation(LATENT, CHANNELS, LARGEST, order="cosine"),
    "first_n": lambda: FirstNCreation(LATENT, CHANNELS, LARGEST),
    "mlp": lambda: MLPCreation(LATENT, CHANNELS, LARGEST),
    "iid": lambda: IIDCreation(LATENT, CHANNELS),
}
BOUNDED = sorted(LAYERS.keys() - {"iid"})


def created(layer: Creation, z: Tensor, num_nodes: Tensor = SIZES, seed: int = 0) -> Tensor:
    x: Tensor = layer(z, num_nodes, torch.Generator().manual_seed(seed)).x
    return x


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> Creation:
    return LAYERS[request.param]()


def test_the_result_is_a_pyg_batch(layer: Creation) -> None:
    batch = layer(torch.randn(4, LATENT), SIZES)
    assert batch.x.shape == (13, CHANNELS)
    assert batch.x.isfinite().all()
    assert batch.ptr.tolist() == [0, 3, 4, 11, 13]
    assert batch.batch.tolist() == [0] * 3 + [1] + [2] * 7 + [3] * 2
    graphs = batch.to_data_list()
    assert [data.num_nodes for data in graphs] == SIZES.tolist()
    assert torch.equal(graphs[2].x, batch.x[4:11])
    again = next(iter(DataLoader([Data(x=g.x.detach()) for g in graphs], batch_size=4)))
    assert torch.equal(again.x, batch.x)
    assert torch.equal(again.ptr, batch.ptr)


def test_no_graphs(layer: Creation) -> None:
    batch = layer(torch.empty(0, LATENT), NONE)
    assert batch.x.shape == (0, CHANNELS)
    assert batch.to_data_list() == []
    batch.x.sum().backward()


@pytest.mark.parametrize("name", BOUNDED)
def test_a_batch_is_its_graphs_one_by_one(name: str) -> None:
    layer, z = LAYERS[name](), torch.randn(4, LATENT)
    alone = [created(layer, z[g : g + 1], SIZES[g : g + 1]) for g in range(4)]
    torch.testing.assert_close(created(layer, z), torch.cat(alone))


def test_the_latent_vector_matters_to_its_own_graph_only(layer: Creation) -> None:
    z = torch.randn(4, LATENT)
    other = z.clone()
    other[2] += 1
    before, after = created(layer, z), created(layer, other)
    changed = (before != after).any(dim=1)
    assert changed[4:11].all()
    assert not changed[:4].any()
    assert not changed[11:].any()


def test_growing_keeps_the_points_when_order_does_not_depend_on_size() -> None:
    z = torch.randn(1, LATENT)
    for name in ("first_n", "mlp"):
        layer = LAYERS[name]()
        small, large = created(layer, z, torch.tensor([3])), created(layer, z, torch.tensor([4]))
        assert torch.equal(small, large[:3])


def test_gradients_reach_every_parameter_and_z(layer: Creation) -> None:
    z = torch.randn(4, LATENT, requires_grad=True)
    layer(z, SIZES).x.square().sum().backward()
    for name, leaf in (*layer.named_parameters(), ("z", z)):
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.ne(0).any(), name


@pytest.mark.parametrize("num_graphs", [0, 1, 4, 200])
def test_a_linear_layer_behind_may_be_merged(layer: Creation, num_graphs: int) -> None:
    """Values and all gradients are those of both layers in turn, for few graphs and for many."""
    layer, lin = layer.double(), torch.nn.Linear(CHANNELS, 2).double()
    z = torch.randn(num_graphs, LATENT, dtype=torch.float64, requires_grad=True)
    num_nodes = torch.arange(num_graphs) % LARGEST + 1
    leaves = {"z": z, **dict(layer.named_parameters()), **dict(lin.named_parameters())}

    def run(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        weights = torch.arange(x.numel(), dtype=x.dtype).view_as(x).cos()
        return x.detach(), torch.autograd.grad((x * weights).sum(), tuple(leaves.values()))

    generator = torch.Generator().manual_seed(0)
    expected, gradients = run(lin(layer(z, num_nodes, generator).x))
    x, found = run(layer.create_projected(z, num_nodes, lin, generator.manual_seed(0)))
    torch.testing.assert_close(x, expected)
    for name, ours, theirs in zip(leaves, found, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_the_layer_behind_must_fit(layer: Creation) -> None:
    with pytest.raises(ValueError, match=r"Expected 'lin' to take 5 channels \(got 3\)"):
        layer.create_projected(torch.randn(4, LATENT), SIZES, torch.nn.Linear(3, 2))
    with pytest.raises(ValueError, match="'num_nodes'"):
        layer.create_projected(torch.randn(3, LATENT), SIZES, torch.nn.Linear(CHANNELS, 2))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiles_without_graph_breaks(layer: Creation) -> None:
    z, num_nodes = torch.randn(4, LATENT), SIZES
    batch = layer(z, num_nodes)
    compiled = torch.compile(layer.create, fullgraph=True, backend="eager")
    torch.manual_seed(1)
    expected = layer.create(z, batch.batch, batch.ptr)
    torch.manual_seed(1)
    torch.testing.assert_close(compiled(z, batch.batch, batch.ptr), expected)


def test_autocast(layer: Creation) -> None:
    z = torch.randn(4, LATENT, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = layer(z, SIZES).x
    assert x.shape == (13, CHANNELS)
    assert x.isfinite().all()
    x.float().sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types(layer: Creation, dtype: torch.dtype) -> None:
    x = layer.to(dtype)(torch.randn(4, LATENT, dtype=dtype), SIZES).x
    assert x.dtype == dtype
    assert x.isfinite().all()


def test_copies_create_the_same(layer: Creation) -> None:
    z = torch.randn(4, LATENT)
    expected = created(layer, z)
    fresh = copy.deepcopy(layer)
    fresh.reset_parameters()
    assert not torch.equal(created(fresh, z), expected)
    fresh.load_state_dict(layer.state_dict())
    for other in (fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(created(other, z), expected)
        assert repr(other) == repr(layer)


def test_reset_is_seeded(layer: Creation) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        layer.reset_parameters()
        states.append(copy.deepcopy(layer.state_dict()))
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key])


@pytest.mark.parametrize(
    ("z", "num_nodes", "error", "match"),
    [
        ([[0.0] * 4], torch.tensor([1]), TypeError, "'z' to be a Tensor .got list"),
        (torch.ones(1, 3), torch.tensor([1]), ValueError, r"\[B, 4\] .* shape \(1, 3\)"),
        (torch.ones(4), torch.tensor([1]), ValueError, r"shape \[B, 4\]"),
        (torch.ones(1, 4).long(), torch.tensor([1]), ValueError, "floating point.*torch.int64"),
        (torch.ones(1, 4), [1], TypeError, "'num_nodes' to be a Tensor .got list"),
        (torch.ones(1, 4), torch.tensor([1.0]), ValueError, "dtype torch.int64"),
        (torch.ones(1, 4), torch.tensor([0]), ValueError, "at least 1 everywhere .got 0"),
        (torch.ones(1, 4), torch.tensor([1, 2]), ValueError, "each of the 1 rows of 'z' .got 2"),
        (torch.full((1, 4), torch.nan), torch.tensor([1]), ValueError, "'z' to be finite"),
        (torch.full((1, 4), torch.inf), torch.tensor([1]), ValueError, "'z' to be finite"),
    ],
)
def test_unfit_input(
    layer: Creation, z: Any, num_nodes: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        layer(z, num_nodes)


@pytest.mark.parametrize("name", BOUNDED)
def test_too_large(name: str) -> None:
    layer = LAYERS[name]()
    assert layer.max_num_nodes == LARGEST
    with pytest.raises(ValueError, match=r"at most 7 everywhere .got 8"):
        layer(torch.randn(2, LATENT), torch.tensor([2, 8]))


@pytest.mark.parametrize("kind", [TopNCreation, FirstNCreation, MLPCreation])
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0, 5, 7), "'latent_channels' to be at least 1 .got 0"),
        ((4, 0, 7), "'out_channels' to be at least 1 .got 0"),
        ((4, 5, 0), "'max_num_nodes' to be at least 1 .got 0"),
    ],
)
def test_unfit_arguments(
    kind: Callable[..., Creation], arguments: tuple[int, ...], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        kind(*arguments)


def test_repr() -> None:
    assert repr(LAYERS["first_n"]()) == "FirstNCreation(4, 5, max_num_nodes=7)"
    assert repr(LAYERS["iid"]()) == "IIDCreation(4, 5, max_num_nodes=None)"
