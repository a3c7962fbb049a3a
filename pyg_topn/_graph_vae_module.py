"""The training of a graph VAE as a Lightning module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn.losses import GraphVAELoss, PriorRegularizer
from pyg_topn.losses.matching import matcher_resolver
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.recipe import Recipe
from pyg_topn.utils.optional import require

L = require("lightning.pytorch", extra="train")


class GraphVAEModule(L.LightningModule):  # type: ignore[name-defined]
    r"""The training of a :class:`GraphVAE` as a Lightning module.

    Args:
        model: The model, with a vocabulary.
        chosen: The recipe.
        progress: How far the run is, from 0 to 1; the schedules follow it.
        num_samples: How many molecules are sampled at every validation.

    Raises:
        ValueError: If the model has no vocabulary.

    Example:
        >>> from pyg_topn.models import build_graph_vae
        >>> from pyg_topn.molecule import MoleculeVocabulary
        >>> from pyg_topn.recipe import recipe
        >>> chosen = recipe("default")
        >>> vae = build_graph_vae(4, (1, 2, 3), [0, 1, 2], **chosen.model)
        >>> vae.vocabulary = MoleculeVocabulary.qm9()
        >>> GraphVAEModule(vae, chosen, lambda trainer: 0.0).loss.matcher
        CanonicalMatcher()
    """

    def __init__(
        self,
        model: GraphVAE,
        chosen: Recipe,
        progress: Callable[[Any], float],
        num_samples: int = 2000,
    ) -> None:
        super().__init__()
        if model.vocabulary is None:
            raise ValueError("Expected a model with a vocabulary of atoms and bonds (got none)")
        orders = model.vocabulary.bond_orders
        self.model, self.chosen, self.progress = model, chosen, progress
        self.num_samples = num_samples
        self.loss = GraphVAELoss(matcher_resolver(chosen.matcher), orders, chosen.weights)
        self.regularizer = PriorRegularizer(model.vocabulary.valences, orders)

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.chosen.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate(self, step: int) -> float:
        progress = min(self.progress(self._trainer), 1.0)
        return min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * progress))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        terms = self._terms(batch)
        progress = self.progress(self.trainer)
        ramp = self.chosen.kl_ramp(progress)
        loss = terms["loss"] - (1 - ramp) * self.loss.weights.get("kl", 1.0) * terms["kl"]
        penalty_ramp = self.chosen.penalty_ramp(progress)
        if self.chosen.regularizer and penalty_ramp > 0:
            count = max(1, int(batch.num_graphs * self.chosen.prior_share))
            sizes = batch._slice_dict["x"].diff()[:count]
            penalties = self.regularizer(self.model.decode(self.model.prior(count), sizes))
            for name, weight in self.chosen.regularizer.items():
                loss = loss + penalty_ramp * weight * penalties[name]
                terms[f"prior_{name}"] = penalties[name]
        self.log_dict({f"train/{key}": value.detach() for key, value in terms.items()})
        self.log("train/lr", self.optimizers().param_groups[0]["lr"])
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        output = self.model(batch)
        terms: dict[str, Tensor] = self.loss(output.distribution, batch, output.posterior)
        return terms

    def validation_step(self, batch: Batch, index: int) -> None:
        terms = self._terms(batch)
        values = {f"val/{key}": value for key, value in terms.items()}
        self.log_dict(values, batch_size=batch.num_graphs)

    def on_validation_epoch_end(self) -> None:
        generator = torch.Generator().manual_seed(1)
        batch = self.model.sample(self.num_samples, generator=generator)
        assert self.model.vocabulary is not None
        metrics = MoleculeMetrics(nspdk=False)
        metrics.update(self.model.vocabulary.to_molecules(batch))
        scalars = metrics.compute().scalars()
        shown = ("connected", "vu")
        for key, value in scalars.items():
            self.log(f"val/{key}", value, prog_bar=key in shown)
