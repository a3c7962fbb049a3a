"""What a machine is, and what it can do at most, measured beside everything else."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from _clock import Case, Times, median
from _floor import Rates

import pyg_topn
from pyg_topn.utils.precision import has_fast_bfloat16

PRODUCT, HALF_PRODUCT, COPY = "float32 product", "bfloat16 product", "copy"
PACKAGES = ("torch", "torch-geometric", "numpy", "scipy", "rdkit", "lightning", "torch-scatter")


def machine_cases(device: torch.device, quick: bool) -> Iterator[Case]:
    """Products of square matrices, and a copy between tensors that no cache holds."""
    accelerated = device.type != "cpu"
    size = 8192 if accelerated else 256 if quick else 1536
    numbers = 2**28 if accelerated else 2**20 if quick else 2**26
    yield _product(PRODUCT, size, torch.float32, device)
    if has_fast_bfloat16(device):
        yield _product(HALF_PRODUCT, size, torch.bfloat16, device)
    source = torch.ones(numbers, device=device)
    run = partial(torch.empty_like(source).copy_, source)
    yield Case("machine", COPY, 1, numbers, run, device, "copy", inputs=(source,))


def _product(name: str, size: int, dtype: torch.dtype, device: torch.device) -> Case:
    a, b = torch.randn(2, size, size, device=device, dtype=dtype)
    run = partial(torch.mm, a, b, out=torch.empty_like(a))
    return Case("machine", name, 1, size, run, device)


def rates(times: Times, cases: Iterable[Case]) -> dict[tuple[str, int], Rates]:
    """What every device did with every number of threads, the medians."""
    done: dict[tuple[str, int], dict[str, float]] = {}
    own = [case for case in cases if case.family == "machine"]
    for case in own:
        work = 8 * case.nodes if case.name == COPY else 2 * case.nodes**3  # bytes or operations
        for (timed, threads), seconds in times.items():
            if timed is case:
                found = done.setdefault((case.device.type, threads), {})
                found[case.name] = work / median(seconds)
    return {key: _rates(found) for key, found in done.items()}


def _rates(found: Mapping[str, float]) -> Rates:
    return Rates(found[PRODUCT], found[COPY], found.get(HALF_PRODUCT, found[PRODUCT]))


def machine(devices: Iterable[torch.device]) -> dict[str, Any]:
    """Processor, accelerators, memory, system and versions."""
    found: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory() / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "pyg_topn": pyg_topn.__version__,
    }
    for device in devices:
        if device.type == "cuda":
            found["accelerator"], found["cuda"] = torch.cuda.get_device_name(), torch.version.cuda
        elif device.type != "cpu":
            found["accelerator"] = device.type
    return {**found, **{name: installed(name) for name in PACKAGES}}


def print_machine(*packages: str) -> None:
    """Processor, load, threads and versions, PyTorch's and those of other packages, as a line."""
    versions = ", ".join(f"{name} {installed(name)}" for name in ("torch", *packages))
    print(
        f"{_processor()}, {os.cpu_count()} cores, load {load()} at the start, "
        f"{torch.get_num_threads()} thread(s); Python {platform.python_version()}, {versions}"
    )


def installed(package: str) -> str | None:
    """The version of a package, if it is there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def load() -> float | None:
    """How many processes wanted a core in the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def memory() -> float:
    """Bytes of main memory, or as many as a small machine has where the system does not tell."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return 8.0 * 2**30


def memory_limits(devices: Iterable[torch.device]) -> dict[str, float]:
    """Bytes that a call may take, a quarter of what there is, by the type of the device."""
    found = {}
    for device in devices:
        found[device.type] = memory() / 4
        if device.type == "cuda":
            found[device.type] = torch.cuda.mem_get_info(device)[1] / 4
    return found


def all_devices() -> list[torch.device]:
    """The CPU, and an accelerator if there is one."""
    found = [torch.device("cpu")]
    if torch.cuda.is_available():
        found.append(torch.device("cuda"))
    elif torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
