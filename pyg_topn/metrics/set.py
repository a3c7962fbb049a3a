"""Valencies and diversity of generated sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_topn.metrics.set_report import SetReport
from pyg_topn.metrics.valency import check_points, point_valencies
from pyg_topn.utils.transport import transport_plan


class SetMetrics:
    r"""How much generated sets of points look like molecules, and how much they differ: the metrics
    of table 4 of `"Top-N: Equivariant Set and Graph Generation without Exchangeability"
    <https://arxiv.org/abs/2110.02096>`_ (section 5.3).

    Used like a metric of torchmetrics: :meth:`update` as often as there are sets,
    :meth:`compute`, :meth:`reset`. The *valency* of a point is the number of points of its set that
    are closer than :obj:`neighbor_distance`. Reported are

    * the Wasserstein distance :math:`\sum_v |F(v) - F_{ref}(v)|` between the distributions of the
      valencies of generated points and of the data, :math:`F` being the distribution functions;
    * the share of points whose valency is 0 or above :obj:`max_valency`;
    * the diversity: the mean Wasserstein distance :math:`W_2` of random pairs of generated sets,

    .. math::
        W_2(X, Y)^2 = \min_u \sum_{i, j} u_{ij} \|x_i - y_j\|^2,

    where :math:`u` moves points of weight :math:`1/n` to points of weight :math:`1/m`, exactly.

    Args:
        reference: Valencies of the points of the data, :math:`[M]`: the attribute :obj:`valency` of
            :class:`~pyg_topn.datasets.SyntheticMolecules`, or
            :func:`~pyg_topn.metrics.point_valencies` of other sets.
        neighbor_distance: Below this distance points are neighbours.
        max_valency: The largest valency that is correct.
        num_pairs: Number of random pairs of different sets for the diversity; 0 leaves it out.
        seed: Seed of the pairs.
        label: Which model or setting this is; printed with the figures.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> metrics = SetMetrics(reference=torch.tensor([1, 1, 2, 2]), num_pairs=10)
        >>> pos = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [4.0, 4.0]])
        >>> metrics.update(pos, torch.tensor([2, 2]))
        >>> report = metrics.compute()
        >>> report.valency_distance, report.incorrect, round(report.diversity, 3)
        (1.0, 0.5, 3.536)
    """

    def __init__(
        self,
        reference: Tensor | None = None,
        *,
        neighbor_distance: float = 2.0,
        max_valency: int = 4,
        num_pairs: int = 1000,
        seed: int = 0,
        label: str = "",
    ) -> None:
        if reference is not None and (
            reference.dim() != 1 or reference.numel() == 0 or reference.dtype != torch.int64
        ):
            raise ValueError(
                "Expected 'reference' to be a vector of valencies, of dtype torch.int64 "
                f"(got dtype {reference.dtype} and shape {list(reference.shape)})"
            )
        if not neighbor_distance > 0:
            raise ValueError(
                f"Expected 'neighbor_distance' to be positive (got {neighbor_distance})"
            )
        for name, value in {"max_valency": max_valency, "num_pairs": num_pairs}.items():
            if value < 0:
                raise ValueError(f"Expected '{name}' to be at least 0 (got {value})")
        self._reference = None if reference is None else torch.bincount(reference.cpu())
        self.neighbor_distance, self.max_valency = neighbor_distance, max_valency
        self.num_pairs, self.seed, self.label = num_pairs, seed, label
        self.reset()

    def reset(self) -> None:
        r"""Forget all sets, but not the reference."""
        self._sets: list[NDArray[np.float64]] = []
        self._counts = torch.zeros(1, dtype=torch.int64)
        self._report: SetReport | None = None

    def update(self, pos: Tensor, num_nodes: Tensor) -> None:
        r"""Add sets; of a batch, :obj:`update(batch.pos, batch.ptr.diff())`.

        Args:
            pos: Points of all sets, one set after the other, :math:`[N, D]`.
            num_nodes: The size of every set, :math:`[B]`, ``torch.int64``.

        Raises:
            TypeError: If :obj:`num_nodes` is no tensor.
            ValueError: If shapes or sizes do not fit, or a coordinate is not finite.
        """
        check_points(pos, num_nodes)
        if self._sets and self._sets[0].shape[1] != pos.size(1):
            known = self._sets[0].shape[1]
            raise ValueError(f"Expected points in {known} dimensions (got {pos.size(1)})")
        valency = point_valencies(pos, num_nodes, self.neighbor_distance)
        self._counts = _add(self._counts, torch.bincount(valency.cpu()))
        points = pos.detach().cpu().double().numpy()
        if len(num_nodes):
            self._sets += np.split(points, num_nodes.cpu().cumsum(0)[:-1].numpy())
        self._report = None

    def compute(self) -> SetReport:
        r"""Everything about the sets added since the last :meth:`reset`.

        Raises:
            ValueError: If there are none.
            ImportError: If the diversity needs POT, which is not installed (extra ``ot``).
        """
        if not self._sets:
            raise ValueError("Expected at least one set before compute() (got 0)")
        if self._report is None:
            counts = self._counts
            report = SetReport(
                num_sets=len(self._sets),
                num_points=int(counts.sum()),
                valencies={value: n for value, n in enumerate(counts.tolist()) if n},
                isolated=int(counts[0]) / int(counts.sum()),
                crowded=int(counts[self.max_valency + 1 :].sum()) / int(counts.sum()),
                label=self.label,
            )
            if self._reference is not None:
                report = replace(report, valency_distance=_distance(counts, self._reference))
            w1, w2 = self._diversity()
            self._report = replace(report, diversity=w2, diversity_w1=w1)
        return self._report

    def _diversity(self) -> tuple[float | None, float | None]:
        """The mean distances of first and second order between random pairs."""
        num_sets = len(self._sets)
        if num_sets < 2 or self.num_pairs == 0:
            return None, None
        rng = np.random.default_rng(self.seed)
        first = rng.integers(num_sets, size=self.num_pairs)
        second = (first + rng.integers(1, num_sets, size=self.num_pairs)) % num_sets
        distances = [
            _wasserstein(self._sets[i], self._sets[j]) for i, j in zip(first, second, strict=True)
        ]
        w1, w2 = np.mean(distances, axis=0)
        return float(w1), float(w2)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self._sets)} sets)"


def _wasserstein(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The Wasserstein distances of first and second order between two sets [n, D] and [m, D]."""
    squared = ((x[:, None] - y) ** 2).sum(axis=2)  # [n, m]
    distance = np.sqrt(squared)
    w1 = (transport_plan(distance) * distance).sum()
    return float(w1), float(np.sqrt((transport_plan(squared) * squared).sum()))


def _distance(counts: Tensor, reference: Tensor) -> float:
    """The Wasserstein distance of first order between two histograms over 0, 1, 2, ..."""
    size = max(counts.numel(), reference.numel())
    shares = [_pad(histogram, size).double() / histogram.sum() for histogram in (counts, reference)]
    return float((shares[0] - shares[1]).cumsum(0).abs().sum())


def _add(first: Tensor, second: Tensor) -> Tensor:
    size = max(first.numel(), second.numel())
    return _pad(first, size) + _pad(second, size)


def _pad(counts: Tensor, size: int) -> Tensor:
    return torch.nn.functional.pad(counts, (0, size - counts.numel()))
