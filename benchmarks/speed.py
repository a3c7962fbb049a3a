"""How fast everything is, and how near to what the machine can do.

Usage: python benchmarks/speed.py [--quick] [--peer PATH] [--out runs/speed]

Measures creation layers, decoder, matchers, losses, steps of training, loaders and sampling for
batches of 1 to 8,192 graphs of 9 to 300 nodes, those that fit in time and memory, on the CPU and on
an accelerator if there is one. All cases take turns, round by round; what is given is the median.
Graphs of 9 nodes are molecules of QM9, larger ones are drawn.

Prints a table, exponents of how times grow, and writes speed.json and a picture a device to the
output folder. The columns of the table: MiB at the peak of a call beyond what it was given;
milliseconds a call; graphs a second; floor, the share of the time that no implementation of the
same products can do without (operations at the rate of a product of large matrices, or bytes at
that of a copy, whichever takes longer, both measured in the same rounds; bytes are those that
remain if every operation is fused with the next); theirs, how many times the rate of the authors'
code that is, with --peer, a checkout of it: one step on the same batch, sampling one by one.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from _clock import Case, Limits, Series, num_calls, take_turns, warm
from _exponents import DEFINITION, exponent_table, exponents
from _floor import Count, Rates, count
from _graphs import QM9_NODES, Setting, molecules
from _layers import layers, reference_sets
from _machine import all_devices, load, machine, machine_cases, memory_limits, rates
from _peer import Peer, peer_series
from _pipeline import loaders, sampling
from _plots import plot
from _results import Row, rows, table
from _steps import NEW_SAMPLES, new_samples, steps

from pyg_topn.utils.allocator import keep_freed_memory

BATCHES, NODES = (1, 8, 64, 512, 2048, 8192), (9, 30, 100, 300)
FULL = {"threads": [1, 2], "batches": BATCHES, "nodes": NODES, "repeats": 7, "molecules": 16384}
QUICK = {"threads": [1], "batches": (1, 8), "nodes": (9, 30), "repeats": 1, "molecules": 256}
REFERENCE_NODES, REFERENCE_BATCH = 300, 64  # while the reference set grows
QUICK_SAMPLES = 64

NOTES = """
A call of a loader is an epoch, and a call of the authors' sampling some molecules, one by one.
Graphs of random weights have nearly half of all edges, far more than molecules: sampling them is
slower than with a trained model. The decoder stage of training draws and judges new samples of the
prior once in many steps, which its row leaves out: that has a row of its own.
"""


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options = parse(words)
    keep_freed_memory()
    torch.manual_seed(0)
    devices = [torch.device(name) for name in options.devices]
    report: dict[str, Any] = {"machine": machine(devices), "load": [load()]}
    print(json.dumps(report["machine"], indent=1), flush=True)
    limits = Limits(options.seconds, memory_limits(devices))
    torch.set_num_threads(options.threads[0])
    cases, counts = prepare(options, devices, limits)
    expected = sum(num_calls(case.first_seconds) * case.first_seconds for case in cases)
    print(f"{len(cases)} cases, about {expected:.0f} s a round and number of threads", flush=True)
    times = take_turns(cases, options.threads, options.repeats, options.patience)
    report["load"].append(load())
    rated = rates(times, cases)
    found = rows(times, counts, rated)
    fitted = exponents(found)
    report.update(options=settings(options), left_out=limits.skipped, rates=listed(rated))
    report.update(rows=[asdict(row) for row in found], exponents=[asdict(e) for e in fitted])
    show(report, rated, found, exponent_table(fitted))
    write(report, found, options.out)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The options, with defaults that --quick makes small."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work?")
    parser.add_argument("--peer", type=Path, help="a checkout of the authors' repository")
    parser.add_argument("--threads", type=int, nargs="+", help="of the CPU; by default 1 and 2")
    parser.add_argument("--batches", type=int, nargs="+", help="graphs of a batch")
    parser.add_argument("--nodes", type=int, nargs="+", help="nodes of a graph")
    parser.add_argument("--repeats", type=int, help="rounds; by default 7")
    parser.add_argument("--molecules", type=int, help="of QM9, for loaders; by default 16384")
    parser.add_argument("--only", nargs="+", help="families or names to measure; by default all")
    parser.add_argument("--devices", nargs="+", default=[d.type for d in all_devices()])
    parser.add_argument("--seconds", type=float, default=5.0, help="the most that a call may take")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds, then 3 rounds do")
    parser.add_argument("--out", type=Path, default=Path("runs/speed"), help="output folder")
    options = parser.parse_args(words)
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    for name in ("threads", "batches", "nodes"):
        values = sorted(set(getattr(options, name)))
        if values[0] < 1:
            parser.error(f"Expected --{name} to be at least 1 (got {values[0]})")
        setattr(options, name, values)
    return options


def prepare(
    options: argparse.Namespace, devices: Sequence[torch.device], limits: Limits
) -> tuple[list[Case], dict[Case, Count]]:
    """Everything that fits, called already, and what it computes and moves."""
    peer = None if options.peer is None else Peer(options.peer)
    held = molecules(options.molecules)
    cases: list[Case] = []
    counts: dict[Case, Count] = {}
    for device in devices:
        cases += map(warm, machine_cases(device, options.quick))
        setting = Setting(device, options.nodes, options.batches, held)
        family, begin = "", time.monotonic()
        for series in all_series(setting, peer, options.quick):
            if options.only and not any(word in series.title for word in options.only):
                continue
            if series.family != family:
                family = series.family
                spent = time.monotonic() - begin
                print(f"{spent:6.0f} s: preparing {family}, {device.type}", flush=True)
            for case in limits.admit(series, options.batches):
                cases.append(case)
                if case.kind != "other":
                    counts[case] = count(case)
    return cases, counts


def all_series(setting: Setting, peer: Peer | None, quick: bool) -> Iterator[Series]:
    """What there is to measure on a device."""
    yield from layers(setting)
    if quick:
        yield from reference_sets(setting, setting.nodes[-1], setting.batches[-1])
    else:
        yield from reference_sets(setting, REFERENCE_NODES, REFERENCE_BATCH)
    yield from steps(setting)
    if QM9_NODES in setting.nodes:
        yield new_samples(setting, QM9_NODES, QUICK_SAMPLES if quick else NEW_SAMPLES)
        yield from loaders(setting)
    yield from sampling(setting)
    if peer is not None and QM9_NODES in setting.nodes:
        yield from peer_series(setting, peer)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """The options as plain types; of paths, only whether there was a peer."""
    kept = {key: value for key, value in vars(options).items() if key not in ("out", "peer")}
    return {**kept, "peer": options.peer is not None}


def listed(found: dict[tuple[str, int], Rates]) -> list[dict[str, Any]]:
    """Measured rates of the machine as plain types."""
    return [
        {"device": device, "threads": threads, **asdict(rate)}
        for (device, threads), rate in found.items()
    ]


def show(
    report: dict[str, Any],
    rated: dict[tuple[str, int], Rates],
    found: Sequence[Row],
    fitted: Sequence[str],
) -> None:
    """Print rates of the machine, the table, and exponents."""
    print(f"\nload before and after: {report['load'][0]}, {report['load'][1]}\n")
    for (device, threads), rate in rated.items():
        print(
            f"{device}, {threads} thread(s): products {rate.flops / 1e9:,.1f} GFLOP/s in float32, "
            f"{rate.half_flops / 1e9:,.1f} at best in half precision; "
            f"copy {rate.bytes / 1e9:,.1f} GB/s (read and written)"
        )
    print("\n".join(["", *table(found), NOTES.rstrip(), DEFINITION, *fitted]))


def write(report: dict[str, Any], found: Sequence[Row], out: Path) -> None:
    """Write the report as JSON, and a picture a device."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(without_nan(report), indent=1, allow_nan=False)
    (out / "speed.json").write_text(text + "\n", encoding="utf-8")
    for device in dict.fromkeys(row.device for row in found):
        plot([row for row in found if row.device == device], out / f"speed-{device}.png")
    print(f"\nwritten: {', '.join(sorted(path.name for path in out.iterdir()))} in {out}")


def without_nan(value: Any) -> Any:
    """The same with None for what is not a number, which JSON does not know.

    >>> without_nan({"a": [1.5, float("nan")]})
    {'a': [1.5, None]}
    """
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


if __name__ == "__main__":
    main()
