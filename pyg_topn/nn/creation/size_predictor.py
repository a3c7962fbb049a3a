"""The number of nodes predicted from the latent vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pyg_topn.utils.categorical import draw_categorical
from pyg_topn.utils.ragged import check_num_nodes


class SizePredictor(nn.Module):
    r"""The number of nodes predicted from the latent vector, and trained with an auxiliary loss
    (section 2 and figure 1b of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_;
    `Kosiorek et al., 2020 <https://arxiv.org/abs/2006.16841>`_).

    During training the true size is used; the prediction is used to generate.

    Args:
        latent_channels: The size of a latent vector, :math:`L`.
        max_num_nodes: The largest size, :math:`n_{\max}`.
        hidden_channels: The hidden width of the perceptron.
        detach: Whether the auxiliary loss trains the predictor only, and leaves :math:`\mathbf{z}`
            alone.

    Shapes:
        - **input:** :math:`[B, L]` latent vectors
        - **output:** :math:`[B, n_{\max}]` logits of the sizes :math:`1, \dots, n_{\max}`

    Example:
        >>> predictor = SizePredictor(8, max_num_nodes=9)
        >>> z = torch.randn(2, 8)
        >>> predictor(z).shape, predictor.sample(z).shape
        (torch.Size([2, 9]), torch.Size([2]))
        >>> predictor.loss(z, torch.tensor([9, 4])).dim()
        0
    """

    def __init__(
        self,
        latent_channels: int,
        max_num_nodes: int,
        hidden_channels: int = 128,
        detach: bool = False,
    ) -> None:
        super().__init__()
        if max_num_nodes < 1:
            raise ValueError(f"Expected 'max_num_nodes' to be at least 1 (got {max_num_nodes})")
        self.max_num_nodes = max_num_nodes
        self.detach = detach
        self.mlp = MLP([latent_channels, hidden_channels, max_num_nodes], norm=None)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.mlp.reset_parameters()

    def forward(self, z: Tensor) -> Tensor:
        """Return the logits of the sizes 1, 2, ..., n_max."""
        logits: Tensor = self.mlp(z.detach() if self.detach else z)
        return logits

    def loss(self, z: Tensor, num_nodes: Tensor) -> Tensor:
        r"""Return the auxiliary loss: the cross entropy of the true sizes, averaged over graphs.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            num_nodes: The true sizes, :math:`[B]`.

        Raises:
            ValueError: If a size lies outside :math:`1, \dots, n_{\max}`.
        """
        check_num_nodes(num_nodes, self.max_num_nodes)
        return F.cross_entropy(self(z), num_nodes.to(z.device, non_blocking=True) - 1)

    @torch.no_grad()
    def sample(
        self, z: Tensor, generator: torch.Generator | None = None, mode: bool = False
    ) -> Tensor:
        r"""Draw the size of every graph, or take the most likely one.

        Args:
            z: The latent vectors, :math:`[B, L]`.
            generator: Where to draw from.
            mode: Whether to take the most likely size instead of drawing.

        Returns:
            The sizes, :math:`[B]`, ``torch.int64``.
        """
        logits = self(z)
        if mode:
            return logits.argmax(dim=-1) + 1
        return draw_categorical(logits, generator) + 1
