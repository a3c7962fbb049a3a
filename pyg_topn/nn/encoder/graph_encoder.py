"""Message-passing encoder: from graphs to a posterior over latent vectors."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import MLP, GINEConv

from pyg_topn.nn.encoder.canonical_embedding import CanonicalEmbedding
from pyg_topn.nn.encoder.canonical_readout import CanonicalReadout
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian
from pyg_topn.nn.encoder.pna_readout import PNAReadout
from pyg_topn.utils.canonical import batch_canonical_index
from pyg_topn.utils.precision import at_least_float32, full_precision_of_rows


class GraphEncoder(nn.Module):
    r"""The encoder of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.3): message-passing
    layers with edge features, a readout and a perceptron that gives a normal posterior.

    It is permutation invariant either way (condition 2 of lemma 1). With ``readout="pna"`` nodes
    are pooled, as in the paper. With ``readout="canonical"`` every node is told its position in a
    canonical order of its graph, and those of its neighbours, and is read out by position: what a
    decoder needs whose slots are aligned with that order.

    Args:
        in_channels: The number of node features.
        edge_channels: The number of edge features.
        latent_channels: The size of a latent vector, :math:`L`.
        hidden_channels: The width of the message-passing layers.
        num_layers: The number of message-passing layers.
        readout: ``"pna"`` or ``"canonical"``.
        max_num_nodes: The largest graph; needed by ``"canonical"``.

    Shapes:
        - **input:** a batch with :obj:`x` :math:`[N, F]`, :obj:`edge_index`, :obj:`edge_attr`
          :math:`[E, D]`
        - **output:** a :class:`DiagonalGaussian` of :math:`[B, L]`

    Example:
        >>> from torch_geometric.data import Batch, Data
        >>> path = Data(
        ...     x=torch.eye(2, 4),
        ...     edge_index=torch.tensor([[0, 1], [1, 0]]),
        ...     edge_attr=torch.eye(1, 3).expand(2, 3),
        ... )
        >>> encoder = GraphEncoder(4, 3, latent_channels=8)
        >>> encoder(Batch.from_data_list([path, path])).mean.shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        in_channels: int,
        edge_channels: int,
        latent_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 3,
        readout: str = "pna",
        max_num_nodes: int | None = None,
    ) -> None:
        super().__init__()
        self.latent_channels = latent_channels
        self.embedding = None
        self.readout: PNAReadout | CanonicalReadout
        width = 4 * hidden_channels
        if readout == "pna":
            self.readout = PNAReadout(hidden_channels, width)
        elif readout == "canonical" and max_num_nodes is not None:
            self.readout = CanonicalReadout(hidden_channels, width, max_num_nodes)
            self.embedding = CanonicalEmbedding(edge_channels, hidden_channels, max_num_nodes)
        elif readout == "canonical":
            raise ValueError("Expected 'max_num_nodes' with readout='canonical' (got None)")
        else:
            raise ValueError(f"Expected 'readout' to be 'pna' or 'canonical' (got '{readout}')")
        self.node_lin = nn.Linear(in_channels, hidden_channels)
        self.convs = nn.ModuleList(
            GINEConv(
                MLP([hidden_channels, 2 * hidden_channels, hidden_channels], norm=None),
                edge_dim=edge_channels,
            )
            for _ in range(num_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_channels) for _ in range(num_layers))
        self.mlp = MLP([width, width, 2 * latent_channels], norm=None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in (self.node_lin, *self.convs, *self.norms, self.readout, self.mlp):
            module.reset_parameters()
        if self.embedding is not None:
            self.embedding.reset_parameters()
        with torch.no_grad():
            # A posterior that starts narrow lets the decoder learn to read z first.
            self.mlp.lins[-1].bias[self.latent_channels :].fill_(-4.0)

    def forward(self, batch: Batch) -> DiagonalGaussian:
        r"""Return the posterior over the latent vector of every graph.

        Args:
            batch: The graphs. With the canonical readout their :obj:`canonical_index` is read, or
                computed if the transform that stores it was not applied.

        Raises:
            ValueError: If a graph is larger than the canonical readout.
        """
        with full_precision_of_rows(batch.x.device):
            read = self._read(batch)
        mean, log_variance = at_least_float32(read).chunk(2, dim=-1)
        return DiagonalGaussian(mean, log_variance.clamp(-20, 10))

    def _read(self, batch: Batch) -> Tensor:
        """What the posterior is made of, [B, 2 L]."""
        h: Tensor = self.node_lin(batch.x)
        if self.embedding is not None:
            batch = copy(batch)  # Computed once for embedding and readout, and not left behind.
            batch.canonical_index = batch_canonical_index(batch)
            h = h + self.embedding(batch)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = h + conv(norm(h), batch.edge_index, batch.edge_attr)
        return torch.as_tensor(self.mlp(torch.relu(self.readout(h, batch))))
