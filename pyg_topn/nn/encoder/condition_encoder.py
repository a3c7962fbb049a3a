"""Encoder of what is asked of a graph: known numbers, some or all of which may be left open."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP


class ConditionEncoder(nn.Module):
    r"""Embed conditions, such as properties that a molecule is to have.

    A condition that is not given is NaN. Layers that hold this one :meth:`hide` conditions at
    random in training, so that one model learns to generate with any subset of them and with none
    (classifier-free guidance, `Ho and Salimans, 2022 <https://arxiv.org/abs/2207.12598>`_). The
    embedding starts at zero
    whatever the condition: a layer that adds it starts as it would be without.

    Args:
        cond_channels: The number of conditions, :math:`K`.
        out_channels: The size of the embedding, :math:`C`.
        hidden_channels: The hidden width of the perceptron.
        dropout: The share of graphs all of whose conditions are hidden in training, and the share
            of the rest that are hidden one by one.

    Raises:
        ValueError: If a number is out of range.

    Shapes:
        - **input:** :math:`[B, K]` conditions
        - **output:** :math:`[B, C]`

    Example:
        >>> encoder = ConditionEncoder(2, 8).eval()
        >>> encoder.standardise(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 1.0]))
        >>> encoder(torch.tensor([[1.5, 0.0], [float("nan"), 0.0]])).shape
        torch.Size([2, 8])
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        cond_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        for name, value in (
            ("cond_channels", cond_channels),
            ("out_channels", out_channels),
            ("hidden_channels", hidden_channels),
        ):
            if value < 1:
                raise ValueError(f"Expected '{name}' to be at least 1 (got {value})")
        if not 0 <= dropout < 1:
            raise ValueError(f"Expected 'dropout' to be at least 0 and below 1 (got {dropout})")
        self.cond_channels, self.dropout = cond_channels, dropout
        self.mlp = MLP(
            [2 * cond_channels, hidden_channels, hidden_channels, out_channels],
            norm=None,
            act="silu",
        )
        self.register_buffer("mean", torch.zeros(cond_channels))
        self.register_buffer("std", torch.ones(cond_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew; the moments stay."""
        self.mlp.reset_parameters()
        nn.init.zeros_(self.mlp.lins[-1].weight)
        nn.init.zeros_(self.mlp.lins[-1].bias)

    @torch.no_grad()
    def standardise(self, mean: Tensor, std: Tensor) -> None:
        r"""Set the moments of the conditions, by which they are standardised.

        Args:
            mean: The mean of every condition, :math:`[K]`.
            std: The standard deviation of every condition, :math:`[K]`.

        Raises:
            ValueError: If shapes do not fit, a number is not finite or a deviation not positive.
        """
        for name, value in (("mean", mean), ("std", std)):
            if value.shape != self.mean.shape or not bool(value.isfinite().all()):
                raise ValueError(
                    f"Expected '{name}' to be finite, of shape [{self.cond_channels}] "
                    f"(got {value.tolist()})"
                )
        if not bool((std > 0).all()):
            raise ValueError(f"Expected 'std' to be positive (got {std.tolist()})")
        self.mean.copy_(mean)
        self.std.copy_(std)

    def hide(self, cond: Tensor) -> Tensor:
        r"""Return conditions some of which are hidden at random, if in training.

        Args:
            cond: The conditions, :math:`[B, K]`.
        """
        if not self.training or self.dropout == 0:
            return cond
        draw = torch.rand(cond.size(0), cond.size(1) + 1, device=cond.device)
        kept = (draw[:, :1] >= self.dropout) & (draw[:, 1:] >= self.dropout)
        return torch.where(kept, cond, torch.nan)

    def forward(self, cond: Tensor) -> Tensor:
        r"""Embed conditions.

        Args:
            cond: The conditions, :math:`[B, K]`, in their own units; NaN for what is left open.
        """
        value = (cond.to(self.mean.dtype) - self.mean) / self.std
        given = ~value.isnan()
        value = torch.where(given, value, 0.0)
        return torch.as_tensor(self.mlp(torch.cat([value, given.to(value.dtype)], dim=1)))

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.cond_channels}, {self.mlp.channel_list[-1]}, "
            f"dropout={self.dropout})"
        )


def check_condition(cond: Tensor | None, num_graphs: int, cond_channels: int) -> Tensor | None:
    r"""Return conditions as :math:`[B, K]`, or :obj:`None` where a layer takes none.

    Args:
        cond: The conditions: :math:`[B, K]`, :math:`[K]` for the same for all graphs, or
            :obj:`None` to leave all of them open.
        num_graphs: :math:`B`.
        cond_channels: :math:`K`; 0 for a layer that takes no conditions.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If their shape or type does not fit, or one is infinite.

    Example:
        >>> check_condition(torch.tensor([0.5]), 2, 1)
        tensor([[0.5000],
                [0.5000]])
    """
    if cond is None:
        return torch.full((num_graphs, cond_channels), torch.nan) if cond_channels else None
    if not isinstance(cond, Tensor):
        raise TypeError(f"Expected 'cond' to be a Tensor (got {type(cond).__name__})")
    if cond_channels == 0:
        raise ValueError("Expected no condition, the model was built without (got one)")
    if cond.dim() == 1:
        cond = cond.expand(num_graphs, -1)
    if cond.shape != (num_graphs, cond_channels) or not cond.is_floating_point():
        raise ValueError(
            f"Expected 'cond' to be floating point of shape [{num_graphs}, {cond_channels}] "
            f"(got dtype {cond.dtype} and shape {tuple(cond.shape)})"
        )
    if cond.is_cpu and bool(cond.isinf().any()):
        raise ValueError("Expected 'cond' to be finite, or NaN where left open (got infinity)")
    return cond
