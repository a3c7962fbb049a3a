"""Search among the latent vectors of a model for graphs that score high."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.models import GraphVAE
from pyg_topn.nn.creation import SizePredictor
from pyg_topn.nn.decoder import GraphDistribution

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
    model: GraphVAE,
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
    every round the better half stays, and every one of them has a child

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
        TypeError: If the score is no function, or gives no tensor.
        ValueError: If a number is out of range, or scores are NaN or not one a graph.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2, 3])
        >>> found = optimize(vae, lambda batch: batch.ptr.diff().float(), 2, 8, num_rounds=2)
        >>> found.scores
        tensor([3., 3.])
    """
    _check(score, num_graphs, population, num_rounds, step, last_step)
    noise = _noise(population, model, generator)
    sizes = _sizes(model, noise, generator)
    z, values = _scored(model, score, noise, sizes, cond)
    history = []
    for k in range(num_rounds):
        kept = values.argsort(descending=True, stable=True)[: -(-population // 2)]
        noise, sizes, z, values = noise[kept], sizes[kept], z[kept], values[kept]
        history.append((float(values[0]), float(values[values.isfinite()].mean())))
        count = population - kept.numel()
        s = step * (last_step / step) ** (k / max(num_rounds - 1, 1))
        child = math.sqrt(1 - s * s) * noise[:count] + s * _noise(count, model, generator)
        child_z, child_values = _scored(model, score, child, sizes[:count], cond)
        noise, sizes = torch.cat([noise, child]), torch.cat([sizes, sizes[:count]])
        z, values = torch.cat([z, child_z]), torch.cat([values, child_values])
    best = values.argsort(descending=True, stable=True)[:num_graphs]
    device = next(model.parameters()).device
    batch = model.sample(best.numel(), sizes[best], z=z[best].to(device), cond=cond)
    return Optimized(batch, values[best], z[best], history)


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
        TypeError: If the score is no function, or gives no tensor.
        ValueError: If a number is not positive, shapes do not fit, or scores are NaN, or not one a
            graph.

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
        # Of the latent vectors alone: the parameters of the model get no gradients.
        (moved.grad,) = torch.autograd.grad(-look().sum(), moved)
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


def _noise(count: int, model: GraphVAE, generator: torch.Generator | None) -> Tensor:
    return torch.randn(count, model.latent_channels, generator=generator)


def _sizes(model: GraphVAE, noise: Tensor, generator: torch.Generator | None) -> Tensor:
    """Sizes that do not depend on latent vectors, or those that are read off them."""
    if isinstance(model.sizes, SizePredictor):
        z = model.prior.carry(noise, torch.ones(noise.size(0), dtype=torch.int64))
        return model.sample_sizes(z, generator)
    return model.sample_sizes(noise, generator)


def _scored(
    model: GraphVAE,
    score: Callable[[Batch], Tensor],
    noise: Tensor,
    sizes: Tensor,
    cond: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Latent vectors of noise, and the scores of their graphs, on the CPU."""
    z = model.prior.carry(noise, sizes, cond if model.prior.cond_channels else None)
    batch = model.sample(noise.size(0), sizes, z=z, cond=cond)
    return z.cpu(), _check_scores(score(batch), noise.size(0)).detach().cpu().float()


def _check_scores(values: Tensor, num_graphs: int) -> Tensor:
    if not isinstance(values, Tensor):
        raise TypeError(f"Expected scores as a Tensor (got {type(values).__name__})")
    if values.shape != (num_graphs,):
        raise ValueError(f"Expected scores of shape [{num_graphs}] (got {list(values.shape)})")
    if bool(values.isnan().any()):
        raise ValueError("Expected scores, or -inf for what is to be avoided (got NaN)")
    return values
