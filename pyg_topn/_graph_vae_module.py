"""The training of a graph VAE as a Lightning module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_topn._data_latents import DataLatents
from pyg_topn._prior_latents import PriorLatents
from pyg_topn._teacher_pairs import TeacherPairs
from pyg_topn.losses import GraphVAELoss, PriorRegularizer, target_pairs
from pyg_topn.losses.matching import matcher_resolver
from pyg_topn.metrics import MoleculeMetrics
from pyg_topn.models import GraphVAE
from pyg_topn.nn.prior import OneStepPrior, RectifiedFlowPrior
from pyg_topn.recipe import Recipe
from pyg_topn.utils.optional import require
from pyg_topn.utils.precision import autocast, check_precision

L = require("lightning.pytorch", extra="train")


class GraphVAEModule(L.LightningModule):  # type: ignore[name-defined]
    r"""The training of a :class:`GraphVAE` as a Lightning module.

    Args:
        model: The model, with a vocabulary.
        chosen: The recipe.
        progress: How far the run is, from 0 to 1; the schedules follow it.
        num_samples: How many molecules are sampled at every validation.
        precision: ``"float32"``, ``"bfloat16"`` for mixed precision, ``"auto"`` for that where the
            device has a unit for it.

    Raises:
        ValueError: If the model has no vocabulary, or there is no such precision.

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
        precision: str = "auto",
    ) -> None:
        super().__init__()
        check_precision(precision)
        self.precision = precision
        if model.vocabulary is None:
            raise ValueError("Expected a model with a vocabulary of atoms and bonds (got none)")
        orders = model.vocabulary.bond_orders
        self.model, self.chosen, self.progress = model, chosen, progress
        self.num_samples = num_samples
        self.loss = GraphVAELoss(matcher_resolver(chosen.matcher), orders, chosen.weights)
        self.regularizer = PriorRegularizer(model.vocabulary.valences, orders)
        self._data_latents: DataLatents | None = None
        self._teacher_pairs: TeacherPairs | None = None
        self._prior_latents = PriorLatents(
            model, self.regularizer.is_flawed, hard_share=chosen.hard_share, conds=self._conds
        )

    @property
    def is_last_stage(self) -> bool:
        """Whether the run is in its last stage, the only one whose samples are to be judged."""
        return self.chosen.stage_at(self.progress(self._trainer))[0] is self.chosen.stages[-1]

    def configure_optimizers(self) -> dict[str, Any]:
        # The schedule says how much it is.
        optimizer = torch.optim.Adam(self.model.parameters(), lr=1.0, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate(self, step: int) -> float:
        stage, progress = self.chosen.stage_at(min(self.progress(self._trainer), 1.0))
        warm_up = min(1.0, (step + 1) / 100, 0.01 + 50 * progress)
        return stage.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * progress))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        stage, progress = self.chosen.stage_at(self.progress(self.trainer))
        steps = {
            "joint": self._joint,
            "flow": self._flow,
            "distillation": self._distillation,
            "decoder": self._decoder,
        }
        with self._autocast():
            terms = steps[stage.kind](batch, progress)
        self.log_dict({f"train/{key}": value.detach() for key, value in terms.items()})
        self.log("train/lr", self.optimizers().param_groups[0]["lr"])
        self.log("loss", terms["loss"].detach(), prog_bar=True, logger=False)
        return terms["loss"]

    def _joint(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Encoder and decoder, and a prior that has a density."""
        terms = self._terms(batch)
        ramp = self.chosen.kl_ramp(progress)
        loss = terms["loss"] - (1 - ramp) * self.loss.weights.get("kl", 1.0) * terms["kl"]
        if isinstance(self.model.prior, RectifiedFlowPrior):  # Not fitted yet.
            return {**terms, "loss": loss}
        count = max(1, int(batch.num_graphs * self.chosen.prior_share))
        sizes = batch._slice_dict["x"].diff()[:count]
        known = self._cond(batch)
        cond = None if known is None else known[:count]

        def draw() -> tuple[Tensor, Tensor, Tensor | None]:
            return *self.model.sample_latents(sizes.numel(), sizes, cond=cond), cond

        return self._penalise({**terms, "loss": loss}, progress, draw)

    def _flow(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The flow alone; of the batch, only the size counts."""
        count = self.chosen.flow_batches * batch.num_graphs
        prior = self.model.prior
        assert isinstance(prior, RectifiedFlowPrior)
        if self._data_latents is None:
            # Here alone: a flow that is not fitted in this run was fitted to moments of its own.
            self._latents().standardise(prior)
        z, num_nodes, cond = self._latents().draw(count, self.chosen.flow_noise)
        return {"loss": prior.loss(z, num_nodes, cond=cond)}

    def _distillation(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The prior in one step alone, on what the flow makes of noise."""
        prior = self.model.prior
        assert isinstance(prior, OneStepPrior)
        if self._teacher_pairs is None:
            prior.begin_distillation()
            self._teacher_pairs = TeacherPairs(self.model, prior, conds=self._conds)
        pairs = self._teacher_pairs.draw(self.chosen.flow_batches * batch.num_graphs)
        return {"loss": prior.distillation_loss(*pairs)}

    def _decoder(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The decoder alone, on the data and on samples of the prior."""
        with torch.no_grad():
            z = self.model.encode(batch).rsample()
        sizes = batch._slice_dict["x"].diff()
        decoded = self.model.decode(z, sizes, cond=self._cond(batch), pairs=self._pairs(batch))
        terms: dict[str, Tensor] = self.loss(decoded, batch)
        count = max(1, int(batch.num_graphs * self.chosen.prior_share))
        return self._penalise(terms, progress, lambda: self._prior_latents.draw(count))

    def _penalise(
        self,
        terms: dict[str, Tensor],
        progress: float,
        draw: Callable[[], tuple[Tensor, Tensor, Tensor | None]],
    ) -> dict[str, Tensor]:
        """Add the penalties on samples of the prior to the loss."""
        ramp = self.chosen.penalty_ramp(progress)
        if not self.chosen.regularizer or ramp == 0:
            return terms
        z, sizes, cond = draw()
        penalties = self.regularizer(self.model.decode(z, sizes, cond=cond))
        terms = {**terms, **{f"prior_{name}": value for name, value in penalties.items()}}
        for name, weight in self.chosen.regularizer.items():
            terms["loss"] = terms["loss"] + ramp * weight * penalties[name]
        return terms

    def _autocast(self) -> torch.autocast:
        """The precision of products; gradients, averages and the optimizer keep their own."""
        return autocast(self.device, self.precision)

    def _cond(self, batch: Batch) -> Tensor | None:
        """What is true of the graphs of a batch, for a model that can be asked for it."""
        return batch.y if self.model.cond_channels else None

    def _pairs(self, batch: Batch) -> Tensor | None:
        """The true edges, for a decoder that decides only some pairs."""
        restricted = self.model.decoder.neighbors is not None
        return target_pairs(batch, self.loss.matcher) if restricted else None

    def _latents(self) -> DataLatents:
        """The latent vectors of the data, once the encoder no longer changes."""
        if self._data_latents is None:
            self._data_latents = DataLatents.encode(self.model, self.trainer.train_dataloader)
        return self._data_latents

    def _conds(self) -> Tensor | None:
        """The conditions of the data; without any, the data need not be encoded for it."""
        return self._latents().cond if self.model.cond_channels else None

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        output = self.model(batch, cond=self._cond(batch), pairs=self._pairs(batch))
        sizes = batch._slice_dict["x"].diff()
        divergence = self.model.prior.divergence(output.posterior, output.z, sizes)
        terms: dict[str, Tensor] = self.loss(
            output.distribution, batch, output.posterior, divergence
        )
        return terms

    def validation_step(self, batch: Batch, index: int) -> None:
        with self._autocast():
            terms = self._terms(batch)
        values = {f"val/{key}": value for key, value in terms.items()}
        self.log_dict(values, batch_size=batch.num_graphs)

    def on_validation_epoch_end(self) -> None:
        generator = torch.Generator().manual_seed(1)
        with self._autocast():
            batch = self.model.sample(self.num_samples, generator=generator)
        assert self.model.vocabulary is not None
        metrics = MoleculeMetrics(nspdk=False)
        metrics.update(self.model.vocabulary.to_molecules(batch))
        scalars = metrics.compute().scalars()
        shown = ("connected", "vu")
        for key, value in scalars.items():
            self.log(f"val/{key}", value, prog_bar=key in shown)
