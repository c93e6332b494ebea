"""The persistent launch against launch by launch where cores are scarce: more threads than cores, busy neighbours.

    python -m benchmarks.bench_oversubscribed --nets mobilenetv2 resnet18 --json FILE

Every number of PoCL's threads is a process of its own. In it both forms run the same network in turn, beside so many
other processes that only count; their answers are compared bit for bit. Reported: the median of each, and the median of
the ratios within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.bench_models import machine
from benchmarks.nets import NETS

WORST = 1.3  # times launch by launch: more is a fault


@dataclasses.dataclass(frozen=True)
class Result:
    """Seconds of one run. ratio: joined to separate. identical: whether all answers were."""

    network: str
    threads: int
    neighbours: int
    joined: float
    separate: float
    ratio: float
    identical: bool


@contextlib.contextmanager
def busy(neighbours: int) -> Iterator[None]:
    """So many processes that keep a core each."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(neighbours)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
        for other in others:
            other.wait()


def measure(network: str, threads: int, neighbours: list[int], rounds: int) -> list[Result]:
    """In this process, whose number of threads POCL_MAX_PTHREAD_COUNT gives."""
    import numpy as np

    from clconv.runtime.device import choose_device
    from clconv.session.random_feeds import random_feeds
    from clconv.session.session import Session

    device = choose_device(None)
    graph = NETS[network](1)
    sessions = {}
    for form in ("1", "0"):
        os.environ["CLCONV_ONE_LAUNCH"] = form
        sessions[form] = Session(graph, device)
    shapes = {name: spec.shape for name, spec in sessions["1"].inputs.items()}
    feeds = random_feeds(sessions["1"].inputs, shapes)
    expected = sessions["0"].run(feeds)
    found = []
    for count in neighbours:
        times: dict[str, list[float]] = {"1": [], "0": []}
        identical = True
        with busy(count):
            for _ in range(rounds):
                for form, session in sessions.items():
                    begin = time.perf_counter()
                    outputs = session.run(feeds)
                    times[form].append(time.perf_counter() - begin)
                    identical &= all(np.array_equal(outputs[n], expected[n]) for n in expected)
        ratio = statistics.median(j / s for j, s in zip(times["1"], times["0"], strict=True))
        medians = [statistics.median(times[form]) for form in ("1", "0")]
        found.append(Result(network, threads, count, *medians, ratio, identical))
    return found


def in_its_own_process(
    network: str,
    threads: int,
    neighbours: list[int],
    rounds: int,
    timeout: float | None = None,
    **environment: str,
) -> list[Result]:
    """measure() by another process. Raises what subprocess.run() raises where that fails, or takes longer than `timeout`."""
    command = [
        sys.executable,
        "-m",
        __spec__.name,
        "--child",
        network,
        str(rounds),
        *map(str, neighbours),
    ]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment | {"POCL_MAX_PTHREAD_COUNT": str(threads)},
        check=True,
        timeout=timeout,
    )
    return [Result(**entry) for entry in json.loads(done.stdout)]


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        network, rounds, *neighbours = sys.argv[2:]
        threads = int(os.environ["POCL_MAX_PTHREAD_COUNT"])
        results = measure(network, threads, list(map(int, neighbours)), int(rounds))
        print(json.dumps([dataclasses.asdict(r) for r in results]))
        return
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--nets",
        nargs="*",
        default=["mobilenetv2", "squeezenet1_1", "resnet18"],
        choices=list(NETS),
    )
    parser.add_argument("--threads", nargs="*", type=int, default=[1, cores, 2 * cores, 8 * cores])
    parser.add_argument("--neighbours", nargs="*", type=int, default=[0, 1, cores, 2 * cores])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path, help="where to record the results")
    options = parser.parse_args()
    jobs = [(network, threads) for network in options.nets for threads in options.threads]
    results: list[Result] = []
    for network, threads in track(jobs, console=Console(stderr=True)):
        results += in_its_own_process(network, threads, options.neighbours, options.rounds)
    shown = Table(
        "network", "threads", "neighbours", "joined, ms", "separate, ms", "ratio", "answers"
    )
    for r in results:
        shown.add_row(
            r.network, str(r.threads), str(r.neighbours), f"{r.joined * 1e3:.2f}", f"{r.separate * 1e3:.2f}",
            f"{r.ratio:.2f}", "identical" if r.identical else "DIFFERENT",
        )  # fmt: skip
    Console().print(shown)
    if options.json:
        content: dict[str, Any] = {
            "machine": machine(),
            "results": [dataclasses.asdict(r) for r in results],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    if any(r.ratio > WORST or not r.identical for r in results):
        sys.exit(f"worse than {WORST} times launch by launch, or another answer")


if __name__ == "__main__":
    main()
