"""Sets of points in 3D that look like molecules, made by rejection."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm.auto import tqdm

from pyg_topn.datasets import _synthetic_worker
from pyg_topn.datasets._cached_dataset import CachedDataset, Collated
from pyg_topn.datasets._collate import collate_sets
from pyg_topn.utils._worker_process import answer_in_order, usable_cores

CHUNK = 500  # Sets that one job makes. Another number gives other sets.

#: Number of sets by default, and number of the stream of random numbers, of every split.
SPLITS = {"train": (2000, 0), "test": (500, 1), "val": (500, 2)}


class SyntheticMolecules(CachedDataset):
    r"""The synthetic molecule-like sets of `"Top-N: Equivariant Set and Graph Generation without
    Exchangeability" <https://arxiv.org/abs/2110.02096>`_, section 5.3 and appendix D.2.

    Nothing is downloaded: :func:`synthetic_molecules` makes the sets in seconds, afterwards a file
    in :obj:`root` is read. A set is a :class:`~torch_geometric.data.Data` with

    * :obj:`pos` :math:`[n, 3]`: points of :math:`[-6, 6]^3`, at distances of at least 1 from each
      other;
    * :obj:`valency` :math:`[n]`: the number of neighbours of every point, which are the points
      closer than 2: 1 to 4;
    * :obj:`max_valency` :math:`[n]`: the valency that was drawn for the point, which the number of
      its neighbours does not exceed.

    Args:
        root: Folder for the processed files. Other arguments have another file.
        split: :obj:`"train"`, :obj:`"test"` or :obj:`"val"`, independent of each other.
        num_sets: Number of sets; by default 2,000 for training, and 500 for testing or validation.
        min_points: See :func:`synthetic_molecules`, as for the next arguments.
        max_points: Growth ends there.
        max_failures: Patience of a set.
        early_points: Size from which on patience counts.
        seed: Seed of the sets.
        transform: Applied to a set at every access.
        pre_transform: Applied to every set before it is stored.
        pre_filter: Says of every set whether to store it.
        processes: Number of processes; the number of usable CPU cores by default. The sets do not
            depend on it.
        log: Whether to show progress on standard error.
        force_reload: Whether to process again.

    Raises:
        ValueError: If an argument is out of range, or the cache file is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     dataset = SyntheticMolecules(root, num_sets=10, processes=1)
        >>> len(dataset), dataset[0].pos.shape[1], int(dataset.valency.max())
        (10, 3, 4)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        num_sets: int | None = None,
        *,
        min_points: int = 2,
        max_points: int = 35,
        max_failures: int = 30,
        early_points: int = 6,
        seed: int = 0,
        transform: Callable[..., Any] | None = None,
        pre_transform: Callable[..., Any] | None = None,
        pre_filter: Callable[..., Any] | None = None,
        processes: int | None = None,
        log: bool = True,
        force_reload: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"Expected 'split' to be one of {list(SPLITS)} (got {split!r})")
        self.num_sets = SPLITS[split][0] if num_sets is None else num_sets
        self.split, self.seed, self.processes = split, seed, processes
        self.limits = {
            "min_points": min_points,
            "max_points": max_points,
            "max_failures": max_failures,
            "early_points": early_points,
        }
        _check(self.num_sets, seed, 0, processes, **self.limits)
        names = [split, self.num_sets, *self.limits.values(), seed]
        self.cache_name = "-".join(map(str, names))
        super().__init__(root, transform, pre_transform, pre_filter, log, force_reload)

    def collated(self) -> Collated:
        arrays = synthetic_molecules(
            self.num_sets,
            **self.limits,
            seed=self.seed,
            stream=SPLITS[self.split][1],
            processes=self.processes,
            progress=self.show_progress,
        )
        tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
        return collate_sets(tensors.pop("num_points"), tensors)


