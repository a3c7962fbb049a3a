"""Nothing on the way from a batch to an updated model waits for the device.

Where there is CUDA, its own debug mode counts. Everywhere, the same code runs on the device "meta",
whose tensors have shapes but no values: what stands on the CPU (sizes, slices) is known, and
whatever would have to fetch a value from the device is seen.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch_geometric.data import Batch, Data, InMemoryDataset

import pyg_topn
from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import GraphVAELoss, PriorRegularizer
from pyg_topn.losses.matching import matcher_resolver
from pyg_topn.models import GraphVAE, build_dspn, build_graph_vae, build_set_vae, build_tspn
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation import SizePredictor
from pyg_topn.nn.decoder import GraphDecoder, GraphDistribution
from pyg_topn.nn.encoder import GraphEncoder
from pyg_topn.nn.update import SetTransformer
from pyg_topn.resolver import creation_resolver
from pyg_topn.transforms import CanonicalOrder
from pyg_topn.utils import Layout, build_batch, pair_index, undirected

ROOT = str(Path(pyg_topn.__file__).parent)
DEVICES = ["meta", "cuda"] if torch.cuda.is_available() else ["meta"]
SIZES = [5, 1, 7, 2, 1, 4]
VALENCIES, ORDERS = (4, 3, 2, 1), (1, 2, 3)

# The size of their result, or the result itself, is a value of a tensor.
FETCHING = {
    "_local_scalar_dense",
    "allclose",
    "argwhere",
    "bincount",
    "equal",
    "histc",
    "is_nonzero",
    "item",
    "masked_select",
    "nonzero",
    "nonzero_numpy",
}
COPIES = {"_to_copy", "copy_"}
INDEXING = {"_index_put_impl_", "_unsafe_index", "_unsafe_index_put", "index", "index_put"}


def _is_meta(device: Any) -> bool:
    return device is not None and torch.device(device).type == "meta"


def _is_on_device(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_meta


class Watch(TorchDispatchMode):
    """Lists the operations for which CUDA would wait. Tensors on "meta" stand for those there."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if not _waits(name, args, kwargs):
            return func(*args, **kwargs)
        self.found.append(f"{name} {_place()}")
        return _stand_in(name, func, args, kwargs)


