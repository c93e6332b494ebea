"""How the persistent launch scales with the number of cores: its work queue simulated, fed with measured times.

    python -m benchmarks.scaling --nets resnet50 mobilenetv2 --workers 1 2 4 16 64 --json FILE

For each number of workers the network is planned for as many cores and run by one thread, which gives the seconds of an
item of every operation; the queue is then simulated with as many workers. Twice: as if memory were without limit, and
with all that operators read and write coming from a memory of so many bytes a second (--bandwidth): what caches keep
counts nothing in the first and everything in the second, the truth lies between.

Before that, the model is held against this machine: the same network by two threads, simulated from the seconds that
its items took there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.bench_models import machine
from benchmarks.nets import NETS
from benchmarks.scaling.measured import Measured
from benchmarks.scaling.queue_model import Costs, Outcome, simulate

ALONE = 20e-6  # seconds that a launch of its own costs beside its work: the threads are woken and waited for


def run_of(measured: Measured, workers: int, costs: Costs) -> Outcome:
    """All launches of a run, one after another. One of its own is shared out evenly."""
    found = []
    for launch in measured.launches:
        if launch.segments:
            found.append(simulate(launch.operations, workers, launch.segments, costs))
            continue
        (operation,) = launch.operations
        rounds = -(-operation.items // workers)
        computing = operation.items * operation.seconds
        found.append(Outcome(rounds * operation.seconds + ALONE, computing, 0.0, 0.0, (0.0,)))
    sums = [sum(getattr(o, name) for o in found) for name in _SUMS]
    return Outcome(*sums, tuple(late for o in found for late in o.late))


_SUMS = ("seconds", "computing", "waiting", "taking")


def measured_by(network: str, workers: int, threads: int) -> Measured:
    """In a process of its own: PoCL takes its number of threads once."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.scaling.measured",
        network,
        str(workers),
        str(threads),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ, check=True)
    return Measured.parse(done.stdout)


def row(measured: Measured, workers: int, bandwidth: float, slower: float) -> dict[str, Any]:
    """What the simulation says of so many workers. slower: times the costs of the queue, for how much they matter."""
    free = Costs()
    costly = Costs(*(slower * c for c in (free.look, free.take, free.hand_over, free.wake)))
    outcome = run_of(measured, workers, free)
    names = [o.name for launch in measured.launches for o in launch.operations]
    latest = max(range(len(names)), key=lambda i: outcome.late[i])
    spent = workers * outcome.seconds
    return {
        "workers": workers,
        "seconds": outcome.seconds,
        "computing": outcome.computing / spent,
        "waiting": outcome.waiting / spent,
        "taking": outcome.taking / spent,
        "waits_most": names[latest] if outcome.late[latest] else "",
        "slow_queue_seconds": run_of(measured, workers, costly).seconds,
        "bounded_seconds": run_of(
            measured, workers, dataclasses.replace(free, bandwidth=bandwidth)
        ).seconds,
    }


def held_against(network: str) -> dict[str, float]:
    """The model against two threads of this machine."""
    one, two = measured_by(network, 2, 1), measured_by(network, 2, 2)
    work = [sum(o.items * o.seconds for x in m.launches for o in x.operations) for m in (one, two)]
    return {
        "measured": two.seconds,
        "simulated": run_of(two, 2, Costs()).seconds,
        "items_slower": work[1] / work[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=list(NETS))
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--bandwidth", type=float, default=100.0, help="of memory, GB/s")
    parser.add_argument("--slower", type=float, default=4.0, help="times the costs of the queue")
    parser.add_argument("--json", type=Path, help="where to record the results")
    options = parser.parse_args()
    console = Console()
    results = []
    for network in track(options.nets, console=Console(stderr=True)):
        rows = [
            row(measured_by(network, n, 1), n, options.bandwidth * 1e9, options.slower)
            for n in options.workers
        ]
        results.append({"network": network, "two_threads": held_against(network), "rows": rows})
        console.print(table(results[-1], options.bandwidth))
    if options.json:
        content = {"machine": machine(), "costs": dataclasses.asdict(Costs()), "results": results}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def table(result: dict[str, Any], bandwidth: float) -> Table:
    held = result["two_threads"]
    title = (
        f"{result['network']}: two threads {held['measured'] * 1e3:.2f} ms, simulated {held['simulated'] * 1e3:.2f}; "
        f"an item takes {held['items_slower']:.2f} of its time alone"
    )
    shown = Table("cores", "ms", "speed-up", "computing", "waiting", "taking work", "slow queue, ms",
                  f"{bandwidth:g} GB/s, ms", "waits most before", title=title)  # fmt: skip
    first = result["rows"][0]
    base = first["seconds"] * first["workers"]
    for r in result["rows"]:
        shares = [f"{100 * r[key]:.0f} %" for key in ("computing", "waiting", "taking")]
        times = [f"{1e3 * r[key]:.2f}" for key in ("slow_queue_seconds", "bounded_seconds")]
        shown.add_row(
            str(r["workers"]), f"{1e3 * r['seconds']:.2f}", f"{base / r['seconds']:.1f}", *shares,
            *times, r["waits_most"],
        )  # fmt: skip
    return shown


if __name__ == "__main__":
    main()
