"""Optimal transport between two sets of points of equal weights, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyg_topn.utils.optional import require
from pyg_topn.utils.ragged import check_num_nodes

Floats = npt.NDArray[np.float64]


def transport_plan(cost: Floats) -> Floats:
    r"""Find the cheapest way to move :math:`n` points of weight :math:`1/n` to :math:`m` points of
    weight :math:`1/m`:

    .. math::
        \min_{u \geq 0} \sum_{i, j} u_{ij} \, \text{cost}_{ij} \quad \text{with} \quad
        \sum_j u_{ij} = \frac{1}{n}, \; \sum_i u_{ij} = \frac{1}{m}.

    With squared distances as costs, the minimum is the square of the Wasserstein distance
    :math:`W_2`. Sets of the same size are a linear assignment problem, which SciPy solves; for
    others the network simplex of `POT <https://pythonot.github.io>`_ is used (extra ``ot``).

    Args:
        cost: What it costs to move a unit of weight, :math:`[n, m]`.

    Returns:
        The weight moved, :math:`[n, m]`.

    Raises:
        ValueError: If there is no point, or a cost is not finite.
        ImportError: If the sizes differ and POT is not installed.

    Example:
        >>> transport_plan(np.array([[1.0, 0.0], [1.0, 3.0]]))
        array([[0. , 0.5],
               [0.5, 0. ]])
    """
    if cost.ndim != 2 or cost.size == 0:
        raise ValueError(f"Expected costs between points of two sets (got shape {cost.shape})")
    if not np.isfinite(cost).all():
        raise ValueError("Expected finite costs (got others)")
    rows, columns = cost.shape
    if rows == columns:
        plan = np.zeros((rows, columns))
        from scipy.optimize import linear_sum_assignment  # Not above: slow to import.

        plan[linear_sum_assignment(cost)] = 1 / rows
        return plan
    ot = require("ot", extra="ot")
    exact: Floats = ot.emd(
        np.full(rows, 1 / rows),
        np.full(columns, 1 / columns),
        np.ascontiguousarray(cost, dtype=np.float64),
    )
    return exact


def batched_transport_plan(cost: Tensor, num_rows: Tensor, num_columns: Tensor) -> Tensor:
    r"""Call :func:`transport_plan` for every pair of sets of a padded batch, in double precision.

    The plans are found on the CPU, pair by pair, and hold no gradient: what a loss needs is that of
    the costs, :obj:`(plan * cost).sum((1, 2))`.

    Args:
        cost: What it costs to move a unit of weight, :math:`[B, n, m]`. Entries in the padding may
            be anything.
        num_rows: The number of rows of every pair that count, :math:`[B]`.
        num_columns: The number of columns of every pair that count, :math:`[B]`.

    Returns:
        The weight moved, :math:`[B, n, m]`, of the type of :obj:`cost`; zero in the padding.

    Raises:
        ValueError: If shapes or sizes do not fit, or a cost outside the padding is not finite.
        ImportError: If sizes differ and POT is not installed.

    Example:
        >>> cost = torch.tensor([[[1.0, 0.0], [1.0, 3.0]], [[2.0, 9.0], [9.0, 9.0]]])
        >>> batched_transport_plan(cost, torch.tensor([2, 1]), torch.tensor([2, 1]))
        tensor([[[0.0000, 0.5000],
                 [0.5000, 0.0000]],
        <BLANKLINE>
                [[1.0000, 0.0000],
                 [0.0000, 0.0000]]])
    """
    if cost.dim() != 3 or not num_rows.shape == num_columns.shape == cost.shape[:1]:
        shapes = [list(tensor.shape) for tensor in (cost, num_rows, num_columns)]
        raise ValueError(f"Expected shapes [B, n, m], [B] and [B] (got {shapes})")
    check_num_nodes(num_rows.cpu(), cost.size(1))
    check_num_nodes(num_columns.cpu(), cost.size(2))
    costs = cost.detach().cpu().double().numpy()
    plans = np.zeros_like(costs)
    for pair, (n, m) in enumerate(zip(num_rows.tolist(), num_columns.tolist(), strict=True)):
        plans[pair, :n, :m] = transport_plan(costs[pair, :n, :m])
    return torch.from_numpy(plans).to(cost)
