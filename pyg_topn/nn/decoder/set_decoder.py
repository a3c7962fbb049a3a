"""From latent vectors to sets of points."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import MLP

from pyg_topn.nn.creation.base import Creation
from pyg_topn.nn.update.set_transformer import SetTransformer
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import build_batch


class SetDecoder(nn.Module):
    r"""The set decoder of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.2): creation, a
    linear layer, transformer layers within every set, and a 2-layer perceptron on every point.

    Layer normalisation stands where the paper has batch normalisation, so that a set is decoded
    the same whatever else is in the batch. The latent vector enters through the creation, and
    through the transformer layers if they were built to see it.

    Args:
        creation: The layer that creates points from the latent vector.
        update: The layers that refine them; with or without :obj:`latent_channels`.
        out_channels: The number of coordinates of a point, :math:`C`.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors, :math:`[B]` sizes
        - **output:** a batch with :obj:`pos` :math:`[N, C]`

    Raises:
        ValueError: If creation and update expect latent vectors of different sizes.

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> creation = TopNCreation(8, 32, num_reference_points=35)
        >>> decoder = SetDecoder(creation, SetTransformer(16, num_layers=1))
        >>> decoder(torch.randn(2, 8), torch.tensor([9, 5]))
        DataBatch(pos=[14, 3], batch=[14], ptr=[3])
    """

    def __init__(self, creation: Creation, update: SetTransformer, out_channels: int = 3) -> None:
        super().__init__()
        if update.latent_channels not in (None, creation.latent_channels):
            raise ValueError(
                "Expected creation and update to share the size of the latent vector "
                f"(got {creation.latent_channels} and {update.latent_channels})"
            )
        channels = update.channels
        self.out_channels = out_channels
        self.creation = creation
        self.in_lin = nn.Linear(creation.out_channels, channels)
        self.update = update
        self.norm = nn.LayerNorm(channels)
        self.point_mlp = MLP([channels, channels, out_channels], norm=None)

    @property
    def latent_channels(self) -> int:
        """The size of a latent vector, L."""
        return self.creation.latent_channels

    @property
    def cond_channels(self) -> int:
        """The number of conditions, K; 0 if it takes none."""
        return self.creation.cond_channels

    @property
    def max_num_nodes(self) -> int | None:
        """The largest set that can be decoded; None for no bound."""
        return self.creation.max_num_nodes

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            module.reset_parameters()  # type: ignore[operator]

    def forward(
        self,
        z: Tensor,
        num_nodes: Tensor,
        generator: torch.Generator | None = None,
        cond: Tensor | None = None,
    ) -> Batch:
        r"""Decode latent vectors.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every set, :math:`[B]`; on the CPU nothing waits for a device.
            generator: Where a stochastic creation draws from.
            cond: The conditions, :math:`[B, K]` or :math:`[K]`, NaN where left open, if the
                creation takes any.

        Raises:
            TypeError: See :meth:`Creation.forward`.
            ValueError: See :meth:`Creation.forward`.
        """
        z = self.creation.conditioned(z, cond)  # Once: the update sees it as well.
        x = self.creation.create_projected(z, num_nodes, self.in_lin, generator)
        layout = Layout(num_nodes.cpu(), z.device)
        x = self.update(x, layout, None if self.update.latent_channels is None else z)
        return build_batch(layout.num_nodes, {"pos": self.point_mlp(self.norm(x))})
