"""Memory that is kept: counted as the pages that the system hands out."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from pyg_topn.utils import allocator

# Thirty tensors at once, given back and asked for again: without the setting, these are new pages.
PROGRAM = """
import resource, sys, torch
from pyg_topn.utils.allocator import keep_freed_memory
torch.set_num_threads(1)
kept = keep_freed_memory() if sys.argv[1] == "keep" else None

def step():
    for tensor in [torch.ones(250_000) for _ in range(30)]:
        del tensor

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> tuple[str, int]:
    words = [sys.executable, "-c", PROGRAM, how]
    # What glibc does by itself depends on what lies where; this way it returns all large pieces.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    kept, count = done.stdout.split()
    return kept, int(count)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallopt"),
    reason="the settings are glibc's",
)
def test_pages_are_asked_for_once() -> None:
    kept, few = pages("keep")
    _, many = pages("leave")
    assert kept == "True"
    assert few < many / 10


def test_other_systems_have_no_such_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_freed_memory() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # Say, another C library.
    assert allocator.keep_freed_memory() is False
