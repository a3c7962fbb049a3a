"""What training asks a prior for: sizes, and conditions if there are any."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.models import GraphVAE


def draw_requests(
    model: GraphVAE, number: int, conds: Tensor | None, uniform: float = 0.1
) -> tuple[Tensor, Tensor | None]:
    """Draw sizes, [B], on the CPU, and conditions, [B, K], from those of graphs of the data.

    A share of the sizes is drawn uniformly: those that are rare in the data are to be learnt, too.
    Conditions are drawn by themselves, so they may be at odds with the sizes.
    """
    sizes = model.sample_sizes(torch.empty(number, 0))
    rare = torch.rand(number) < uniform
    any_size = torch.randint(1, model.sizes.max_num_nodes + 1, (number,))
    num_nodes = torch.where(rare, any_size, sizes)
    if conds is None:
        return num_nodes, None
    return num_nodes, conds[torch.randint(conds.size(0), (number,), device=conds.device)]
