"""Steps of training on the clock, as a training run takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import cycle, islice
from types import SimpleNamespace
from typing import Any

import torch
from _clock import Case, Series
from _graphs import HIDDEN, QM9_NODES, Setting, precisions
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_geometric.data import Batch

from pyg_topn.loader import ResidentLoader
from pyg_topn.recipe import Recipe, recipe
from pyg_topn.stage import Stage
from pyg_topn.training import GraphVAEModule

CLIP = 5.0  # as the trainer has it

# The flow sees no graphs; a stage of the decoder judges 8,192 samples of the prior at once, which
# takes too long for larger graphs.
MOST_NODES = {"joint": 10**9, "flow": QM9_NODES, "decoder": QM9_NODES}
NEW_SAMPLES = 8192
MIXED = 64  # batches of all sizes: more than are taken between two that are the same


def steps(setting: Setting) -> Iterator[Series]:
    """Every stage of the two recipes, and the joint stage with penalties on samples, in every
    precision that pays on the device."""
    recipes = {
        "paper": recipe("paper"),
        "default": recipe("default"),
        "default with N(0, I)": recipe("default", prior="gaussian"),
    }
    for nodes in setting.nodes:
        for name, chosen in recipes.items():
            for stage in chosen.stages:
                if nodes > MOST_NODES[stage.kind]:
                    continue
                title = f"{name}, {stage.kind} stage" if len(chosen.stages) > 1 else name
                for suffix, precision in precisions(setting.device).items():
                    # One run a series: it is costly to begin, and no batch changes its work.
                    begun = cache(partial(Run, setting, chosen, stage, nodes, precision))
                    build = partial(step, setting, title + suffix, begun, nodes)
                    yield Series("training", title + suffix, nodes, build)
                    if nodes == QM9_NODES:
                        mixed = f"{title}, all sizes{suffix}"
                        build = partial(mixed_step, setting, mixed, begun)
                        yield Series("training", mixed, nodes, build)


def new_samples(setting: Setting, nodes: int, number: int = NEW_SAMPLES) -> Series:
    """What the stage of the decoder does once in many steps: draw samples and judge them."""

    def build(batch: int) -> Case:
        chosen = recipe()
        module = GraphVAEModule(setting.model(nodes, chosen), chosen, lambda trainer: 0.0)
        module.to(setting.device)
        vae, judge = module.model, module.regularizer

        @torch.no_grad()
        def run() -> object:
            z, sizes = vae.sample_latents(batch)
            parts = zip(z.split(2048), sizes.split(2048), strict=True)
            return [judge.is_flawed(vae.decode(*part)) for part in parts]

        return Case("training", name, batch, nodes, run, setting.device, "other")

    name = "new samples of the prior, judged"
    return Series("training", name, nodes, build, (number,))


def step(setting: Setting, name: str, begun: Callable[[], Run], nodes: int, batch: int) -> Case:
    """A step on a batch."""
    training, target = begun(), setting.batch(nodes, batch)
    run = partial(training.step, target)
    run()  # What is made once a run is made now: averages of Adam, samples of the prior.
    trained = tuple(p for p in training.vae.parameters() if p.grad is not None)
    # The flow reads latent vectors, not graphs.
    graphs = (target.x, target.edge_index, target.edge_attr)
    inputs = () if training.stage.kind == "flow" else graphs
    return Case("training", name, batch, nodes, run, setting.device, "step", trained, inputs)


def mixed_step(setting: Setting, name: str, begun: Callable[[], Run], batch: int) -> Case:
    """A step on batches of molecules of all sizes, another one every time, as training takes them:
    no two have as many nodes and pairs. What a kernel keeps for one number of rows is of no use."""
    training = begun()
    loader = ResidentLoader(
        setting.molecules, batch, shuffle=True, exclude_keys=HIDDEN, device=setting.device
    )
    taken = cycle(list(islice(loader, MIXED)))

    def run() -> None:
        training.step(next(taken))

    return Case("training", name, batch, QM9_NODES, run, setting.device, "other")


class Run:
    """A training run in the middle of a stage, without a trainer: nothing is logged.

    Args:
        setting: Where it runs.
        chosen: The recipe.
        stage: One of its stages.
        nodes: The size of graphs.
        precision: Of products.
    """

    def __init__(
        self, setting: Setting, chosen: Recipe, stage: Stage, nodes: int, precision: str
    ) -> None:
        self.vae, self.stage = setting.model(nodes, chosen).train(), stage
        progress = middle(chosen, stage)
        self.module: Any = GraphVAEModule(
            self.vae, chosen, lambda trainer: progress, precision=precision
        )
        self.module.to(setting.device)
        # The module has a weak reference to its trainer.
        self.trainer = SimpleNamespace(train_dataloader=setting.loader(nodes))
        self.module.trainer = self.trainer
        self.module.log = self.module.log_dict = _ignore
        configured = self.module.configure_optimizers()
        self.optimizer = configured["optimizer"]
        self.schedule = configured["lr_scheduler"]["scheduler"]
        self.module.optimizers = lambda: self.optimizer
        self.average: AveragedModel | None = None
        if chosen.ema_decay:
            averaging = get_ema_multi_avg_fn(chosen.ema_decay)
            self.average = AveragedModel(self.vae, multi_avg_fn=averaging)

    def step(self, batch: Batch) -> None:
        """Loss, gradients, clipping, optimizer, schedule and moving average."""
        self.optimizer.zero_grad()
        self.module.training_step(batch, 0).backward()
        nn.utils.clip_grad_norm_(self.vae.parameters(), CLIP)
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.vae)


def _ignore(*_: object, **__: object) -> None:
    """Log nothing: a run writes every twentieth step."""


def middle(chosen: Recipe, stage: Stage) -> float:
    """How far a run is in the middle of a stage.

    >>> chosen = recipe()
    >>> all(chosen.stage_at(middle(chosen, stage))[0] is stage for stage in chosen.stages)
    True
    """
    before = 0.0
    for each in chosen.stages:
        if each is stage:
            break
        before += each.share
    return before + stage.share / 2
