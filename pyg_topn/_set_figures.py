"""What a set VAE reconstructs and generates, in figures."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from pyg_topn.loader import ResidentLoader
from pyg_topn.losses import WassersteinLoss
from pyg_topn.metrics import SetMetrics
from pyg_topn.models import SetVAE

EXTRA_POINTS = 10


@torch.no_grad()
def reconstruction(vae: SetVAE, dataset: InMemoryDataset, seed: int = 0) -> dict[str, float]:
    """The mean over sets of the distances W1 and W2 to what is decoded of their posterior means.

    Sets larger than any that can be decoded are left out; how many, is told.
    """
    left_out = 0
    limit = vae.decoder.max_num_nodes
    if limit is not None:
        fits = [i for i, data in enumerate(dataset) if data.num_nodes <= limit]
        dataset, left_out = dataset[fits], len(dataset) - len(fits)
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[Tensor]] = {"w1": [], "w2": []}
    for sets in ResidentLoader(dataset, 128, bucket=True):
        decoded = vae.decode(vae.encode(sets).mean, sets.ptr.diff(), generator)
        found["w1"].append(WassersteinLoss(1, "none")(decoded, sets))
        found["w2"].append(WassersteinLoss(2, "none")(decoded, sets).sqrt())
    means = {
        name: float(torch.cat(each).mean()) if each else math.nan for name, each in found.items()
    }
    return {**means, "left_out": left_out}


def generation(
    vae: SetVAE, valency: Tensor, number: int, seed: int = 0, num_pairs: int = 1000
) -> dict[str, Any]:
    """The metrics of new sets, of those with on average 10 points more, and how many of the larger
    sizes were clipped to what the decoder can make.

    Args:
        vae: The model.
        valency: Valencies of the points of the data.
        number: How many sets are generated.
        seed: Of everything that is drawn.
        num_pairs: Of sets, for the diversity; 0 leaves it out.
    """
    generator = torch.Generator().manual_seed(seed)
    usual = vae.sample(number, generator=generator)
    wanted = usual.ptr.diff() + EXTRA_POINTS
    limit = vae.decoder.max_num_nodes
    sizes = wanted if limit is None else wanted.clamp(max=limit)
    larger = vae.sample(number, sizes, generator)
    found: dict[str, Any] = {"clipped": float((sizes < wanted).double().mean())}
    for name, batch in (("generation", usual), ("extrapolation", larger)):
        metrics = SetMetrics(valency, num_pairs=num_pairs, seed=seed)
        metrics.update(batch.pos, batch.ptr.diff())
        found[name] = metrics.compute().to_dict()
    return found
