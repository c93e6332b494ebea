"""Networks of 8 bits on one core, beside onnxruntime: processor time, which a busy machine changes little, and memory.

    python -m benchmarks.quantised.bench [NETWORK ...]

Both engines are in processes of their own and take turns. A first process of clconv, which is not counted, compiles.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import feed, peak_memory
from benchmarks.nets import write
from benchmarks.quantise import quantised

NETWORKS = (
    "mobilenetv2", "squeezenet1_1", "resnet18", "resnet50", "efficientnet_b0", "yolo", "unet"
)  # fmt: skip
ENGINES = ("clconv", "onnxruntime")
_ROUNDS, _RUNS = 8, 6


def _runner(engine: str, model: Path) -> Any:
    if engine == "clconv":
        import clconv

        session = clconv.load(model)
        feeds = {n: feed(list(s.shape), 0) for n, s in session.inputs.items()}
        return lambda: session.run(feeds)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    peer = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    arrays = {i.name: feed(i.shape, 0) for i in peer.get_inputs()}
    return lambda: peer.run(None, arrays)


def child(engine: str, model: Path) -> None:
    """Answers each line on stdin: the least processor time and the least time of some runs, and the peak memory so far."""
    run = _runner(engine, model)
    for _ in range(3):
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        times = []
        for _ in range(_RUNS):
            began = time.process_time(), time.perf_counter()
            run()
            times.append((time.process_time() - began[0], time.perf_counter() - began[1]))
        print(json.dumps([*np.min(times, axis=0), peak_memory()]), flush=True)


def start(engine: str, model: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.quantised.bench", "--child", engine, str(model)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "POCL_MAX_PTHREAD_COUNT": "1"},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)


def measured(model: Path) -> dict[str, np.ndarray]:
    """Of each engine the least processor time, the least time (both in seconds), and its peak memory in bytes."""
    end(start("clconv", model))
    processes = {engine: start(engine, model) for engine in ENGINES}
    found: dict[str, list[list[float]]] = {engine: [] for engine in ENGINES}
    for _ in range(_ROUNDS):
        for engine, process in processes.items():
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("run\n")
            process.stdin.flush()
            found[engine].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        end(process)
    return {e: np.array([*np.min(rows, axis=0)[:2], rows[-1][2]]) for e, rows in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--child", nargs=2)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]))
        return
    folder = Path(tempfile.gettempdir()) / "clconv-benchmark-nets"
    ratios = []
    print(
        "| network | clconv, ms | onnxruntime, ms | ratio | clconv, MB | onnxruntime, MB | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.networks:
        ours, theirs = measured(quantised(write(name, folder), "QDQ")).values()
        ratios.append(ours / theirs)
        print(
            f"| {name} | {ours[0] * 1e3:.2f} | {theirs[0] * 1e3:.2f} | {ratios[-1][0]:.2f} "
            f"| {ours[2] / 1e6:.0f} | {theirs[2] / 1e6:.0f} | {ratios[-1][2]:.2f} |", flush=True,
        )  # fmt: skip
    means = [math.exp(v) for v in np.mean(np.log(ratios), axis=0)]
    print(f"| geometric mean | | | {means[0]:.2f} | | | {means[2]:.2f} |")


if __name__ == "__main__":
    main()