def synthetic_molecules(
    num_sets: int = 2000,
    *,
    min_points: int = 2,
    max_points: int = 35,
    max_failures: int = 30,
    early_points: int = 6,
    seed: int = 0,
    stream: int = 0,
    processes: int | None = None,
    progress: bool = False,
) -> dict[str, npt.NDArray[Any]]:
    r"""Make the sets of :class:`SyntheticMolecules` as arrays, concatenated.

    As in appendix D.2 of the paper, points are drawn uniformly from :math:`[-6, 6]^3`, each with a
    valency of 1 to 4 (with probabilities .05, .05, .1, .8). The first point is accepted, another
    one if

    1. it is at a distance of at least 1 from every point of the set;
    2. it has a neighbour, which is a point closer than 2;
    3. afterwards neither it nor any of its neighbours has more neighbours than its valency allows.

    What is drawn with a point that fails is forgotten. A set ends at :obj:`max_points` points, or
    after :obj:`max_failures` failures in a row. A uniform draw is near a small set so rarely that
    three out of five sets would end as single points: with fewer than :obj:`early_points` points, a
    set ends only after 1,000 failures in a row. The paper leaves this open; 6 points give its 2 to
    35 points and, with 8.5, about its 9 on average.

    The first :math:`k` sets are the same whatever the number of sets and of processes.

    Args:
        num_sets: Number of sets :math:`B`.
        min_points: Sets that end with fewer points are drawn anew.
        max_points: A set of so many points ends.
        max_failures: A set ends after so many failures in a row.
        early_points: With fewer points, it ends after 1,000 of them only.
        seed: Seed of the random numbers.
        stream: Number of a stream of random numbers independent of those of other numbers.
        processes: Number of processes; the number of usable CPU cores by default.
        progress: Whether to show a progress bar on standard error.

    Returns:
        :obj:`pos` :math:`[N, 3]`, :obj:`valency` :math:`[N]`, :obj:`max_valency` :math:`[N]` and
        :obj:`num_points` :math:`[B]`, the size of every set.

    Raises:
        ValueError: If an argument is out of range, or hardly any set has :obj:`min_points` points.

    Example:
        >>> arrays = synthetic_molecules(100, min_points=5, max_points=11, processes=1)
        >>> sizes = arrays["num_points"]
        >>> arrays["pos"].shape == (sizes.sum(), 3), int(sizes.max())
        (True, 11)
    """
    limits = {
        "min_points": min_points,
        "max_points": max_points,
        "max_failures": max_failures,
        "early_points": early_points,
    }
    _check(num_sets, seed, stream, processes, **limits)
    # Whole chunks are made and cut, so that sets do not change with their number.
    jobs = [((seed, stream), chunk, CHUNK, limits) for chunk in range(-(-num_sets // CHUNK))]
    made = _answers(jobs, min(processes or usable_cores(), len(jobs)))
    label = f"Sets, {CHUNK} at a time"
    parts = list(tqdm(made, total=len(jobs), desc=label, disable=not progress))
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    sizes = arrays.pop("num_points")[:num_sets]
    return {**{key: value[: sizes.sum()] for key, value in arrays.items()}, "num_points": sizes}


def _answers(jobs: list[tuple[Any, ...]], processes: int) -> Iterator[dict[str, Any]]:
    if processes == 1 or not sys.executable:
        yield from (_synthetic_worker.grow_sets(*job) for job in jobs)
        return
    for answer in answer_in_order(jobs, _synthetic_worker.__file__, "makes sets", processes):
        if isinstance(answer, ValueError):
            raise answer
        yield answer


def _check(num_sets: int, seed: int, stream: int, processes: int | None, **limits: int) -> None:
    numbers = {"num_sets": (num_sets, 1), "seed": (seed, 0), "stream": (stream, 0)}
    numbers.update((name, (value, 1)) for name, value in limits.items())
    if processes is not None:
        numbers["processes"] = (processes, 1)
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(
                f"Expected '{name}' to be an integer of at least {least} (got {value})"
            )
    if limits["min_points"] > limits["max_points"]:
        raise ValueError(
            "Expected 'min_points' to be at most 'max_points' "
            f"(got {limits['min_points']} and {limits['max_points']})"
        )
