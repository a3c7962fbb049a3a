"""The plain loop: schedules, the curve, and runs that are killed and go on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.datasets import FakeDataset

from pyg_topn import _plain_loop
from pyg_topn._budget import Budget
from pyg_topn._plain_loop import ENTRIES, PlainLoop, rate
from pyg_topn._run_checks import read_checkpoint
from pyg_topn.loader import ResidentLoader

FIVE = FakeDataset(num_graphs=5, avg_num_nodes=6, num_channels=3)


def make(budget: Budget, **kwargs: Any) -> PlainLoop:
    """A loop on 3 batches an epoch, with noise in the loss."""
    torch.manual_seed(0)
    net = nn.Linear(3, 1)

    def loss_of(batch: Batch) -> Mapping[str, Tensor]:
        error = (net(batch.x) + 0.1 * torch.randn(batch.num_nodes, 1)).square().mean()
        return {"reconstruction": error, "loss": error}

    return PlainLoop(net, ResidentLoader(FIVE, 2, shuffle=True), loss_of, budget, **kwargs)


def test_the_rate_grows_and_falls() -> None:
    assert rate(0.0) == 0.01
    assert rate(0.025) == pytest.approx(0.51 * (1 + math.cos(math.pi * 0.025)) / 2)
    assert rate(0.5) == pytest.approx(0.5)
    assert rate(1.0) == rate(1.5) == 0
    assert rate(0.0, warm_up=0.0) == 1


def test_rows_of_the_curve_are_means_since_the_last() -> None:
    losses: list[float] = []
    curves: list[int] = []

    def measure() -> dict[str, float]:
        assert not loop.net.training
        return {"val/steps": float(loop.step)}

    keep = {"measure": measure, "on_row": lambda rows: curves.append(len(rows)), "num_rows": 2}
    loop = make(Budget(epochs=2), **keep)
    loss_of = loop.loss_of

    def remembered(batch: Batch) -> Mapping[str, Tensor]:
        assert loop.net.training
        terms = loss_of(batch)
        losses.append(float(terms["loss"].detach()))
        return terms

    loop.loss_of = remembered
    loop.run()
    assert loop.step == len(losses) == 6
    assert curves == [1, 2]
    first, second = loop.curve
    assert (first["step"], first["epoch"], first["val/steps"]) == (3, 1.0, 3.0)
    assert first["train/loss"] == pytest.approx(sum(losses[:3]) / 3)
    assert second["train/loss"] == pytest.approx(sum(losses[3:]) / 3)
    assert first["lr"] == pytest.approx(1e-3 * rate(2 / 6))


def test_stages_begin_the_schedule_anew() -> None:
    loop = make(Budget(epochs=4), stages=(0.25, 0.75), num_rows=12)
    seen = []
    loss_of = loop.loss_of

    def remembered(batch: Batch) -> Mapping[str, Tensor]:
        seen.append(loop.stage)
        terms = loss_of(batch)
        return terms if loop.stage[0] == 0 else {"other": terms["loss"], "loss": terms["loss"]}

    loop.loss_of = remembered
    loop.run()
    expected = [(0, k / 3) for k in range(3)] + [(1, k / 9) for k in range(9)]
    assert [stage for stage, _ in seen] == [stage for stage, _ in expected]
    assert [share for _, share in seen] == pytest.approx([share for _, share in expected])
    assert [row["lr"] for row in loop.curve] == pytest.approx(
        [1e-3 * rate(share) for _, share in expected]
    )
    assert ["train/other" in row for row in loop.curve] == [False] * 3 + [True] * 9


def test_constant_and_plateau() -> None:
    loop = make(Budget(epochs=1), schedule="constant")
    loop.run()
    assert loop.curve[-1]["lr"] == 1e-3
    loop = make(Budget(epochs=4), schedule="plateau")
    loop.plateau.patience, loop.plateau.threshold = 1, 1.0  # Nothing is better.
    loop.run()  # Bad epochs 1, 2 (halved), 3, of the fourth the last step is the end.
    assert loop.curve[-1]["lr"] == 5e-4


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
@pytest.mark.parametrize("kills", [[4], [3, 7]])
def test_a_killed_run_goes_on_and_ends_the_same(
    kills: list[int], schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plain_loop, "INTERVAL", 0.0)
    path = tmp_path / "folder" / "last.pt"
    whole = make(Budget(epochs=3), schedule=schedule)
    whole.run()
    for steps in [*kills, None]:
        loop = make(Budget(epochs=3), schedule=schedule, checkpoint=path)
        if path.is_file():
            loop.restore(read_checkpoint(path, ENTRIES))
        loss_of = loop.loss_of

        def killed(
            batch: Batch, loop: PlainLoop = loop, at: int | None = steps, of: Any = loss_of
        ) -> Mapping[str, Tensor]:
            if loop.step == at:
                raise KeyboardInterrupt
            return dict(of(batch))

        loop.loss_of = killed
        if steps is None:
            loop.run()
        else:
            with pytest.raises(KeyboardInterrupt):
                loop.run()
    for one, other in zip(loop.net.parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(one, other)
    times = {"minutes": 0.0}
    assert [{**row, **times} for row in loop.curve] == [{**row, **times} for row in whole.curve]
    assert [path.name for path in path.parent.iterdir()] == ["last.pt"]


def test_a_finished_run_goes_on_when_the_budget_grows(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    make(Budget(epochs=1), checkpoint=path).run()
    for epochs, steps in ((1, 3), (2, 6)):
        loop = make(Budget(epochs=epochs), checkpoint=path)
        loop.restore(read_checkpoint(path, ENTRIES))
        loop.run()
        assert loop.step == steps


@pytest.mark.parametrize(("before", "rows"), [(10.0, 1), (2.0, 2)])
def test_a_budget_that_is_smaller_than_what_is_used_up(
    before: float, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trained, and the curve ends with the step that the net is at."""
    monkeypatch.setattr(_plain_loop, "INTERVAL", 0.0)
    path = tmp_path / "last.pt"
    loop = make(Budget(epochs=before), checkpoint=path, num_rows=2)
    step = loop._step

    def killed(batch: Batch) -> None:
        if loop.step == 4:
            raise KeyboardInterrupt
        step(batch)

    monkeypatch.setattr(loop, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    loop = make(Budget(epochs=1), checkpoint=path, num_rows=2)
    loop.restore(read_checkpoint(path, ENTRIES))
    loop.run()
    assert loop.step == 4
    assert len(loop.curve) == rows
    assert loop.curve[-1]["step"] == 4
    assert loop.curve[-1]["train/loss"] > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_noise_of_a_gpu_goes_on(tmp_path: Path) -> None:
    loop = make(Budget(epochs=1), checkpoint=tmp_path / "last.pt")
    loop.net.cuda()
    loop.save()
    expected = torch.randn(3, device="cuda")
    loop.restore(read_checkpoint(tmp_path / "last.pt", ENTRIES))
    assert torch.equal(torch.randn(3, device="cuda"), expected)


def test_minutes_are_of_training_alone() -> None:
    now = [0.0]

    def loss_of(batch: Batch) -> Mapping[str, Tensor]:
        now[0] += 6.0  # A tenth of the budget
        return {"loss": net.weight.square().sum()}

    def measure() -> dict[str, float]:
        now[0] += 1000.0
        return {}

    class Ticking(Budget):
        @property
        def clock(self) -> Any:
            return lambda: now[0]

    net = nn.Linear(3, 1)
    loader = ResidentLoader(FIVE, 2)
    loop = PlainLoop(net, loader, loss_of, Ticking(minutes=1.0), measure=measure)
    loop.run()
    assert (loop.step, len(loop.curve), loop.seconds) == (10, 10, 60.0)


def test_a_bar_shows_what_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    make(Budget(epochs=1), label="training", shown=("train/reconstruction",)).run()
    said = capsys.readouterr().err
    assert "training: 100%" in said
    assert "train/reconstruction=" in said
    assert "train/loss" not in said


def test_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"Expected a schedule among cosine, .* \(got 'linear'\)"):
        make(Budget(epochs=1), schedule="linear")
    with pytest.raises(ValueError, match=r"Expected 'learning_rate' above 0 \(got 0\.0\)"):
        make(Budget(epochs=1), learning_rate=0.0)
    with pytest.raises(ValueError, match=r"Expected 'learning_rate' above 0 \(got inf\)"):
        make(Budget(epochs=1), learning_rate=math.inf)
