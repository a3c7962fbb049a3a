"""Layers, matchers and losses on the clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from _clock import Case, Series
from _graphs import Setting, creation_model
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import GraphVAELoss, PriorRegularizer, aligned_pair_type
from pyg_topn.losses.matching import MATCHERS, matcher_resolver
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.nn.creation import Creation
from pyg_topn.nn.decoder import GraphDecoder, GraphDistribution
from pyg_topn.recipe import RECIPES, recipe
from pyg_topn.resolver import CREATIONS
from pyg_topn.utils import Layout

MOST_PAIRS = 2**22  # of a prediction; it is held as long as the benchmark runs
POINTS = (400, 1600, 6400, 25600)  # of a reference set


def layers(setting: Setting) -> Iterator[Series]:
    """Everything that is measured here."""
    for nodes in setting.nodes:
        for name in CREATIONS:
            yield Series("creation", name, nodes, partial(creation, setting, name, nodes))
        for name in RECIPES:
            yield Series("decoder", name, nodes, partial(decoder, setting, name, nodes))
        build = partial(decoder_backward, setting, nodes)
        yield Series("decoder", "default, with gradients", nodes, build)
        for name in MATCHERS:
            if name != "none":
                yield Series("matcher", name, nodes, partial(matcher, setting, name, nodes))
        yield Series("loss", "reconstruction", nodes, partial(reconstruction, setting, nodes))
        yield Series("loss", "penalties", nodes, partial(penalties, setting, nodes))


def reference_sets(setting: Setting, nodes: int, batch: int) -> Iterator[Series]:
    """Top-n, of which only the size of the reference set varies."""
    for points in POINTS:
        build = partial(_reference_set, setting, nodes, points)
        yield Series("reference set", f"{points} points", nodes, build, (batch,))


def _reference_set(setting: Setting, nodes: int, points: int, batch: int) -> Case:
    case = creation(setting, "top_n", nodes, batch, points)
    case.family, case.name, case.points = "reference set", f"{points} points", points
    return case


def creation(
    setting: Setting, name: str, nodes: int, batch: int, points: int | None = None
) -> Case:
    """A creation layer as the default recipe has it, without gradients."""
    layer = creation_model(nodes, name, points).decoder.creation.to(setting.device).eval()
    return _of_latents(setting, "creation", name, layer, nodes, batch)


def decoder(setting: Setting, name: str, nodes: int, batch: int) -> Case:
    """The decoder of a recipe, without gradients."""
    layer = setting.model(nodes, recipe(name)).decoder.eval()
    return _of_latents(setting, "decoder", name, layer, nodes, batch)


def _of_latents(
    setting: Setting, family: str, name: str, layer: Creation | GraphDecoder, nodes: int, batch: int
) -> Case:
    z, sizes = latents(setting, layer.latent_channels, nodes, batch)
    return Case(
        family,
        name,
        batch,
        nodes,
        torch.no_grad()(partial(layer, z, sizes)),
        setting.device,
        parameters=tuple(layer.parameters()),
        inputs=(z, sizes),
    )


def decoder_backward(setting: Setting, nodes: int, batch: int) -> Case:
    """The decoder of the default recipe and the gradients of all its parameters."""
    layer = setting.model(nodes, recipe()).decoder.train()
    z, sizes = latents(setting, layer.latent_channels, nodes, batch)
    leaves = (z.requires_grad_(), *layer.parameters())

    def run() -> None:
        decoded = layer(z, sizes)
        gradients((decoded.node_logits, decoded.pair_logits), leaves)

    name = "default, with gradients"
    case = Case("decoder", name, batch, nodes, run, setting.device, "backward")
    case.parameters, case.inputs = leaves[1:], (z, sizes)
    return case


def gradients(ends: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients of a sum, as training takes them: FlopCounterMode knows no other way."""
    for leaf in leaves:
        leaf.grad = None
    torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
    return [leaf.grad for leaf in leaves]


def latents(setting: Setting, channels: int, nodes: int, batch: int) -> tuple[Tensor, Tensor]:
    """Latent vectors on the device, and sizes on the CPU."""
    z = torch.randn(batch, channels, device=setting.device)
    return z, torch.full((batch,), nodes)


def matcher(setting: Setting, name: str, nodes: int, batch: int) -> Case:
    """A matcher, with the canonical order stored in the graphs as in training."""
    target = setting.batch(nodes, batch)
    prediction = predict(target, nodes)
    match = matcher_resolver(name)
    inputs: tuple[object, ...] = (prediction, target.x, target.edge_index, target.edge_attr)
    if name == "canonical":  # Nothing but the order is read.
        inputs = (target.canonical_index,)
    run = torch.no_grad()(partial(match, prediction, target))
    return Case("matcher", name, batch, nodes, run, setting.device, inputs=inputs)


def reconstruction(setting: Setting, nodes: int, batch: int) -> Case:
    """The loss of the default recipe and its gradients with respect to the logits."""
    chosen, orders = recipe(), MoleculeVocabulary.qm9().bond_orders
    loss = GraphVAELoss(matcher_resolver(chosen.matcher), orders, chosen.weights)
    loss.to(setting.device)
    target = setting.batch(nodes, batch)
    prediction = predict(target, nodes)
    ends = (prediction.node_logits.requires_grad_(), prediction.pair_logits.requires_grad_())

    def run() -> list[Tensor | None]:
        return gradients((loss(prediction, target)["loss"],), ends)

    case = Case("loss", "reconstruction", batch, nodes, run, setting.device, "backward")
    case.inputs = (prediction, target.x, target.edge_index, target.edge_attr)
    return case


def penalties(setting: Setting, nodes: int, batch: int) -> Case:
    """The penalties on samples of the prior, with gradients."""
    vocabulary = MoleculeVocabulary.qm9()
    loss = PriorRegularizer(vocabulary.valences, vocabulary.bond_orders).to(setting.device)
    prediction = predict(setting.batch(nodes, batch), nodes)
    end = prediction.pair_logits.requires_grad_()  # Types of nodes are taken as given.

    def run() -> list[Tensor | None]:
        total = torch.stack(list(loss(prediction).values())).sum()
        return gradients((total,), (end,))

    case = Case("loss", "penalties", batch, nodes, run, setting.device, "backward")
    case.inputs = (prediction,)
    return case


def predict(target: Batch, nodes: int) -> GraphDistribution:
    """A good prediction of graphs: their own types, and noise."""
    num_pairs = target.num_graphs * nodes * (nodes - 1) // 2
    if num_pairs > MOST_PAIRS:
        raise NotImplementedError(f"{num_pairs} pairs, more than {MOST_PAIRS} are not held")
    layout = Layout(torch.full((target.num_graphs,), nodes), target.x.device)
    classes = 1 + target.edge_attr.size(1)
    empty = GraphDistribution(target.x, target.x.new_zeros(num_pairs, classes), layout)
    same = torch.arange(target.num_nodes, device=target.x.device)
    types = aligned_pair_type(empty, target, same)
    certainty = 3 + math.log(nodes)  # There are the more pairs to be mistaken in.
    pair_logits = certainty * F.one_hot(types, classes) + torch.randn_like(empty.pair_logits)
    node_logits = certainty * target.x + torch.randn_like(target.x)
    return GraphDistribution(node_logits, pair_logits, layout)
