"""Networks of 8 bits beside onnxruntime: time, and memory.

    python -m benchmarks.quantised.bench [--threads 2] [NETWORK[:dynamic] ...]

Without :dynamic a network is in QDQ form, its ranges from samples. Both engines are in processes of their own and take turns.
A first process of clconv, which is not counted, compiles. With one thread the time is the processor's, which a busy machine
changes little.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.nets import write
from benchmarks.quantise import dynamic, quantised

NETWORKS = (
    "mobilenetv2", "squeezenet1_1", "resnet18", "resnet50", "efficientnet_b0", "shufflenetv2", "yolo", "unet",
)  # fmt: skip
ENGINES = ("clconv", "onnxruntime")
_ROUNDS = 8


def start(engine: str, model: Path, threads: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.quantised.engines",
        engine,
        str(threads),
        str(model),
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "POCL_MAX_PTHREAD_COUNT": str(threads)},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)


def measured(model: Path, threads: int) -> dict[str, np.ndarray]:
    """Of each engine the least processor time, the least time (both in seconds), and its peak memory in bytes."""
    end(start("clconv", model, threads))
    processes = {engine: start(engine, model, threads) for engine in ENGINES}
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
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    folder = Path(tempfile.gettempdir()) / "clconv-benchmark-nets"
    ratios, time = [], 0 if arguments.threads == 1 else 1
    print(
        "| network | clconv, ms | onnxruntime, ms | ratio | clconv, MB | onnxruntime, MB | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.networks:
        plain, _, way = name.partition(":")
        floats = write(plain, folder)
        model = dynamic(floats) if way == "dynamic" else quantised(floats, "QDQ")
        ours, theirs = measured(model, arguments.threads).values()
        ratios.append(ours / theirs)
        print(
            f"| {plain} | {ours[time] * 1e3:.2f} | {theirs[time] * 1e3:.2f} | {ratios[-1][time]:.2f} "
            f"| {ours[2] / 1e6:.0f} | {theirs[2] / 1e6:.0f} | {ratios[-1][2]:.2f} |", flush=True,
        )  # fmt: skip
    means = [math.exp(v) for v in np.mean(np.log(ratios), axis=0)]
    print(f"| geometric mean | | | {means[time]:.2f} | | | {means[2]:.2f} |")


if __name__ == "__main__":
    main()
