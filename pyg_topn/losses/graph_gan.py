"""The losses of the graph GAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_topn.losses._terms import check_weights
from pyg_topn.losses.prior_regularizer import PriorRegularizer
from pyg_topn.nn.decoder.graph_distribution import GraphDistribution
from pyg_topn.nn.decoder.relax import perturb, relax
from pyg_topn.utils.relaxed_graphs import RelaxedGraphs

Critic = Callable[[RelaxedGraphs], Tensor]

#: The weight of every term, unless another is given.
WEIGHTS = {"penalty": 10.0, "valency": 1.0, "connectivity": 1.0}


class GraphGANLoss(nn.Module):
    r"""The losses of critic and generator of a Wasserstein GAN with gradient penalty (`Gulrajani et
    al., 2017 <https://arxiv.org/abs/1704.00028>`_).

    With the critic :math:`d`, true graphs :math:`X` and generated ones :math:`\hat{X}`, they are

    .. math::
        L_d &= \underbrace{\mathbb{E}\, d(\hat{X}) - \mathbb{E}\, d(X)}_{- \texttt{wasserstein}}
            + \lambda \, \underbrace{\mathbb{E} \big( \lVert \nabla d(\tilde{X}) \rVert_2 - 1
            \big)^2}_{\texttt{penalty}}, \\
        L_f &= \underbrace{- \mathbb{E}\, d(\hat{X})}_{\texttt{adversarial}}
            + \lambda_1 \, \texttt{valency} + \lambda_2 \, \texttt{connectivity}

    where :math:`\tilde{X}` is drawn from the line between a true and a generated graph of the same
    size, uniformly, or is one of its ends: node :math:`k` of one is mixed with node :math:`k` of
    the other, and pairs likewise. True nodes are listed in a canonical order for it. So both losses
    stay the same when the nodes of true graphs are permuted, as the first condition of lemma 1 of
    the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ wants it, the penalty included.

    Args:
        temperature: What the logits of the generator are divided by, :math:`\tau`. Graphs that are
            generated at first are almost flat at 1, and no pair differs much from another.
        hard: Whether generated graphs are one-hot, see :func:`~pyg_topn.nn.decoder.relax`.
        noise: The scale of the Gumbel noise that is added then, see
            :func:`~pyg_topn.nn.decoder.perturb`: with 1, graphs are drawn from what is decoded.
            A little is enough to keep decisions off the boundary, where penalties on the most
            likely graphs would leave them. What is trained is then what
            :meth:`~pyg_topn.models.GraphGAN.sample` gives at :math:`\tau` times this temperature.
        ends: The share of the points of the gradient penalty that are true or generated graphs
            themselves; 0 for the original penalty. Types are one-hot, and a point between two
            graphs is far from that: without any, the critic may be steep where it matters.
        regularizer: Penalties on generated graphs, if any.
        weights: The weights of terms that are to have others.

    Raises:
        ValueError: If a weight is negative or names no term, the temperature is not positive,
            the noise negative, or the share of ends not at least 0 and below 1.

    Example:
        >>> from pyg_topn.nn.encoder import GraphCritic
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([2, 3]), torch.device("cpu"))
        >>> distribution = GraphDistribution(torch.randn(5, 4), torch.randn(4, 4), layout)
        >>> true = distribution.sample()
        >>> loss, critic = GraphGANLoss(), GraphCritic(num_node_types=4, num_edge_types=3)
        >>> sorted(loss.critic_terms(critic, true, distribution))
        ['loss', 'penalty', 'wasserstein']
        >>> sorted(loss.generator_terms(critic, distribution))
        ['adversarial', 'loss']
    """

    def __init__(
        self,
        temperature: float = 0.25,
        hard: bool = False,
        noise: float = 0.3,
        ends: float = 0.5,
        regularizer: PriorRegularizer | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"Expected 'temperature' to be positive (got {temperature})")
        if not noise >= 0:
            raise ValueError(f"Expected 'noise' to be at least 0 (got {noise})")
        if not 0 <= ends < 1:
            raise ValueError(f"Expected 'ends' to be at least 0 and below 1 (got {ends})")
        self.weights = {**WEIGHTS, **(weights or {})}
        check_weights(self.weights, WEIGHTS)
        self.temperature, self.hard, self.noise, self.ends = temperature, hard, noise, ends
        self.regularizer = regularizer

    def critic_terms(
        self,
        critic: Critic,
        batch: Batch,
        distribution: GraphDistribution,
        generator: torch.Generator | None = None,
        penalize: bool = True,
    ) -> dict[str, Tensor]:
        r"""Return the terms of the loss of the critic, unweighted, and their sum as ``"loss"``. No
        gradient reaches the generator.

        Args:
            critic: The critic.
            batch: The true graphs, in the format of the datasets.
            distribution: The generated ones, of the same sizes.
            generator: Where to draw from.
            penalize: Whether there is a term ``"penalty"``, which is most of the work.

        Raises:
            ValueError: If the graphs differ in number or size, or true ones have no types.
        """
        true = RelaxedGraphs.from_batch(batch)
        with torch.no_grad():
            fake = relax(self.draw(distribution, generator), hard=self.hard)
        weight = torch.rand(fake.num_graphs, generator=generator, device=fake.nodes.device)
        weight = ((weight - 0.5) / (1 - self.ends) + 0.5).clamp(0, 1)
        between = true.lerp(fake, weight.to(fake.nodes.dtype))
        terms = {"wasserstein": _mean(critic(true)) - _mean(critic(fake))}
        loss = -terms["wasserstein"]
        if penalize:
            terms["penalty"] = gradient_penalty(critic, between)
            loss = loss + self.weights["penalty"] * terms["penalty"]
        return {**terms, "loss": loss}

    def generator_terms(
        self,
        critic: Critic,
        distribution: GraphDistribution,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        r"""Return the terms of the loss of the generator, unweighted, and their weighted sum as
        ``"loss"``.

        Args:
            critic: The critic.
            distribution: The generated graphs.
            generator: Where to draw from.
        """
        drawn = self.draw(distribution, generator)
        terms = {"adversarial": -_mean(critic(relax(drawn, hard=self.hard)))}
        if self.regularizer is not None:
            terms.update(self.regularizer(drawn))
        weighted = [self.weights.get(name, 1.0) * term for name, term in terms.items()]
        return {**terms, "loss": torch.stack(weighted).sum()}

    def draw(
        self, distribution: GraphDistribution, generator: torch.Generator | None = None
    ) -> GraphDistribution:
        """Return logits whose softmax, or maximum, are the generated graphs."""
        sharp = GraphDistribution(
            distribution.node_logits / self.temperature,
            distribution.pair_logits / self.temperature,
            distribution.layout,
        )
        return perturb(sharp, generator, self.noise) if self.noise else sharp

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(temperature={self.temperature}, hard={self.hard}, "
            f"noise={self.noise}, ends={self.ends}, weights={self.weights})"
        )


def gradient_penalty(critic: Critic, graphs: RelaxedGraphs) -> Tensor:
    r"""Return the mean over graphs of :math:`(\lVert \nabla d(X) \rVert_2 - 1)^2`, a scalar. The
    norm of a graph is that over the weights of all its nodes and unordered pairs.

    Args:
        critic: The critic, :math:`d`.
        graphs: Where its gradient is taken.

    Example:
        >>> from pyg_topn.utils import Layout
        >>> layout = Layout(torch.tensor([1]), torch.device("cpu"))
        >>> graphs = RelaxedGraphs(torch.ones(1, 4), torch.ones(0, 4), layout)
        >>> gradient_penalty(lambda graphs: graphs.nodes.sum(dim=1), graphs).item()  # (2 - 1)^2
        1.0
    """
    layout = graphs.layout
    if layout.num_graphs == 0:
        return graphs.nodes.new_zeros(())
    with torch.enable_grad():
        nodes, pairs = (value.detach().requires_grad_() for value in (graphs.nodes, graphs.pairs))
        scores = critic(RelaxedGraphs(nodes, pairs, layout))
        ends = torch.autograd.grad(
            scores.sum(), (nodes, pairs), create_graph=True, materialize_grads=True
        )
    of_nodes = scatter(ends[0].square().sum(dim=1), layout.batch, dim_size=layout.num_graphs)
    of_pairs = scatter(ends[1].square().sum(dim=1), layout.pair_batch, dim_size=layout.num_graphs)
    # A root at 0 has an infinite gradient.
    norm = (of_nodes + of_pairs).clamp(min=1e-12).sqrt()
    return (norm - 1).square().mean()


def _mean(scores: Tensor) -> Tensor:
    return scores.sum() / max(scores.numel(), 1)
