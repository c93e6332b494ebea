"""What running a batch a few images at a time gains: the benchmark's networks, sizes of parts taking turns.

    python -m benchmarks.batch_images [--batch 16] [--counts 0,1,2,4,8] [--rounds 7] [--only unet,yolo]

A count of 0 is the whole batch; `*` marks what clconv takes by itself. Prints a table for
benchmarks/results/batch_images.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np

from benchmarks.nets import NETS
from clconv.config import IMAGES
from clconv.runtime.device import choose_device
from clconv.session.session import Session


def session_for(name: str, batch: int, count: int | None) -> Session:
    """A session that runs `count` images at a time, None: as many as it thinks best."""
    os.environ[IMAGES.name] = "" if count is None else str(count)
    return Session(NETS[name](batch), choose_device(None))


def measured(
    name: str, batch: int, counts: list[int], rounds: int
) -> tuple[int, list[list[float]]]:
    """How many images clconv takes at a time, 0 for all, and milliseconds an image, round by round, of each count."""
    sessions = [session_for(name, batch, count) for count in counts]
    (fed,) = sessions[0].inputs
    shape = sessions[0].inputs[fed].shape
    planned = session_for(name, batch, None).prepare({fed: shape}).plan.graph.specs[fed].shape[0]
    feeds = {fed: np.random.default_rng(0).random(shape, np.float32)}
    for session in sessions:
        session.run(feeds)
    times = []
    for _ in range(rounds):
        row = []
        for session in sessions:
            session.run(feeds)
            begin = time.perf_counter()
            session.run(feeds)
            row.append((time.perf_counter() - begin) / batch * 1e3)
        times.append(row)
    return (0 if planned == batch else planned), times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--counts", default="0,1,2,4,8")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default=",".join(NETS))
    asked = parser.parse_args()
    counts = [int(count) for count in asked.counts.split(",")]
    print(
        f"| ms an image, batch {asked.batch} | "
        + " | ".join(str(c or "all") for c in counts)
        + " |"
    )
    print("| --- |" + " ---: |" * len(counts))
    for name in asked.only.split(","):
        taken, times = measured(name, asked.batch, counts, asked.rounds)
        cells = []
        for at, count in enumerate(counts):
            usual = statistics.median(row[at] for row in times)
            best = min(row[at] for row in times)
            cells.append(f"{usual:.2f}, {best:.2f}{' *' if count == taken else ''}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
