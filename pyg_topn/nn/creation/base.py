"""The contract of every creation layer: from latent vectors to batches of initial points."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.nn.encoder.condition_encoder import ConditionEncoder, check_condition
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
        cond_channels: The number of conditions that may be asked of a set, :math:`K`. Their
            embedding by a :class:`~pyg_topn.nn.encoder.ConditionEncoder` is added to the latent
            vector; 0 for a layer without.
    """

    def __init__(
        self,
        latent_channels: int,
        out_channels: int,
        max_num_nodes: int | None = None,
        cond_channels: int = 0,
    ) -> None:
        super().__init__()
        if cond_channels < 0:
            raise ValueError(f"Expected 'cond_channels' to be at least 0 (got {cond_channels})")
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
        self.cond_channels = cond_channels
        self.condition = ConditionEncoder(cond_channels, latent_channels) if cond_channels else None

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        if self.condition is not None:
            self.condition.reset_parameters()

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

    def conditioned(self, z: Tensor, cond: Tensor | None) -> Tensor:
        r"""Return the latent vectors with the embedding of conditions added; in training, some
        conditions are hidden.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            cond: The conditions, :math:`[B, K]` or :math:`[K]`, NaN where left open; :obj:`None`
                to leave all of them open.

        Raises:
            TypeError: If the conditions are no tensor.
            ValueError: If they do not fit, or the layer was built without.
        """
        if self.condition is None and cond is None:
            return z
        self._check_latents(z)
        cond = check_condition(cond, z.size(0), self.cond_channels)
        assert self.condition is not None
        assert cond is not None
        cond = self.condition.hide(cond.to(z.device, non_blocking=True))
        return z + self.condition(cond)

    def forward(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> Batch:
        r"""Create a batch of sets.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every set, :math:`[B]`, ``torch.int64``. On the CPU, nothing
                waits for another device.
            generator: Where a stochastic layer draws from; others ignore it.
            cond: The conditions, see :meth:`conditioned`.

        Returns:
            A batch with the points :obj:`x` :math:`[N, C]`, :obj:`batch` and :obj:`ptr`.

        Raises:
            TypeError: If an argument is no tensor.
            ValueError: If shapes, types or sizes do not fit, or :obj:`z` on the CPU is not finite
                (elsewhere the look would wait for the device).
        """
        return self.create_batch(self.conditioned(z, cond), num_nodes, generator)

    def create_batch(
        self, z: Tensor, num_nodes: Tensor, generator: torch.Generator | None = None
    ) -> Batch:
        r"""Create a batch of sets from latent vectors that hold the conditions already.

        A decoder whose later layers see the latent vector calls :meth:`conditioned` once, and then
        this. Arguments and errors are those of :meth:`forward`.
        """
        self._check(z, num_nodes)
        batch = build_batch(num_nodes, {"x": z.new_empty(int(num_nodes.sum()), 0)})
        batch.x = self.create(z, batch.batch, batch.ptr, generator)
        return batch

    def create_projected(
        self,
        z: Tensor,
        num_nodes: Tensor,
        lin: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        r"""Create the points of every set and send each through a linear layer.

        Equal, but for rounding, to ``lin(create_batch(z, num_nodes, generator).x)``. What the layer
        does linearly is multiplied with the weights of :obj:`lin` first, so that the created
        points, the largest tensors around, need not exist where that is cheaper. Other arguments
        and errors are those of :meth:`forward`.

        Args:
            lin: A layer from :math:`C` channels to :math:`D`.

        Returns:
            The points, :math:`[N, D]`.

        Example:
            >>> from pyg_topn.nn.creation import FirstNCreation
            >>> create, lin = FirstNCreation(8, 16, max_num_nodes=9), nn.Linear(16, 4)
            >>> create.create_projected(torch.randn(2, 8), torch.tensor([3, 9]), lin).shape
            torch.Size([12, 4])
        """
        self._check(z, num_nodes)
        if lin.in_features != self.out_channels:
            raise ValueError(
                f"Expected 'lin' to take {self.out_channels} channels (got {lin.in_features})"
            )
        batch = build_batch(num_nodes, {"x": z.new_empty(int(num_nodes.sum()), 0)})
        return self._project(z, batch.batch, batch.ptr, lin, generator)

    def _project(
        self,
        z: Tensor,
        batch: Tensor,
        ptr: Tensor,
        lin: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        return torch.as_tensor(lin(self.create(z, batch, ptr, generator)))

    def _check(self, z: Tensor, num_nodes: Tensor) -> None:
        self._check_latents(z)
        check_num_nodes(num_nodes, self.max_num_nodes)
        if num_nodes.numel() != z.size(0):
            raise ValueError(
                f"Expected one entry of 'num_nodes' for each of the {z.size(0)} rows of 'z' "
                f"(got {num_nodes.numel()})"
            )
        if z.is_cpu and not bool(torch.isfinite(z).all()):
            raise ValueError("Expected 'z' to be finite (got NaN or infinity)")

    def _check_latents(self, z: Tensor) -> None:
        if not isinstance(z, Tensor):
            raise TypeError(f"Expected 'z' to be a Tensor (got {type(z).__name__})")
        if z.dim() != 2 or z.size(1) != self.latent_channels or not z.is_floating_point():
            raise ValueError(
                f"Expected 'z' to be floating point of shape [B, {self.latent_channels}] "
                f"(got dtype {z.dtype} and shape {tuple(z.shape)})"
            )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.latent_channels}, {self.out_channels}, "
            f"max_num_nodes={self.max_num_nodes})"
        )
