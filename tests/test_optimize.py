"""Tests for the search among latent vectors."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import networkx
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.utils import to_networkx

from pyg_topn.models import GraphVAE, build_graph_gan, build_graph_vae, build_set_vae
from pyg_topn.nn.decoder import GraphDistribution
from pyg_topn.optimize import Optimized, ascend, optimize


@pytest.fixture(params=["gaussian", "rectified_flow"])
def vae(request: pytest.FixtureRequest) -> GraphVAE:
    model = build_graph_vae(4, (1, 2, 3), [0, 1, 1, 1, 1, 1], prior=request.param)
    with torch.no_grad():  # Without training, most latent vectors give the same graph.
        for part in (model.decoder.node_type_mlp, model.decoder.presence_mlp):
            part.lins[-1].weight.normal_(std=10)
    return model.eval()


def share_of_first_type(batch: Batch) -> Tensor:
    sizes = batch.ptr.diff()
    return torch.zeros(sizes.numel()).index_add_(0, batch.batch, batch.x[:, 0]) / sizes


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_search_finds_more_than_as_many_samples(vae: GraphVAE) -> None:
    def near(batch: Batch) -> Tensor:
        edges = torch.zeros(batch.num_graphs).index_add_(
            0, batch.batch[batch.edge_index[0]], torch.ones(batch.edge_index.size(1))
        )
        return share_of_first_type(batch) - 0.05 * (edges - 6).abs()

    found = optimize(vae, near, 4, 64, num_rounds=8, generator=seeded())
    drawn = near(vae.sample(64 + 8 * 32, generator=seeded(1)))
    assert float(found.scores.mean()) >= float(drawn.topk(4).values.mean())
    best = [best for best, _ in found.history]
    assert best == sorted(best)
    assert found.history[-1][1] > found.history[0][1]


def test_what_is_returned_belongs_together(vae: GraphVAE) -> None:
    found = optimize(vae, share_of_first_type, 5, 32, num_rounds=2, generator=seeded())
    assert found.batch.num_graphs == 5
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    torch.testing.assert_close(share_of_first_type(found.batch), found.scores)
    again = vae.sample(5, found.batch.ptr.diff(), z=found.z)
    assert torch.equal(again.x, found.batch.x)
    assert torch.equal(again.edge_index, found.batch.edge_index)


def test_a_seed_determines_a_search(vae: GraphVAE) -> None:
    runs = [
        optimize(vae, share_of_first_type, 3, 16, num_rounds=2, generator=seeded(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0].z, runs[1].z)
    assert not torch.equal(runs[0].z, runs[2].z)


def test_graphs_to_avoid_are_avoided(vae: GraphVAE) -> None:
    def small(batch: Batch) -> Tensor:
        sizes = batch.ptr.diff().float()
        return torch.where(sizes > 3, -math.inf, sizes)

    found = optimize(vae, small, 3, 32, num_rounds=3, generator=seeded())
    assert found.batch.ptr.diff().tolist() == [3, 3, 3]
    assert all(math.isfinite(mean) for _, mean in found.history)


def test_isomorphic_graphs_are_returned_once_as_long_as_there_are_others(vae: GraphVAE) -> None:
    found = optimize(vae, share_of_first_type, 8, 64, num_rounds=4, generator=seeded())
    graphs = [
        to_networkx(graph, ["x"], ["edge_attr"], to_undirected=True)
        for graph in found.batch.to_data_list()
    ]
    same = [
        networkx.is_isomorphic(one, other, operator.eq, operator.eq)
        for one, other in itertools.combinations(graphs, 2)
    ]
    assert not any(same)
    constant = optimize(
        build_graph_vae(4, (1,), [0, 1]), share_of_first_type, 8, 16, generator=seeded()
    )
    assert constant.batch.num_graphs == 8  # At most four kinds of a single node.


def test_sizes_may_come_from_the_latent_vector() -> None:
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 1, 1], predict_size=True)
    found = optimize(vae, share_of_first_type, 3, 16, num_rounds=2, generator=seeded())
    assert found.batch.num_graphs == 3


def test_a_condition_is_asked_as_well() -> None:
    vae = build_graph_vae(4, (1,), [0, 1, 1], prior="rectified_flow", conditions=("logp",))
    cond = vae.ask({"logp": 1.0})
    assert optimize(vae, share_of_first_type, 2, 8, num_rounds=1, cond=cond).z.size(0) == 2


def expected_first_type(distribution: GraphDistribution) -> Tensor:
    share = distribution.node_logits.softmax(1)[:, 0]
    return torch.zeros(distribution.num_graphs).index_add(0, distribution.batch, share)


def test_gradients_lead_upwards(vae: GraphVAE) -> None:
    z, sizes = torch.randn(3, vae.latent_channels, generator=seeded()), torch.tensor([2, 5, 3])
    before = expected_first_type(vae.decode(z, sizes)).detach()
    found = ascend(vae, expected_first_type, z, sizes, num_steps=30)
    assert float(found.scores.sum()) > float(before.sum()) + 0.5
    assert len(found.history) == 31
    torch.testing.assert_close(
        expected_first_type(vae.decode(found.z, found.batch.ptr.diff())), found.scores
    )
    assert all(parameter.grad is None for parameter in vae.parameters())


def test_a_radius_holds(vae: GraphVAE) -> None:
    z, sizes = torch.zeros(2, vae.latent_channels), torch.tensor([4, 4])

    def logit(distribution: GraphDistribution) -> Tensor:  # It never saturates.
        return distribution.node_logits[:, 0].view(2, 4).sum(1)

    found = ascend(vae, logit, z, sizes, num_steps=30, radius=0.5)
    lengths = found.z.norm(dim=1)
    assert bool((lengths <= 0.5 + 1e-5).all())
    assert bool((lengths > 0.4).all())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"score": 3}, TypeError, "Expected 'score' to be a function \\(got int\\)"),
        ({"num_graphs": 0}, ValueError, "Expected 'num_graphs' to be from 1 to the population"),
        ({"num_graphs": 17}, ValueError, "population of 16 \\(got 17\\)"),
        ({"num_rounds": 0}, ValueError, "Expected 'num_rounds' to be at least 1 \\(got 0\\)"),
        ({"step": 1.5}, ValueError, "Expected 'step' to be above 0 and at most 1 \\(got 1.5\\)"),
        ({"last_step": 0.0}, ValueError, "Expected 'last_step' to be above 0"),
        ({"score": lambda b: 1.0}, TypeError, "Expected scores as a Tensor \\(got float\\)"),
        ({"score": lambda b: torch.ones(2)}, ValueError, "of shape \\[16\\] \\(got \\[2\\]\\)"),
        (
            {"score": lambda b: torch.full((16,), math.nan)},
            ValueError,
            "Expected scores, or -inf for what is to be avoided \\(got NaN\\)",
        ),
    ],
)
def test_bad_arguments_of_a_search(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 1])
    arguments = {"score": share_of_first_type, "num_graphs": 2, "population": 16, **changes}
    with pytest.raises(error, match=message):
        optimize(vae, **arguments)


def test_a_gan_is_searched_too() -> None:
    gan = build_graph_gan(4, (1, 2, 3), [0, 1, 1, 1])
    found = optimize(gan, lambda batch: batch.ptr.diff().float(), 2, 8, num_rounds=1)
    assert found.scores.tolist() == [3, 3]


def test_other_models_are_refused() -> None:
    sets: Any = build_set_vae([0, 1, 1])
    with pytest.raises(TypeError, match="'model' to be a GraphVAE or GraphGAN \\(got SetVAE\\)"):
        optimize(sets, share_of_first_type)
    gan: Any = build_graph_gan(4, (1, 2, 3), [0, 1, 1])
    with pytest.raises(TypeError, match="'model' to be a GraphVAE \\(got GraphGAN\\)"):
        ascend(gan, expected_first_type, torch.zeros(1, 32), torch.tensor([2]))


def test_a_search_that_finds_nothing_says_so(vae: GraphVAE) -> None:
    with pytest.raises(ValueError, match="a score above -inf \\(got none that was looked at\\)"):
        optimize(vae, lambda b: torch.full((b.num_graphs,), -math.inf), 2, 16, num_rounds=2)
    rounds: list[int] = []

    def late(batch: Batch) -> Tensor:  # Nothing among the first population.
        rounds.append(batch.num_graphs)
        return torch.full((batch.num_graphs,), -math.inf if len(rounds) == 1 else 1.0)

    found = optimize(vae, late, 2, 16, num_rounds=2)
    assert found.history == [(-math.inf, -math.inf), (1.0, 1.0)]


def test_bad_arguments_of_an_ascent() -> None:
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 1])
    z, sizes = torch.zeros(2, vae.latent_channels), torch.tensor([2, 2])
    with pytest.raises(TypeError, match="Expected 'score' to be a function \\(got str\\)"):
        ascend(vae, "high", z, sizes)  # type: ignore[arg-type]
    for name in ("num_steps", "learning_rate", "radius"):
        with pytest.raises(ValueError, match=f"Expected '{name}' to be positive \\(got 0\\)"):
            ascend(vae, expected_first_type, z, sizes, **{name: 0})
    with pytest.raises(ValueError, match="of shape \\[2\\] \\(got \\[4\\]\\)"):
        ascend(vae, lambda found: found.node_logits.sum(1), z, sizes)
    with pytest.raises(ValueError, match="Expected differentiable scores .got some without a grad"):
        ascend(vae, lambda found: share_of_first_type(found.mode()), z, sizes)


def test_the_result_is_a_plain_record() -> None:
    found = Optimized(Batch(), torch.ones(1), torch.ones(1, 2), [(1.0, 0.5)])
    with pytest.raises(AttributeError):
        found.scores = torch.zeros(1)  # type: ignore[misc]
