"""The contract of every creation layer: from latent vectors to batches of initial points."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.utils.ragged import build_batch, check_num_nodes


class Creation(nn.Module, ABC):
    r"""Base class of the layers that create a set from a vector.

    A variant implements :meth:`create`, which is tensors in and out: it compiles with
    ``torch.compile(fullgraph=True)``, runs under autocast and never waits for the device.
    Calling the layer checks the input and wraps the result as a PyG batch.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        out_channels: The size of a created point, :math:`C`.
        max_num_nodes: The largest set that can be created; :obj:`None` for no bound.
    """

    def __init__(
        self, latent_channels: int, out_channels: int, max_num_nodes: int | None = None
    ) -> None:
        super().__init__()
        for name, value in (
            ("latent_channels", latent_channels),
            ("out_channels", out_channels),
            ("max_num_nodes", max_num_nodes),
        ):
            if value is not None and value < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
        self.latent_channels = latent_channels
        self.out_channels = out_channels
        self.max_num_nodes = max_num_nodes

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw the parameters anew."""

    @abstractmethod
    def create(
        self, z: Tensor, batch: Tensor, ptr: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        r"""Create the points of every set, as a flat tensor.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            batch: The set of every point, :math:`[N]`, ascending.
            ptr: The first point of every set, and one past the last, :math:`[B + 1]`.
            generator: Where a stochastic layer draws from; others ignore it.

        Returns:
            The points, :math:`[N, C]`.
        """

    def forward(
        self, z: Tensor, num_nodes: Tensor, generator: torch.Generator | None = None
    ) -> Batch:
        r"""Create a batch of sets.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every set, :math:`[B]`, ``torch.int64``. On the CPU, nothing
                waits for another device.
            generator: Where a stochastic layer draws from; others ignore it.

        Returns:
            A batch with the points :obj:`x` :math:`[N, C]`, :obj:`batch` and :obj:`ptr`.

        Raises:
            TypeError: If an argument is no tensor.
            ValueError: If shapes, types or sizes do not fit, or :obj:`z` on the CPU is not finite
                (elsewhere the look would wait for the device).
        """
        self._check(z, num_nodes)
        batch = build_batch(num_nodes, {"x": z.new_empty(int(num_nodes.sum()), 0)})
        batch.x = self.create(z, batch.batch, batch.ptr, generator)
        return batch

    def _check(self, z: Tensor, num_nodes: Tensor) -> None:
        if not isinstance(z, Tensor):
            raise TypeError(f"Expected 'z' to be a Tensor (got {type(z).__name__})")
        if z.dim() != 2 or z.size(1) != self.latent_channels or not z.is_floating_point():
            raise ValueError(
                f"Expected 'z' to be floating point of shape [B, {self.latent_channels}] "
                f"(got dtype {z.dtype} and shape {tuple(z.shape)})"
            )
        check_num_nodes(num_nodes, self.max_num_nodes)
        if num_nodes.numel() != z.size(0):
            raise ValueError(
                f"Expected one entry of 'num_nodes' for each of the {z.size(0)} rows of 'z' "
                f"(got {num_nodes.numel()})"
            )
        if z.is_cpu and not bool(torch.isfinite(z).all()):
            raise ValueError("Expected 'z' to be finite (got NaN or infinity)")

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.latent_channels}, {self.out_channels}, "
            f"max_num_nodes={self.max_num_nodes})"
        )
