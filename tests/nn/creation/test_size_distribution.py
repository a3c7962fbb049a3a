"""The histogram of sizes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_topn.nn.creation import SizeDistribution


class WithHistogram:
    """A data set that knows its sizes."""

    def size_histogram(self) -> torch.Tensor:
        return torch.tensor([0, 0, 1, 1, 2])


def test_frequencies(generator: torch.Generator) -> None:
    sizes = SizeDistribution(torch.tensor([0, 1, 0, 3, 4]))
    drawn = sizes.sample(20_000, generator)
    assert drawn.dtype == torch.int64
    share = drawn.bincount(minlength=5) / 20_000
    torch.testing.assert_close(share, torch.tensor([0, 0.125, 0, 0.375, 0.5]), rtol=0, atol=0.02)
    assert sizes.max_num_nodes == 4
    assert repr(sizes) == "SizeDistribution(max_num_nodes=4)"


def test_trailing_zeros_are_no_sizes() -> None:
    assert SizeDistribution(torch.tensor([0.0, 2.0, 0.0, 0.0])).max_num_nodes == 1
    assert SizeDistribution([0, 2]).sample(3).tolist() == [1, 1, 1]  # type: ignore[arg-type]


def test_seeded() -> None:
    sizes = SizeDistribution(torch.tensor([0, 1, 2, 3]))
    drawn = [sizes.sample(50, torch.Generator().manual_seed(seed)).tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sizes.sample(0).shape == (0,)
    assert sizes.sample(0).dtype == torch.int64


def test_from_dataset() -> None:
    graphs = [Data(x=torch.ones(n, 1)) for n in (2, 4, 4, 3)]
    for source in (graphs, Batch.from_data_list(graphs), iter(graphs), WithHistogram()):
        counts = SizeDistribution.from_dataset(source).histogram
        assert counts.tolist() == [0, 0, 1, 1, 2]


def test_copies() -> None:
    sizes = SizeDistribution(torch.tensor([0, 1, 2]))
    loaded = SizeDistribution(torch.tensor([0, 9, 9]))
    loaded.load_state_dict(sizes.state_dict())
    for other in (loaded, copy.deepcopy(sizes), pickle.loads(pickle.dumps(sizes))):
        assert other.histogram.tolist() == [0, 1, 2]
        drawn = [s.sample(50, torch.Generator().manual_seed(0)).tolist() for s in (sizes, other)]
        assert drawn[0] == drawn[1]
        assert 1 in drawn[0]


def test_loaded_counts_are_those_that_are_used() -> None:
    sizes = SizeDistribution(torch.tensor([0, 1, 2, 0]))
    sizes.load_state_dict({"histogram": torch.tensor([0.0, 0.0, 0.0, 3.0])})
    assert sizes.max_num_nodes == 3
    assert sizes.sample(4).tolist() == [3, 3, 3, 3]


def test_sizes_are_drawn_on_the_cpu_wherever_the_module_lies() -> None:
    sizes = SizeDistribution(torch.tensor([0, 0, 10**6])).to("meta")
    assert sizes.max_num_nodes == 2
    assert sizes.sample(3).tolist() == [2, 2, 2]
    assert sizes.sample(0).device.type == "cpu"


@pytest.mark.parametrize(
    ("histogram", "match"),
    [
        (torch.tensor([[0, 1]]), r"vector of finite counts >= 0 .got shape \(1, 2\)"),
        (torch.tensor([0, -1, 3]), "finite counts >= 0"),
        (torch.tensor([0, torch.nan]), "finite counts >= 0"),
        (torch.tensor([0, torch.inf]), "finite counts >= 0"),
        (torch.tensor([]), "count graphs of 1 node or more"),
        (torch.tensor([0]), "count graphs of 1 node or more"),
        (torch.tensor([0, 0, 0]), "count graphs of 1 node or more"),
        (torch.tensor([1, 3]), r"none of 0 nodes .got \[1.0, 3.0\]"),
    ],
)
def test_unfit_histograms(histogram: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SizeDistribution(histogram)


def test_unfit_input() -> None:
    with pytest.raises(ValueError, match=r"'num_graphs' to be at least 0 .got -1"):
        SizeDistribution(torch.tensor([0, 1])).sample(-1)
    with pytest.raises(ValueError, match="count graphs of 1 node or more"):
        SizeDistribution.from_dataset([])
