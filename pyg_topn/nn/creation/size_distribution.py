"""The distribution of graph sizes in the training data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class SizeDistribution(nn.Module):
    r"""The number of nodes, drawn from the sizes of the training data: independent of the latent
    vector (section 2 and figure 1a of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_).

    Args:
        histogram: How often each number of nodes occurs, :math:`[n_{\max} + 1]`, from 0 nodes on.

    Raises:
        ValueError: If the histogram is empty, negative, not finite or counts empty graphs.

    Example:
        >>> sizes = SizeDistribution(torch.tensor([0, 0, 1, 3]))
        >>> sizes.sample(4, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([4])
        >>> sizes.max_num_nodes
        3
    """

    histogram: Tensor

    def __init__(self, histogram: Tensor) -> None:
        super().__init__()
        histogram = torch.as_tensor(histogram)
        counts = histogram.to(torch.float64)
        if counts.dim() != 1 or not bool(torch.isfinite(counts).all()) or bool((counts < 0).any()):
            raise ValueError(
                "Expected 'histogram' to be a vector of finite counts >= 0 "
                f"(got shape {tuple(counts.shape)})"
            )
        if counts.numel() < 2 or float(counts[0]) != 0 or float(counts.sum()) == 0:
            raise ValueError(
                "Expected 'histogram' to count graphs of 1 node or more, and none of 0 nodes "
                f"(got {counts[:10].tolist()})"
            )
        self.register_buffer("histogram", counts)
        # Stays on the CPU, where sizes are needed: each look elsewhere would wait for the device.
        self._counts = counts.cpu()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._counts = self.histogram.cpu()

    @classmethod
    def from_dataset(cls, dataset: Any) -> SizeDistribution:
        r"""Count the sizes in a PyG dataset, a list of graphs or a batch.

        Args:
            dataset: Anything with :obj:`size_histogram()`, a batch, or an iterable of graphs.

        Example:
            >>> from torch_geometric.data import Data
            >>> SizeDistribution.from_dataset([Data(x=torch.ones(2, 1))]).histogram
            tensor([0., 0., 1.], dtype=torch.float64)
        """
        if hasattr(dataset, "size_histogram"):
            return cls(dataset.size_histogram())
        if hasattr(dataset, "ptr"):
            return cls(torch.bincount(dataset.ptr.diff()))
        sizes = [data.num_nodes for data in dataset]
        return cls(torch.bincount(torch.tensor(sizes, dtype=torch.int64)))

    @property
    def max_num_nodes(self) -> int:
        """The largest size that is ever drawn."""
        return int(self._counts.nonzero().max())

    def sample(self, num_graphs: int, generator: torch.Generator | None = None) -> Tensor:
        r"""Draw sizes.

        Args:
            num_graphs: How many, :math:`B`.
            generator: Where to draw from.

        Returns:
            The sizes, :math:`[B]`, ``torch.int64``, on the device of the generator; without one on
            the CPU, wherever the module lies.

        Raises:
            ValueError: If :obj:`num_graphs` is negative.
        """
        if num_graphs < 0:
            raise ValueError(f"Expected 'num_graphs' to be at least 0 (got {num_graphs})")
        device = "cpu" if generator is None else generator.device
        if num_graphs == 0:
            return torch.empty(0, dtype=torch.int64, device=device)
        counts = self._counts.to(device, non_blocking=True)
        return torch.multinomial(counts, num_graphs, replacement=True, generator=generator)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(max_num_nodes={self.max_num_nodes})"
