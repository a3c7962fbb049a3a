"""Search among the latent vectors of a model for graphs that score high."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.models import GraphGAN, GraphVAE
from pyg_topn.nn.creation import SizePredictor
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.utils.canonical import batch_canonical_index

__all__ = ["Optimized", "ascend", "optimize"]


@dataclass(frozen=True)
class Optimized:
    r"""What a search found, the best first.

    Args:
        batch: The graphs, :math:`B` of them.
        scores: Their scores, :math:`[B]`, descending.
        z: Their latent vectors, :math:`[B, L]`.
        history: The best score so far, and the mean score of those kept, after every round.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3])
        >>> found = optimize(vae, lambda batch: batch.ptr.diff().float(), 2, 8, num_rounds=2)
        >>> found.batch.num_graphs, found.scores.shape
        (2, torch.Size([2]))
    """

    batch: Batch
    scores: Tensor
    z: Tensor
    history: list[tuple[float, float]]


@torch.no_grad()
def optimize(
    model: GraphVAE | GraphGAN,
    score: Callable[[Batch], Tensor],
    num_graphs: int = 10,
    population: int = 512,
    num_rounds: int = 20,
    *,
    step: float = 0.5,
    last_step: float = 0.1,
    cond: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Optimized:
    r"""Search for graphs with a high score, which may be any function of graphs.

    A population of noise vectors, with a size each, is carried through the prior and decoded. In
    every round the better half stays, isomorphic graphs counted once as long as there are others,
    and every one of them has a child

    .. math::
        \boldsymbol{\epsilon}' = \sqrt{1 - s^2} \, \boldsymbol{\epsilon} + s \, \boldsymbol{\xi},
        \qquad \boldsymbol{\xi} \sim \mathcal{N}(0, \mathbf{I}),

    a move that leaves :math:`\mathcal{N}(0, \mathbf{I})` as it is (`Cotter et al., 2013
    <https://arxiv.org/abs/1202.0709>`_), so that the search stays where the prior has learnt to
    put latent vectors. The step :math:`s` shrinks from round to round.

    Args:
        model: The model.
        score: From a batch of :math:`B` graphs to their scores, :math:`[B]`. A graph that is to be
            avoided, say an invalid molecule, has :obj:`-inf`.
        num_graphs: How many of the best are returned.
        population: How many are looked at in a round.
        num_rounds: The number of rounds.
        step: The step :math:`s` in the first round.
        last_step: The step in the last round.
        cond: What is asked of the graphs besides, :math:`[K]`.
        generator: Where everything is drawn from, on the CPU.

    Raises:
        TypeError: If the model is another one, the score is no function, or gives no tensor.
        ValueError: If a number is out of range, or scores are NaN, not one a graph, or all -inf.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3])
        >>> found = optimize(vae, lambda batch: batch.ptr.diff().float(), 2, 8, num_rounds=2)
        >>> found.scores
        tensor([3., 3.])
    """
    _check_model(model, GraphVAE, GraphGAN)
    _check(score, num_graphs, population, num_rounds, step, last_step)
    noise = _noise(population, model, generator)
    found = _look(model, score, noise, _sizes(model, noise, generator), cond)
    history = []
    for k in range(num_rounds):
        found = found.take(found.order()[: -(-population // 2)])
        values = found.values[found.values.isfinite()]
        mean = values.mean() if values.numel() else -math.inf
        history.append((float(found.values.max()), float(mean)))
        count = population - found.values.numel()
        s = step * (last_step / step) ** (k / max(num_rounds - 1, 1))
        child = math.sqrt(1 - s * s) * found.noise[:count] + s * _noise(count, model, generator)
        found = found.join(_look(model, score, child, found.sizes[:count], cond))
    if not bool((found.values > -math.inf).any()):
        raise ValueError("Expected a graph with a score above -inf (got none that was looked at)")
    best = found.take(found.order()[:num_graphs])
    best = best.take(best.values.argsort(descending=True, stable=True))
    z = best.z.to(next(model.parameters()).device)
    batch = model.sample(z.size(0), best.sizes, z=z, cond=cond)
    return Optimized(batch, best.values, best.z, history)


@dataclass(frozen=True)
class _Found:
    """What has been looked at, on the CPU: P candidates."""

    noise: Tensor  # [P, L]
    sizes: Tensor  # [P]
    z: Tensor  # [P, L]
    values: Tensor  # [P]
    forms: Tensor  # [P, n + n^2], equal for isomorphic graphs

    def take(self, index: Tensor) -> _Found:
        return _Found(*(getattr(self, field.name)[index] for field in fields(self)))

    def join(self, other: _Found) -> _Found:
        names = [field.name for field in fields(self)]
        return _Found(*(torch.cat([getattr(self, n), getattr(other, n)]) for n in names))

    def order(self) -> Tensor:
        """By score, the best first, but only one of every graph; repetitions come after all."""
        order = self.values.argsort(descending=True, stable=True)
        kind = torch.unique(self.forms[order], dim=0, return_inverse=True)[1]
        place = torch.arange(kind.numel())
        first = torch.full_like(place, kind.numel()).scatter_reduce(0, kind, place, "amin")
        repeated = first[kind] != place
        return order[repeated.to(torch.uint8).argsort(stable=True)]


def _forms(batch: Batch, largest: int) -> Tensor:
    """Node and edge types in a canonical order, padded, [B, n + n^2]; 0 is no node and no edge."""
    index = batch_canonical_index(batch)
    place = torch.empty_like(index)
    place[index] = torch.arange(index.numel(), device=index.device)  # Still graph by graph.
    local = place - batch.ptr[batch.batch]
    width = largest + largest * largest
    forms = torch.zeros(batch.num_graphs * width, dtype=torch.uint8, device=index.device)
    start = batch.batch * width
    forms[start + local] = 1 + batch.x.argmax(dim=1).to(torch.uint8)
    row, col = batch.edge_index
    cell = start[row] + largest + local[row] * largest + local[col]
    forms[cell] = 1 + batch.edge_attr.argmax(dim=1).to(torch.uint8)
    return forms.view(batch.num_graphs, width).cpu()


def ascend(
    model: GraphVAE,
    score: Callable[[GraphDistribution], Tensor],
    z: Tensor,
    num_nodes: Tensor,
    num_steps: int = 100,
    *,
    learning_rate: float = 0.05,
    radius: float | None = None,
) -> Optimized:
    r"""Climb from latent vectors along the gradient of a differentiable score.

    Args:
        model: The model.
        score: From the distribution over :math:`B` graphs to differentiable scores, :math:`[B]`.
        z: Where to start, :math:`[B, L]`.
        num_nodes: The sizes, :math:`[B]`.
        num_steps: The number of steps of Adam.
        learning_rate: Its learning rate.
        radius: How far a latent vector may go from where it started, in Euclidean distance; by
            default as far as it likes, which may be where no data is.

    Returns:
        The most likely graphs at the end, by descending score.

    Raises:
        TypeError: If the model is another one, the score is no function, or gives no tensor.
        ValueError: If a number is not positive, shapes do not fit, or scores are NaN, not one a
            graph, or not differentiable.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3]).eval()
        >>> z, sizes = torch.zeros(2, vae.latent_channels), torch.tensor([3, 3])
        >>> def edges(found):  # The expected number of pairs without an edge.
        ...     return found.pair_logits.softmax(1)[:, 0].view(2, 3).sum(1)
        >>> found = ascend(vae, edges, z, sizes, num_steps=20)
        >>> found.history[-1][1] > found.history[0][1]
        True
    """
    _check_model(model, GraphVAE)
    if not callable(score):
        raise TypeError(f"Expected 'score' to be a function (got {type(score).__name__})")
    for name, value in (
        ("num_steps", num_steps),
        ("learning_rate", learning_rate),
        ("radius", 1.0 if radius is None else radius),
    ):
        if not value > 0:
            raise ValueError(f"Expected '{name}' to be positive (got {value})")
    start, moved = z.detach(), z.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=learning_rate)
    history = []

    def look() -> Tensor:
        values = _check_scores(score(model.decode(moved, num_nodes)), z.size(0))
        history.append((float(values.detach().max()), float(values.detach().mean())))
        return values

    for _ in range(num_steps):
        values = look()
        if not values.requires_grad:
            raise ValueError("Expected differentiable scores (got some without a gradient)")
        # Of the latent vectors alone: the parameters of the model get no gradients.
        (moved.grad,) = torch.autograd.grad(-values.sum(), moved)
        optimizer.step()
        if radius is not None:
            _pull_back(moved, start, radius)
    with torch.no_grad():
        values = look()
        best = values.argsort(descending=True, stable=True)
        found, sizes = moved.detach()[best], num_nodes[best.cpu()]
        return Optimized(model.decode(found, sizes).mode(), values[best], found, history)


@torch.no_grad()
def _pull_back(moved: Tensor, start: Tensor, radius: float) -> None:
    """Bring vectors that have gone too far back to the sphere around where they started."""
    shift = moved - start
    length = shift.norm(dim=1, keepdim=True).clamp(min=1e-12)  # Not to divide by zero.
    moved.copy_(start + shift * (radius / length).clamp(max=1))


def _check_model(model: object, *kinds: type) -> None:
    names = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(model, kinds):
        raise TypeError(f"Expected 'model' to be a {names} (got {type(model).__name__})")


def _check(
    score: object, num_graphs: int, population: int, num_rounds: int, step: float, last_step: float
) -> None:
    if not callable(score):
        raise TypeError(f"Expected 'score' to be a function (got {type(score).__name__})")
    if not 1 <= num_graphs <= population:
        raise ValueError(
            f"Expected 'num_graphs' to be from 1 to the population of {population} "
            f"(got {num_graphs})"
        )
    if num_rounds < 1:
        raise ValueError(f"Expected 'num_rounds' to be at least 1 (got {num_rounds})")
    for name, value in (("step", step), ("last_step", last_step)):
        if not 0 < value <= 1:
            raise ValueError(f"Expected '{name}' to be above 0 and at most 1 (got {value})")


def _noise(count: int, model: GraphVAE | GraphGAN, generator: torch.Generator | None) -> Tensor:
    return torch.randn(count, model.latent_channels, generator=generator)


def _sizes(model: GraphVAE | GraphGAN, noise: Tensor, generator: torch.Generator | None) -> Tensor:
    """Sizes that do not depend on latent vectors, or those that are read off them."""
    if isinstance(model.sizes, SizePredictor):
        z = model.prior.carry(noise, torch.ones(noise.size(0), dtype=torch.int64))
        return model.sample_sizes(z, generator)
    return model.sample_sizes(noise, generator)


def _look(
    model: GraphVAE | GraphGAN,
    score: Callable[[Batch], Tensor],
    noise: Tensor,
    sizes: Tensor,
    cond: Tensor | None,
) -> _Found:
    """Carry noise through the prior, decode it and ask for scores."""
    z = model.prior.carry(noise, sizes, cond if model.prior.cond_channels else None)
    batch = model.sample(noise.size(0), sizes, z=z, cond=cond)
    values = _check_scores(score(batch), noise.size(0)).detach().cpu().float()
    return _Found(noise, sizes, z.cpu(), values, _forms(batch, model.sizes.max_num_nodes))


def _check_scores(values: Tensor, num_graphs: int) -> Tensor:
    if not isinstance(values, Tensor):
        raise TypeError(f"Expected scores as a Tensor (got {type(values).__name__})")
    if values.shape != (num_graphs,):
        raise ValueError(f"Expected scores of shape [{num_graphs}] (got {list(values.shape)})")
    if bool(values.isnan().any()):
        raise ValueError("Expected scores, or -inf for what is to be avoided (got NaN)")
    return values
