"""Valencies of points: how many others are near."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_topn.utils.ragged import check_num_nodes, pair_index


def point_valencies(pos: Tensor, num_nodes: Tensor, neighbor_distance: float = 2.0) -> Tensor:
    r"""Count the neighbours of every point: the points of the same set that are closer than
    :obj:`neighbor_distance`, in double precision.

    Args:
        pos: Points of all sets, one set after the other, :math:`[N, D]`.
        num_nodes: The size of every set, :math:`[B]`, ``torch.int64``.
        neighbor_distance: Below this distance points are neighbours; 2 in appendix D.2 of the
            `paper <https://arxiv.org/abs/2110.02096>`_.

    Returns:
        The number of neighbours, :math:`[N]`, ``torch.int64``.

    Raises:
        TypeError: If :obj:`num_nodes` is no tensor.
        ValueError: If shapes or sizes do not fit, a coordinate is not finite, or the distance is
            not positive.

    Example:
        >>> pos = torch.tensor([[0.0], [1.0], [2.5], [0.0]])
        >>> point_valencies(pos, torch.tensor([3, 1]))
        tensor([1, 2, 1, 0])
    """
    check_points(pos, num_nodes)
    if not neighbor_distance > 0:
        raise ValueError(f"Expected 'neighbor_distance' to be positive (got {neighbor_distance})")
    i, j = pair_index(num_nodes.to(pos.device))
    points = pos.detach().double()
    near = ((points[i] - points[j]).square().sum(dim=1) < neighbor_distance**2).long()  # [P]
    valency = torch.zeros(pos.size(0), dtype=torch.int64, device=pos.device)
    return valency.index_add(0, i, near).index_add(0, j, near)


def check_points(pos: Tensor, num_nodes: Tensor) -> None:
    r"""Check that points and sizes of sets fit.

    Raises:
        TypeError: If :obj:`num_nodes` is no tensor.
        ValueError: If shapes or sizes do not fit, or a coordinate is not finite.

    Example:
        >>> check_points(torch.zeros(4, 3), torch.tensor([3, 1]))
    """
    check_num_nodes(num_nodes.cpu() if isinstance(num_nodes, Tensor) else num_nodes)
    if pos.dim() != 2 or pos.size(0) != int(num_nodes.sum()):
        raise ValueError(
            f"Expected 'pos' to have {int(num_nodes.sum())} rows, one for each point "
            f"(got shape {list(pos.shape)})"
        )
    if not bool(pos.isfinite().all()):
        raise ValueError("Expected finite coordinates (got others)")
