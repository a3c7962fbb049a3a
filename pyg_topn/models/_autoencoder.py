"""What the set autoencoders share: where points lie, and the sizes of what is decoded."""

from __future__ import annotations

import math

from torch import Tensor

from pyg_topn.nn.creation import Creation, SizePredictor


def check_frame(center: float, spread: float | None) -> None:
    """Check where the points of the data lie, and how widely."""
    if not math.isfinite(center):
        raise ValueError(f"Expected 'center' to be finite (got {center})")
    if spread is not None and not 0 < spread < math.inf:
        raise ValueError(f"Expected 'spread' to be positive and finite, or None (got {spread})")


def standardised(x: Tensor, center: float, spread: float | None) -> Tensor:
    """Points as an encoder sees them: as they are, or centred and scaled if a spread is given."""
    return x if spread is None else (x - center) / spread


def check_sizes(sizes: SizePredictor | None, creation: Creation) -> None:
    """Check that every size that may be predicted can be created."""
    limit = creation.max_num_nodes
    if sizes is not None and limit is not None and sizes.max_num_nodes > limit:
        raise ValueError(
            f"Expected sizes of at most {limit} points, the most that the creation layer makes "
            f"(got {sizes.max_num_nodes})"
        )


def sizes_of(z: Tensor, num_nodes: Tensor | None, sizes: SizePredictor | None) -> Tensor:
    """The given sizes, or the most likely ones, [B], on the CPU if they are predicted."""
    if num_nodes is not None:
        return num_nodes
    if sizes is None:
        raise ValueError("Expected 'num_nodes', or a model with a size predictor (got neither)")
    return sizes.sample(z, mode=True).cpu()
