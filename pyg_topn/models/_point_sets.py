"""What the set autoencoders share: points out of a batch, and the sizes of what is decoded."""

from __future__ import annotations

from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.nn.creation import Creation, SizePredictor
from pyg_topn.utils._points import read_points
from pyg_topn.utils.layout import Layout


def read_sets(batch: Batch, channels: int) -> tuple[Tensor, Layout]:
    """The points of a batch of sets that are not empty, [N, C], and its layout."""
    points = read_points(batch, channels)
    layout = Layout.from_batch(batch)
    if bool((layout.num_nodes < 1).any()):
        empty = int((layout.num_nodes < 1).nonzero()[0])
        raise ValueError(f"Expected sets of at least one point (got 0 in set {empty})")
    return points, layout


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
