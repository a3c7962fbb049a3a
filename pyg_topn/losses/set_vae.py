"""The loss of the set VAE."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_topn.losses._terms import check_weights, divergence_term
from pyg_topn.losses.set.base import SetLoss
from pyg_topn.losses.set.min_distance_regularizer import MinDistanceRegularizer
from pyg_topn.losses.set.neighbor_regularizer import NeighborRegularizer
from pyg_topn.losses.set.wasserstein_loss import WassersteinLoss
from pyg_topn.nn.encoder.gaussian import DiagonalGaussian

#: The weight of every term, unless another is given.
WEIGHTS = {"reconstruction": 1.0, "kl": 0.003, "min_distance": 1.0, "neighbor": 1.0}


class SetVAELoss(nn.Module):
    r"""The loss of the set VAE of the `Top-n paper <https://arxiv.org/abs/2110.02096>`_ (D.2):

    .. math::
        L(X, \hat{X}) = d(X, \hat{X})
            + \lambda_1 \mathrm{KL}(p(\mathbf{z} \mid X), \mathcal{N}(0, \mathbf{I}))
            + \lambda_2 \, reg_2(\hat{X}) + \lambda_3 \, reg_3(\hat{X})

    ==================  ============  =============================================================
    term                weight        meaning
    ==================  ============  =============================================================
    ``reconstruction``  1             :math:`d`, by default :math:`W_2^2`
    ``kl``              0.003         divergence of the posterior from the prior, nats a set
    ``min_distance``    1             :math:`reg_2`, points closer than 1
    ``neighbor``        1             :math:`reg_3`, points without a neighbour or with too many
    ==================  ============  =============================================================

    Every term is a mean over sets, so that a batch of sets of mixed sizes has the mean of the
    losses of its sets. The paper does not give the weights of the regularisers; the released code
    has 200 for both, with :math:`reg_2` over ordered pairs. All terms but the divergence leave
    the order of points open: condition 2 of lemma 1 holds. Regularisers of weight 0 are left out.

    Args:
        reconstruction: The distance between a set and its reconstruction; by default
            :class:`WassersteinLoss`, which is :math:`W_2^2`.
        weights: The weights of terms that are to have others.
        min_distance: The distance that points should keep, :math:`d_0`.
        neighbor_distance: The distance below which points are neighbours, :math:`d_1`.
        max_valency: How many neighbours a point may have.

    Shapes:
        - **input:** sets of :math:`[N, C]` points, twice
        - **output:** scalars by name

    Raises:
        ValueError: If a weight is negative or names no term, or a number is out of range.

    Example:
        >>> from pyg_topn.utils import build_batch
        >>> one = build_batch(torch.tensor([2]), {"pos": torch.tensor([[0.0, 0], [0, 1]])})
        >>> other = build_batch(torch.tensor([2]), {"pos": torch.tensor([[0.0, 1], [0, 5]])})
        >>> terms = SetVAELoss(weights={"neighbor": 0.5})(other, one)
        >>> {name: float(term) for name, term in terms.items()}
        {'reconstruction': 8.5, 'min_distance': 0.0, 'neighbor': 4.0, 'loss': 10.5}
    """

    def __init__(
        self,
        reconstruction: SetLoss | None = None,
        weights: Mapping[str, float] | None = None,
        min_distance: float = 1.0,
        neighbor_distance: float = 2.0,
        max_valency: int = 4,
    ) -> None:
        super().__init__()
        self.weights = {**WEIGHTS, **(weights or {})}
        check_weights(self.weights, WEIGHTS)
        self.reconstruction = WassersteinLoss() if reconstruction is None else reconstruction
        if self.reconstruction.reduction != "mean":
            raise ValueError(
                "Expected 'reconstruction' with reduction='mean' "
                f"(got '{self.reconstruction.reduction}')"
            )
        self.min_distance = MinDistanceRegularizer(min_distance)
        self.neighbor = NeighborRegularizer(neighbor_distance, max_valency)

    def forward(
        self,
        prediction: Batch,
        target: Batch,
        posterior: DiagonalGaussian | None = None,
        divergence: Tensor | None = None,
    ) -> dict[str, Tensor]:
        r"""Return every term by name, unweighted, and their weighted sum as ``"loss"``.

        Args:
            prediction: The decoded sets.
            target: The sets that were encoded.
            posterior: The posterior over latent vectors; without it there is no term ``"kl"``.
            divergence: Its divergence from the prior, :math:`[B]`, where that is another than
                :math:`\mathcal{N}(0, \mathbf{I})`: see :meth:`Prior.divergence`.

        Raises:
            ValueError: See :meth:`SetLoss.forward`.
        """
        terms: dict[str, Tensor] = {"reconstruction": self.reconstruction(prediction, target)}
        for name in ("min_distance", "neighbor"):
            if self.weights[name] > 0:
                terms[name] = getattr(self, name)(prediction)
        terms.update(divergence_term(posterior, divergence))
        terms["loss"] = torch.stack([self.weights[k] * v for k, v in terms.items()]).sum()
        return terms

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.reconstruction}, weights={self.weights})"
