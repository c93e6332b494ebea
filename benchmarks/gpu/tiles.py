"""Which tile of matrix instructions is the fastest, on a GPU that has them: what lowering/shared/tile_choice.py is held against.

    python -m benchmarks.gpu.tiles

Every tile of a precision on each layer, with the parts of the sum that the model chooses for it: milliseconds of its launches.
Kernels are compiled
by several processes first, for the driver's cache. --device cpu --small tries a few with emulated instructions.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.gpu import nvidia
from benchmarks.gpu.run import EMULATED
from benchmarks.gpu.work import layer_case, time_launches
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError, DeviceError
from clconv.lowering.shared import tiles as known
from clconv.lowering.shared.tiles import HALF_MATRIX_TILES, MATRIX_TILES, Tile

# Besides those that are chosen from: of twice the work-items, whose parts are half as large, and of twice the columns.
OTHERS = (Tile(128, 128, 16, 8, 8), Tile(64, 256, 16, 8, 8))
OTHER_HALVES = tuple(
    Tile(*sizes, pair=2)
    for sizes in ((128, 128, 16, 8, 8), (128, 128, 32, 8, 8), (128, 256, 16, 16, 8), (64, 128, 32, 8, 4))
)  # fmt: skip
TILES = {"float16": (*HALF_MATRIX_TILES, *OTHER_HALVES), "tf32": (*MATRIX_TILES, *OTHERS)}
ROWS = (
    *(("vgg 256 56", 16), ("vgg 64 224", 16), ("vgg 512 28", 16), ("resnet 128 28", 16)),
    *(("resnet 256 14", 16), ("1x1 64-256 56", 16), ("1x1 1024-256 14", 16), ("vgg 256 56", 1)),
    *(("resnet 256 14", 1), ("1x1 1024-256 14", 1), ("1x1 2048-512 7", 1)),
)
Task = tuple[DeviceInfo, str, str, int, int, int]  # device, precision, layer, batch, shrink, tile


def bound(task: Task) -> tuple[Any, dict[str, np.ndarray], str]:
    """A plan of a layer through one tile, what to feed it, and what it is made of."""
    from clconv.device.options import PlanOptions
    from clconv.diagnosis.doctor import in_precision
    from clconv.planning.planner import Planner
    from clconv.runtime.prepared import PreparedDevice

    device, precision, name, batch, shrink, number = task
    tile = TILES[precision][number]
    known.MATRIX_TILES = known.HALF_MATRIX_TILES = (tile,)  # type: ignore[assignment]
    case = layer_case(name, batch, shrink)
    graph, feeds = (in_precision(case, precision) if precision == "float16" else case).build()
    options = PlanOptions(precision, {"conv": "matrix_gemm"}, images_at_once=0, joining=False)
    plan = Planner(device, options).plan(graph, {n: graph.specs[n] for n in graph.inputs})
    label = f"{tile.name}x{tile.k} of {tile.items}, {len(plan.calls)} launches"
    return PreparedDevice(device).bind(plan), {n: feeds[n] for n in plan.graph.inputs}, label


def compiled(task: Task) -> str:
    """Compiles what measured() runs: why not, "" if it did."""
    try:
        bound(task)
    except ClconvError as reason:
        return str(reason).splitlines()[0]
    return ""


def measured(task: Task, least: float) -> tuple[str, float, float, np.ndarray]:
    """What a tile is, milliseconds, TFLOP/s and results."""
    made, feeds, label = bound(task)
    (found,) = made.run(feeds).values()
    seconds = time_launches(made, least)
    flops = max(call.cost.flops for call in made.plan.calls)
    return label, seconds * 1e3, flops / seconds / 1e12, found.astype(np.float32)


def tasks(device: DeviceInfo, small: bool) -> Iterator[Task]:
    for precision, tiles in TILES.items():
        for name, batch in ROWS[5:7] if small else ROWS:
            for number in range(1 if small else len(tiles)):
                yield device, precision, name, 1 if small else batch, 8 if small else 1, number


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.tiles")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--small", action="store_true", help="a few, with emulated instructions")
    options = parser.parse_args()
    nvidia.find(options.device)
    from clconv.runtime.device import choose_device

    try:
        device = dataclasses.replace(choose_device(options.device), matrix_verified=True)
    except DeviceError as reason:
        print(reason)
        return 2
    if options.small:
        device = dataclasses.replace(device, kind="gpu", matrix=EMULATED)
    wanted = list(tasks(device, options.small))
    jobs = max(1, (os.cpu_count() or 1) - 2)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        refused = dict(zip(wanted, pool.map(compiled, wanted, chunksize=1), strict=True))
    first: dict[tuple[Any, ...], np.ndarray] = {}
    for task in wanted:
        _, precision, name, batch, *_ = task
        if refused[task]:
            print(f"{precision} {name} x {batch}: {refused[task]}")
            continue
        label, ms, tflops, found = measured(task, 0.001 if options.small else 0.01)
        expected = first.setdefault(task[1:4], found)
        error = np.abs(found - expected).max() / np.abs(expected).max()
        print(f"{precision} {name} x {batch}: {label}: {ms:.4f} ms, {tflops:.1f} TFLOP/s, {error:.0e} from the first", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
