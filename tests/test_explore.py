"""Tests for interpolation and neighbourhoods."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.explore import interpolate, neighborhood
from pyg_topn.models import GraphVAE, build_graph_gan, build_graph_vae


@pytest.fixture(params=["gaussian", "rectified_flow"])
def vae(request: pytest.FixtureRequest) -> GraphVAE:
    return build_graph_vae(4, (1, 2, 3), [0, 1, 1, 1, 1, 1], prior=request.param).eval()


def graphs(vae: GraphVAE, *sizes: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return vae.sample(len(sizes), torch.tensor(sizes), generator=generator)


def same(one: Data, other: Data) -> bool:
    return torch.equal(one.x, other.x) and torch.equal(one.edge_index, other.edge_index)


def test_a_walk_begins_and_ends_with_the_reconstructions(vae: GraphVAE) -> None:
    both = graphs(vae, 2, 5)
    walk = interpolate(vae, both, num_steps=7)
    assert walk.ptr.diff().tolist() == [2, 2, 3, 4, 4, 4, 5]
    ends = vae.sample(2, both.ptr.diff(), z=vae.encode(both).mean)
    assert same(walk[0], ends[0])
    assert same(walk[6], ends[1])


def test_neighbours_without_a_radius_are_the_reconstruction(vae: GraphVAE) -> None:
    one = graphs(vae, 4)
    near = neighborhood(vae, one, num_graphs=3, radius=0.0)
    reconstruction = vae.sample(1, one.ptr.diff(), z=vae.encode(one).mean)[0]
    assert all(same(graph, reconstruction) for graph in near.to_data_list())


def test_the_noise_has_the_scale_of_every_channel(vae: GraphVAE) -> None:
    std = torch.linspace(0.5, 2.0, vae.latent_channels)
    if vae.prior.label != "N(0, I)":
        vae.prior.standardise(torch.zeros_like(std), std)  # type: ignore[operator]
    seen = []

    def decode(z: torch.Tensor, *args: object) -> object:
        seen.append(z)
        return original(z, *args)

    original = vae.decode
    vae.decode = decode  # type: ignore[assignment, method-assign]
    one = graphs(vae, 4)
    neighborhood(vae, one, 4000, radius=0.3, generator=torch.Generator().manual_seed(0))
    expected = 0.3 * (torch.ones_like(std) if vae.prior.label == "N(0, I)" else std)
    torch.testing.assert_close(seen[-1].std(dim=0), expected, rtol=0.06, atol=0)
    torch.testing.assert_close(
        seen[-1].mean(dim=0), vae.encode(one).mean[0].detach(), rtol=0, atol=0.05
    )


def test_bad_arguments() -> None:
    gan = build_graph_gan(4, (1, 2, 3), [0, 1, 1, 1])
    with pytest.raises(TypeError, match="Expected 'model' to be a GraphVAE \\(got GraphGAN\\)"):
        interpolate(gan, gan.sample(2))  # type: ignore[arg-type]
    vae = build_graph_vae(4, (1, 2, 3), [0, 1, 1, 1]).eval()
    with pytest.raises(ValueError, match="Expected a batch of 2 graphs \\(got 1\\)"):
        interpolate(vae, graphs(vae, 3))
    with pytest.raises(ValueError, match="Expected 'num_steps' to be at least 2 \\(got 1\\)"):
        interpolate(vae, graphs(vae, 3, 2), num_steps=1)
    with pytest.raises(ValueError, match="Expected a batch of 1 graphs \\(got 2\\)"):
        neighborhood(vae, graphs(vae, 3, 2))
    with pytest.raises(ValueError, match="Expected 'num_graphs' to be at least 1 \\(got 0\\)"):
        neighborhood(vae, graphs(vae, 3), num_graphs=0)
    for radius in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="Expected 'radius' to be at least 0 and finite"):
            neighborhood(vae, graphs(vae, 3), radius=radius)
