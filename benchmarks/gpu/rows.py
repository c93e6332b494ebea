"""The rows of benchmarks.gpu: networks, latency and layers, ours and PyTorch's."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.gpu.host import steps_us
from benchmarks.gpu.lanes import Bench, networks
from benchmarks.gpu.programs import keep_programs
from benchmarks.gpu.report import with_peer


def run_networks(bench: Bench, precision: str) -> None:
    from benchmarks.gpu.work import Setting

    for batch in bench.options.batches:
        for name, size in networks(bench.options):
            if time.monotonic() > bench.part_end:
                print(f"no time left for {name} x {batch} {precision}", flush=True)
                continue
            setting = Setting(name, size, batch, precision)
            bench.add("networks", str(setting), network_row(bench, setting))


def network_row(bench: Bench, setting: Any) -> dict[str, Any]:
    from benchmarks.gpu import peer as peer_work
    from benchmarks.gpu import work
    from clconv.runtime.check import relative_error

    row: dict[str, Any] = {
        "name": setting.name, "batch": setting.batch, "precision": setting.precision,
    }  # fmt: skip
    arguments, peer = setting.arguments, bench.peer
    ready, outputs = bench.both(
        (work.prepared, *arguments, bench.device),
        (peer_work.peer_outputs, *arguments, peer) if peer else None,
    )
    if ready[1]:
        return row | {"failed": ready[1]}
    row |= ready[0]
    measured, reason = bench.ours.call(work.measured, *arguments, bench.least, limit=bench.limit)
    if reason:
        return row | {"failed": reason}
    row |= measured[0]
    keep_programs(bench, str(setting), row.pop("programs"))
    if not peer:
        return row
    ways: dict[str, float] = {}
    for last in (False, True) if setting.precision == "float16" else (False,):
        found, reason = bench.theirs.call(
            peer_work.peer_network, *arguments, peer, bench.least, last, limit=bench.limit
        )
        suffix = " channels last" if last else ""
        ways |= {f"{way}{suffix}": seconds for way, seconds in (found or {}).items()}
        if reason:
            row["peer_failed"] = reason
    error = None
    if outputs[0] is not None:
        error = max(
            relative_error(measured[1][n].astype("float32"), e) for n, e in outputs[0].items()
        )
    elif outputs[1]:
        row["peer_failed"] = outputs[1]
    with_peer(row, error, ways if "eager" in ways else {})
    return row


def run_latency(bench: Bench) -> None:
    from benchmarks.gpu import peer as peer_work
    from benchmarks.gpu import work

    name, size = next(
        (n for n in networks(bench.options) if n[0] == "resnet50"), networks(bench.options)[0]
    )
    arguments, runs = (name, size, 1, "float32"), 3 if bench.options.small else 100
    _, reason = bench.ours.call(work.prepared, *arguments, bench.device, limit=bench.limit)
    found: dict[str, Any] = {"name": name}
    times, reason = (
        (None, reason)
        if reason
        else bench.ours.call(work.latency, *arguments, runs, limit=bench.limit)
    )
    if times:
        found["ms"] = statistics.median(times) * 1e3
        steps, reason = bench.ours.call(steps_us, *arguments, runs, limit=bench.limit)
        found |= steps or {"steps_failed": reason}
    else:
        found["failed"] = reason
    if bench.peer:
        theirs, reason = bench.theirs.call(
            peer_work.peer_latency, name, size, "float32", bench.peer, runs, limit=bench.limit
        )
        if theirs:
            found["peer_ms"] = statistics.median(theirs) * 1e3
        else:
            found["peer_failed"] = reason
    bench.record["latency"] = found
    bench.save()
    print(f"latency: {found}", flush=True)


def run_layers(bench: Bench, precision: str) -> None:
    from benchmarks.gpu.work import LAYERS

    names = list(LAYERS)[::5] if bench.options.small else list(LAYERS)
    for batch in sorted(bench.options.batches, key=lambda b: b != 16):  # the most telling first
        for name in names:
            if time.monotonic() > bench.part_end:
                return
            row = layer_row(bench, name, batch, precision)
            bench.add("layers", f"{name} x {batch} {precision}", row, quiet=True)


def layer_row(bench: Bench, name: str, batch: int, precision: str) -> dict[str, Any]:
    from benchmarks.gpu import peer as peer_work
    from benchmarks.gpu import work
    from clconv.runtime.check import relative_error

    shrink = 8 if bench.options.small else 1
    row: dict[str, Any] = {"name": name, "batch": batch, "precision": precision}
    arguments = (name, batch, precision)
    found, reason = bench.ours.call(
        work.layer, *arguments, bench.device, bench.least, shrink, limit=bench.limit
    )
    if reason:
        return row | {"failed": reason}
    row |= found[0]
    if bench.peer:
        theirs, reason = bench.theirs.call(
            peer_work.peer_layer, *arguments, bench.peer, bench.least / 3, shrink, limit=bench.limit
        )
        if theirs is None:
            row["peer_failed"] = reason
        else:
            (mine,), (expected,) = found[1].values(), theirs[1].values()
            with_peer(row, relative_error(mine.astype("float32"), expected), theirs[0])
    return row