class WatchNumbers(TorchFunctionMode):
    """Lists where numbers of Python are copied to the device, which Watch does not get to see."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        on_device = _is_on_device(args[0]) if args else False
        if name in ("tensor", "as_tensor"):
            waits = not isinstance(args[0], Tensor) and _is_meta(kwargs.get("device"))
        elif name in ("__getitem__", "__setitem__"):
            waits = on_device and isinstance(args[1], list)
        else:
            waits = on_device and name == "new_tensor"
        if waits:
            self.found.append(f"{name} {_place()}")
        return func(*args, **kwargs)


def _waits(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    if name in COPIES:
        return _copy_waits(name, args, kwargs)
    if not any(_is_on_device(value) for value in tree_leaves((args, kwargs))):
        return False
    if name.rstrip("_") in INDEXING or name in INDEXING:
        # A mask is turned into numbers first, and numbers on the CPU are copied.
        given = [index for index in args[1] if index is not None]
        return any(i.dtype in (torch.bool, torch.uint8) or not i.is_meta for i in given)
    if name == "repeat_interleave":
        return kwargs.get("output_size") is None
    # multinomial looks whether its probabilities are valid.
    return name in FETCHING or "unique" in name or name == "multinomial"


def _copy_waits(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    source = args[1] if name == "copy_" else args[0]
    target = args[0].device if name == "copy_" else kwargs.get("device") or source.device
    if source.device.type == torch.device(target).type:
        return False
    non_blocking = kwargs.get("non_blocking") or (name == "copy_" and args[2:] == (True,))
    return source.is_meta or not non_blocking


def _place() -> str:
    """The line of the package that does it."""
    frames = [f for f in traceback.extract_stack() if f.filename.startswith(ROOT)]
    if not frames:
        return "backwards or outside the package"
    frame = frames[-1]
    return f"in {frame.name} ({frame.filename.removeprefix(ROOT)}, line {frame.lineno})"


def _stand_in(name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Some result that lets what follows run, so that it is watched too."""
    if name == "nonzero":  # say, half of them
        size = (args[0].numel() // 2, args[0].dim())
        return torch.empty(size, dtype=torch.int64, device="meta")
    if name == "_to_copy" and args[0].is_meta:
        return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
    if name == "_local_scalar_dense":  # a check that is passed, where it is one
        return args[0].dtype == torch.bool or 1
    if name in FETCHING:
        raise AssertionError(f"{name} {_place()}")
    return func(*args, **kwargs)


@contextmanager
def watched(device: str) -> Iterator[list[str]]:
    """The list is filled with what waits for the device, at the latest when the block ends."""
    found: list[str] = []
    if device == "meta":
        with Watch(found), WatchNumbers(found):
            yield found
        return
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
    messages = (str(warning.message) for warning in caught)
    found += [message for message in messages if "synchronizing CUDA operation" in message]


# --- The watch itself.

NUMBERS = torch.empty(6, dtype=torch.int64, device="meta")
VALUES = torch.empty(6, 3, device="meta")
ON_CPU = torch.arange(6)
WAITING: dict[str, Callable[[], Any]] = {
    "item": lambda: VALUES[0, 0].item(),
    "int": lambda: int(NUMBERS.sum()),
    "bool": lambda: bool((NUMBERS > 0).all()),
    "if": lambda: 1 if VALUES.isfinite().all() else 0,
    "list": lambda: NUMBERS.tolist(),
    "equal": lambda: torch.equal(NUMBERS, NUMBERS),
    "nonzero": lambda: NUMBERS.nonzero(),
    "where": lambda: torch.where(NUMBERS > 0),
    "mask": lambda: VALUES[NUMBERS > 0],
    "assignment by mask": lambda: VALUES.clone().index_put_((NUMBERS > 0,), VALUES),
    "masked_select": lambda: VALUES.masked_select(VALUES > 0),
    "unique": lambda: NUMBERS.unique(),
    "unique_consecutive": lambda: NUMBERS.unique_consecutive(),
    "bincount": lambda: NUMBERS.bincount(),
    "repeat_interleave": lambda: NUMBERS.repeat_interleave(NUMBERS),
    "multinomial": lambda: torch.multinomial(VALUES, 1),
    "to the CPU": lambda: VALUES.cpu(),
    "from the CPU": lambda: ON_CPU.to("meta"),
    "copy from the CPU": lambda: NUMBERS.clone().copy_(ON_CPU),
    "numbers of Python": lambda: torch.tensor([1, 2], device="meta"),
    "indices on the CPU": lambda: VALUES[ON_CPU],
    "a list of indices": lambda: VALUES[[0, 2]],
}
GOING_ON: dict[str, Callable[[], Any]] = {
    "arithmetic": lambda: (VALUES * 2).softmax(-1).argmax(-1),
    "indices": lambda: VALUES[NUMBERS],
    "slices": lambda: VALUES[2:, None, 1],
    "masked_fill": lambda: VALUES.masked_fill(VALUES > 0, 0),
    "where": lambda: torch.where(VALUES > 0, VALUES, 0),
    "repeat_interleave": lambda: NUMBERS.repeat_interleave(NUMBERS, output_size=9),
    "from the CPU": lambda: ON_CPU.to("meta", non_blocking=True),
    "copy from the CPU": lambda: NUMBERS.clone().copy_(ON_CPU, non_blocking=True),
    "types": lambda: VALUES.to(torch.float64),
    "on the CPU": lambda: (
        int(ON_CPU.sum()),
        ON_CPU.unique(),
        ON_CPU[ON_CPU > 2],
        ON_CPU.nonzero(),
    ),
    "noise": lambda: (torch.randn(3, device="meta"), torch.randperm(3, device="meta")),
}


@pytest.mark.parametrize("name", WAITING)
def test_watch_sees_what_waits(name: str) -> None:
    no_value_to_go_on_with = suppress(AssertionError, RuntimeError, NotImplementedError)
    with watched("meta") as found, no_value_to_go_on_with:
        WAITING[name]()
    assert len(found) >= 1


@pytest.mark.parametrize("name", GOING_ON)
def test_watch_passes_what_goes_on(name: str) -> None:
    with watched("meta") as found:
        GOING_ON[name]()
    assert found == []


# --- The package.


class Graphs(InMemoryDataset):
    """Random graphs in the format of the data sets, with their canonical order."""

    def __init__(self) -> None:
        super().__init__()
        self.data, self.slices = self.collate([CanonicalOrder()(_graph(n)) for n in SIZES])


def _graph(num_nodes: int) -> Data:
    pairs = pair_index(torch.tensor([num_nodes]))
    pairs = pairs[:, torch.rand(pairs.size(1)) < 0.6]
    attr = torch.eye(3)[torch.randint(3, (pairs.size(1),))]
    edge_index, attrs = undirected(pairs, num_nodes, {"edge_attr": attr})
    x = torch.eye(4)[torch.randint(4, (num_nodes,))]
    return Data(x=x, edge_index=edge_index, edge_attr=attrs["edge_attr"])


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Where the model is, which the CPU is not to wait for."""
    return str(request.param)


@pytest.fixture
def loader(device: str) -> ResidentLoader:
    return ResidentLoader(Graphs(), batch_size=4, shuffle=True, device=device)


@pytest.fixture
def batch(loader: ResidentLoader) -> Batch:
    return loader.gather(torch.arange(len(SIZES)))


def build(device: str, **arguments: Any) -> GraphVAE:
    small = {"latent_channels": 8, "hidden_channels": 16, "pair_channels": 8, "num_layers": 2}
    options: dict[str, Any] = {**small, "creation_channels": 16, "heads": 2, **arguments}
    model = build_graph_vae(4, ORDERS, [0, 3, 2, 1, 1, 1, 1, 1], **options).to(device)
    model.vocabulary = MoleculeVocabulary.qm9()
    return model


def layout(device: str, sizes: list[int] | None = None) -> Layout:
    return Layout(torch.tensor(SIZES if sizes is None else sizes), torch.device(device))


def predicted(device: str) -> GraphDistribution:
    at = layout(device)
    nodes, pairs = sum(SIZES), at.pair_index.size(1)
    node_logits = torch.randn(nodes, 4, device=device, requires_grad=True)
    pair_logits = torch.randn(pairs, 4, device=device, requires_grad=True)
    return GraphDistribution(node_logits, pair_logits, layout(device))


def test_loader(loader: ResidentLoader, device: str) -> None:
    with watched(device) as found:
        batches = list(loader)
    assert found == []
    assert [batch.x.device.type for batch in batches] == [device] * 2


@pytest.mark.parametrize("name", ["top_n", "first_n", "mlp", "iid"])
def test_creation(name: str, device: str) -> None:
    sizes: dict[str, Any] = {"num_reference_points": 9} if name == "top_n" else {}
    if name in ("first_n", "mlp"):
        sizes = {"max_num_nodes": 9}
    create = creation_resolver(name, latent_channels=8, out_channels=16, **sizes).to(device)
    z = torch.randn(len(SIZES), 8, device=device, requires_grad=True)
    at = layout(device)
    with watched(device) as found:
        create.create(z, at.batch, at.ptr).sum().backward()
        create(z, at.num_nodes).x.sum().backward()
    assert found == []


@pytest.mark.parametrize("sizes", [SIZES, [4, 4, 4]])
def test_update(sizes: list[int], device: str) -> None:
    update = SetTransformer(16, num_layers=2, heads=2, latent_channels=8).to(device)
    x = torch.randn(sum(sizes), 16, device=device)
    z = torch.randn(len(sizes), 8, device=device)
    with watched(device) as found:
        update(x, layout(device, sizes), z).sum().backward()
    assert found == []


@pytest.mark.parametrize("readout", ["pna", "canonical"])
def test_encoder(readout: str, batch: Batch, device: str) -> None:
    encoder = GraphEncoder(4, 3, 8, 16, readout=readout, max_num_nodes=7).to(device)
    with watched(device) as found:
        posterior = encoder(batch)
        (posterior.rsample().sum() + posterior.kl().sum()).backward()
    assert found == []


@pytest.mark.parametrize("options", [{"plus": True}, {"num_rounds": 2}])
def test_decoder(options: dict[str, Any], device: str) -> None:
    creation = creation_resolver(
        "top_n", latent_channels=8, out_channels=16, num_reference_points=9
    )
    update = SetTransformer(16, num_layers=1, heads=2, latent_channels=8)
    decoder = GraphDecoder(creation, update, 4, ORDERS, pair_channels=8, **options).to(device)
    z = torch.randn(len(SIZES), 8, device=device)
    with watched(device) as found:
        distribution = decoder(z, torch.tensor(SIZES))
        (distribution.node_logits.sum() + distribution.pair_logits.sum()).backward()
    assert found == []


@pytest.mark.parametrize("name", ["atom_score", "canonical", "none"])
def test_matchers(name: str, batch: Batch, device: str) -> None:
    distribution = predicted(device)
    with watched(device) as found:
        perm = matcher_resolver(name)(distribution, batch)
    assert found == []
    assert perm.shape == (sum(SIZES),)


def test_assignments_are_fetched(
    batch: Batch, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented exception: the Hungarian method is done on the CPU, three times here."""
    if device == "meta":
        monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
    distribution = predicted(device)
    with watched(device) as found:
        matcher_resolver("hungarian")(distribution, batch)
    assert len(found) == 3, found


@pytest.mark.parametrize("name", ["atom_score", "canonical"])
def test_loss(name: str, batch: Batch, device: str) -> None:
    loss = GraphVAELoss(matcher_resolver(name), ORDERS).to(device)
    distribution = predicted(device)
    with watched(device) as found:
        loss(distribution, batch)["loss"].backward()
    assert found == []


def test_regularizer(device: str) -> None:
    regularizer = PriorRegularizer(VALENCIES, ORDERS).to(device)
    distribution = predicted(device)
    with watched(device) as found:
        sum(regularizer(distribution).values()).backward()
        regularizer.is_flawed(distribution)
    assert found == []


@pytest.mark.parametrize("readout", ["pna", "canonical"])
@pytest.mark.parametrize("prior", ["gaussian", "coupling_flow", "rectified_flow", "one_step"])
def test_model(readout: str, prior: str, batch: Batch, device: str) -> None:
    model = build(device, readout=readout, prior=prior)
    with watched(device) as found:
        output = model(batch)
        sizes = output.distribution.layout.num_nodes
        model.prior.divergence(output.posterior, output.z, sizes).sum().backward()
        model.prior.sample(sizes)
        if prior in ("rectified_flow", "one_step"):
            model.prior.loss(output.z, sizes).backward()  # type: ignore[operator]
        if prior == "one_step":
            noise = torch.randn_like(output.z)
            model.prior.distillation_loss(noise, output.z, sizes).backward()  # type: ignore[operator]
    assert found == []


@pytest.mark.parametrize("name", ["set_vae", "tspn", "dspn"])
def test_models_of_sets(name: str, device: str) -> None:
    models = {
        "set_vae": lambda: build_set_vae([0, 1, 1, 1, 1, 1, 1, 1], latent_channels=8),
        "tspn": lambda: build_tspn(7, 3, latent_channels=8, hidden_channels=16, spread=0.25),
        "dspn": lambda: build_dspn(7, 3, latent_channels=8, hidden_channels=16, num_steps=2),
    }
    model = models[name]().to(device)
    points = torch.rand(sum(SIZES), 3, device=device)
    batch = build_batch(torch.tensor(SIZES), {"pos": points})
    with watched(device) as found:
        output = model(batch)
        last = output[-1] if isinstance(output, list) else getattr(output, "prediction", output)
        last.pos.sum().backward()
    assert found == []


@pytest.mark.parametrize("seeded", [False, True])
def test_latents(seeded: bool, device: str) -> None:
    model = build(device)
    generator = torch.Generator().manual_seed(0) if seeded else None
    with watched(device) as found:
        z, sizes = model.sample_latents(9, generator=generator)
    assert found == []
    assert (z.device.type, sizes.device.type) == (device, "cpu")


@pytest.mark.parametrize("temperature", [None, 1.0])
def test_samples_are_fetched_in_the_end(temperature: float | None, device: str) -> None:
    """Of sampled graphs, the number of edges has to be known, and that of every graph."""
    model = build(device)
    with watched(device) as found:
        batch = model.sample(9, temperature=temperature)
    assert len(found) == 2, found
    assert batch.num_graphs == 9
    assert all("to_batch" in place or "_edge_ptr" in place for place in found) or device == "cuda"


def test_predicted_sizes_are_fetched(device: str) -> None:
    model = build(device, predict_size=True)
    assert isinstance(model.sizes, SizePredictor)
    z = torch.randn(4, 8, device=device)
    with watched(device) as found:
        model.sizes.loss(z, torch.tensor([1, 2, 3, 4])).backward()
        model.sizes.sample(z)
    assert found == []
    with watched(device) as found:
        model.sample_latents(4)
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("kind", "prior"),
    [
        ("joint", "gaussian"),
        ("joint", "coupling_flow"),
        ("joint", "rectified_flow"),
        ("flow", "rectified_flow"),
        ("decoder", "rectified_flow"),
        ("distillation", "one_step"),
        ("decoder", "one_step"),
    ],
)
def test_training_step(
    kind: str, prior: str, loader: ResidentLoader, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step as Lightning takes it, but for what is logged, which Lightning fetches at times."""
    pytest.importorskip("lightning")
    module, optimizer = training(kind, prior, loader, device, monkeypatch)
    for index, batch in enumerate(loader):
        with watched(device) as found:
            optimizer.zero_grad()
            module.training_step(batch, index).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
            optimizer.step()
        # The first step also draws from the prior, for many steps, and looks which samples are
        # flawed; or it encodes all the data.
        assert index == 0 or found == []


def training(
    kind: str, prior: str, loader: ResidentLoader, device: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, torch.optim.Optimizer]:
    """What Lightning trains, in the middle of a stage, and its optimizer."""
    from pyg_topn._graph_vae_module import GraphVAEModule
    from pyg_topn.recipe import recipe
    from pyg_topn.stage import Stage

    if device == "meta":
        monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
    chosen = recipe("default", prior=prior, stages=(Stage(kind, 1.0, 1e-3),))
    module = GraphVAEModule(build(device, prior=prior), chosen, lambda trainer: 0.5).to(device)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for name in ("log", "log_dict"):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: None)
    monkeypatch.setattr(module, "optimizers", lambda: optimizer)
    monkeypatch.setattr(GraphVAEModule, "trainer", SimpleNamespace(train_dataloader=loader))
    return module, optimizer
