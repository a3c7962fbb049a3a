"""Budgets: shares of minutes and epochs, by either clock."""

from __future__ import annotations

import math
import time

import pytest

from pyg_topn._budget import Budget


def test_the_first_limit_ends_the_run() -> None:
    both = Budget(minutes=2.0, epochs=4.0)
    assert both.share(60, 1) == 0.5
    assert both.share(60, 3) == 0.75
    assert Budget(epochs=4.0).share(10**6, 1) == 0.25
    assert Budget(minutes=0.5).share(15, 10**6) == 0.5


def test_it_says_what_it_is() -> None:
    assert str(Budget(minutes=0.5)) == "0.5 minutes"
    assert str(Budget(2.0, 4.0, True)) == "2 minutes of processor time or 4 epochs"


def test_processor_time_stands_still_while_the_thread_waits() -> None:
    passed = []
    for processor_time in (True, False):
        clock = Budget(minutes=1.0, processor_time=processor_time).clock
        begin = clock()
        time.sleep(0.2)
        passed.append(clock() - begin)
    assert passed[0] < 0.1
    assert passed[1] >= 0.2


@pytest.mark.parametrize(
    ("minutes", "epochs"), [(None, None), (0.0, None), (1.0, -1.0), (math.inf, None)]
)
def test_a_budget_is_needed(minutes: float | None, epochs: float | None) -> None:
    with pytest.raises(ValueError, match=rf"Expected a positive budget .*\(got {minutes} and"):
        Budget(minutes, epochs)
