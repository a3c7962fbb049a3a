"""The transformer set prediction network, an autoencoder of sets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.models._autoencoder import check_frame, check_sizes, sizes_of, standardised
from pyg_topn.nn.creation import Creation, SizePredictor
from pyg_topn.nn.encoder.fspool import FSPool
from pyg_topn.nn.update import SetTransformer
from pyg_topn.utils._points import read_points
from pyg_topn.utils.layout import Layout
from pyg_topn.utils.ragged import build_batch


class TSPN(nn.Module):
    r"""The autoencoder of sets from the `"Conditional Set Generation with Transformers"
    <https://arxiv.org/abs/2006.16841>`_ paper (TSPN), with any creation layer in place of points
    drawn independently (section 5.1 of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_).

    .. math::
        \mathbf{z} &= \mathrm{FSPool}(\mathrm{Transformer}_1(\mathbf{X})) \\
        \hat{\mathbf{X}} &= \mathrm{Transformer}_2(\mathrm{create}(\mathbf{z}, n)) \, \mathbf{W}
            + \mathbf{b}

    The width of the transformers is that of the created points. :math:`\mathbf{W}` starts at zero
    and :math:`\mathbf{b}` at :obj:`center`: all points are predicted there at first.

    There is no loss inside. That of the sets is :class:`~pyg_topn.losses.ChamferLoss`; the size
    predictor learns from :meth:`SizePredictor.loss`, apart from the rest if it is made with
    ``detach=True``.

    Args:
        in_channels: The size of a point, :math:`F`.
        creation: From latent vectors :math:`[B, L]` and sizes to initial points :math:`[N, C]`.
        num_layers: The number of layers of each transformer.
        heads: The number of attention heads.
        num_pieces: The number of pieces of :class:`FSPool`.
        center: Where all points are predicted before training, in every channel.
        spread: About the standard deviation of the data around :obj:`center`, by which the encoder
            sees points :math:`(\mathbf{x} - \mathrm{center}) / \mathrm{spread}`; by default it sees
            them as they are, as in the paper.
        sizes: Predicts the size of a set from its latent vector.

    Shapes:
        - **input:** a batch of sets, :math:`[N, F]` points
        - **output:** a batch of sets of the same sizes

    Raises:
        ValueError: If a number is below 1, the width is no multiple of :obj:`heads`,
            :obj:`center` not finite, :obj:`spread` not positive, or larger sizes may be predicted
            than created.

    Example:
        >>> from pyg_topn.nn.creation import TopNCreation
        >>> tspn = TSPN(2, TopNCreation(8, 16, num_reference_points=12), num_layers=1)
        >>> batch = build_batch(torch.tensor([3, 6]), {"pos": torch.rand(9, 2)})
        >>> tspn(batch)
        DataBatch(pos=[9, 2], batch=[9], ptr=[3])
        >>> tspn.encode(batch).shape
        torch.Size([2, 8])
    """

    arguments: dict[str, Any] | None = None  # What a builder made it from, to save it.

    def __init__(
        self,
        in_channels: int,
        creation: Creation,
        num_layers: int = 3,
        heads: int = 4,
        num_pieces: int = 20,
        center: float = 0.5,
        sizes: SizePredictor | None = None,
        spread: float | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("num_layers", num_layers)):
            if value < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
        check_frame(center, spread)
        check_sizes(sizes, creation)
        self.in_channels, self.latent_channels = in_channels, creation.latent_channels
        self.center, self.spread = center, spread
        width = creation.out_channels
        self.in_lin = nn.Linear(in_channels, width)
        self.encoder = SetTransformer(width, num_layers, heads)
        self.norm = nn.LayerNorm(width)
        self.latent_lin = nn.Linear(width, creation.latent_channels)
        self.pool = FSPool(creation.latent_channels, num_pieces, reduce="mean")
        self.creation = creation
        self.decoder = SetTransformer(width, num_layers, heads)
        self.out_norm = nn.LayerNorm(width)
        self.out_lin = nn.Linear(width, in_channels)
        self.sizes = sizes
        self._center_output()

    def _center_output(self) -> None:
        nn.init.zeros_(self.out_lin.weight)
        nn.init.constant_(self.out_lin.bias, self.center)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.children():
            module.reset_parameters()  # type: ignore[operator]
        self._center_output()

    def encode(self, batch: Batch) -> Tensor:
        r"""Return the latent vector of every set, :math:`[B, L]`.

        Args:
            batch: The sets: points :math:`[N, F]` as ``pos``, or as ``x`` where there is no
                ``pos``.

        Raises:
            ValueError: If points have another size or type, a set is empty, or ``ptr`` does not
                fit; and, on the CPU, if a point is not finite.
        """
        x, layout = read_points(batch, "batch", self.in_channels, self.in_lin.weight)
        seen = standardised(x, self.center, self.spread)
        h = self.norm(self.encoder(self.in_lin(seen), layout))
        return torch.as_tensor(self.pool(self.latent_lin(h), layout))

    def decode(
        self,
        z: Tensor,
        num_nodes: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Batch:
        r"""Return a set for every latent vector.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The size of every set, :math:`[B]`; by default the most likely one.
            generator: Where a stochastic creation draws from.

        Returns:
            A batch with the points :obj:`pos` :math:`[N, F]`.

        Raises:
            ValueError: If sizes are neither given nor predicted, or the creation layer refuses
                the arguments.
        """
        num_nodes = sizes_of(z, num_nodes, self.sizes)
        created = self.creation(z, num_nodes, generator)
        layout = Layout(num_nodes.cpu(), z.device)
        h = self.out_norm(self.decoder(created.x, layout))
        return build_batch(num_nodes, {"pos": self.out_lin(h)})

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        r"""Encode sets and decode them at their true sizes.

        Args:
            batch: The sets, as :meth:`encode` takes them.
            generator: Where a stochastic creation draws from.
        """
        z = self.encode(batch)
        return self.decode(z, Layout.from_batch(batch).num_nodes, generator)
