"""Tests for the budget in processor time."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("lightning")

from pyg_topn._processor_timer import ProcessorTimer


def _work(seconds: float) -> None:
    begin = time.thread_time()
    while time.thread_time() - begin < seconds:
        pass


def test_waiting_takes_nothing_of_the_budget_and_work_does() -> None:
    timer = ProcessorTimer()
    timer.on_train_start(None, None)
    time.sleep(0.3)
    assert timer.time_elapsed("train") < 0.1
    _work(0.2)
    assert 0.2 <= timer.time_elapsed("train") < 0.3


def test_a_resumed_run_goes_on_from_what_was_used() -> None:
    first = ProcessorTimer()
    first.on_train_start(None, None)
    _work(0.1)
    first.on_train_end(None, None)
    used = first.time_elapsed("train")
    _work(0.1)
    assert first.time_elapsed("train") == used >= 0.1
    second = ProcessorTimer()
    second.load_state_dict(first.state_dict())
    assert second.time_elapsed("train") == used
    second.on_train_start(None, None)
    _work(0.1)
    assert second.time_elapsed("train") >= used + 0.1


def test_validation_is_timed_by_the_wall() -> None:
    timer = ProcessorTimer()
    timer.on_validation_start(None, None)
    time.sleep(0.05)
    timer.on_validation_end(None, None)
    assert timer.time_elapsed("validate") >= 0.05
