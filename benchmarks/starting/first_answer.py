"""From the start of a process to the first answer, beside onnxruntime.

    python -m benchmarks.starting.first_answer --folder /tmp/networks --rounds 7

Each row is a process of its own that imports what it needs, loads a model, runs it once and has the result; engines take
turns. "plans kept" is clconv with what an earlier process left in CLCONV_CACHE_DIR, "nothing kept" the same without it
(CLCONV_CACHE_SIZE=0; PoCL's machine code is there in both), "compiled" a file of `clconv compile`. CPU time is that of all
threads, the system's part included: other programs change it less than the time on the clock. "load" is the time of
clconv.load() or InferenceSession() alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.nets import write

NETWORKS = ("mobilenetv2", "squeezenet1_1", "resnet50", "vgg16")
ENGINES = ("nothing kept", "plans kept", "compiled", "onnxruntime")

_CLCONV = """
import sys, time
import clconv
begin = time.perf_counter()
session = clconv.load(sys.argv[1])
loaded = time.perf_counter() - begin
import numpy as np
(name, spec), = session.inputs.items()
answer = session.run({name: np.zeros(spec.shape, np.float32)})
print(time.time(), loaded, time.process_time())
"""
_ONNXRUNTIME = """
import os, sys, time
import onnxruntime
begin = time.perf_counter()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = os.cpu_count() or 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
loaded = time.perf_counter() - begin
import numpy as np
given, = session.get_inputs()
answer = session.run(None, {given.name: np.zeros(given.shape, np.float32)})
print(time.time(), loaded, time.process_time())
"""


def first_answer(engine: str, model: Path) -> tuple[float, float, float]:
    """Seconds to the first answer, of the load, and of all processors."""
    code = _ONNXRUNTIME if engine == "onnxruntime" else _CLCONV
    path = model.with_suffix(".clconv") if engine == "compiled" else model
    surroundings = dict(os.environ)
    # What pip installs has its bytecode: a checkout writes it in the round that nobody counts.
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)
    if engine == "nothing kept":
        surroundings["CLCONV_CACHE_SIZE"] = "0"
    begin = time.time()
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=surroundings,
        check=True,
        capture_output=True,
        text=True,
    )
    end, load, used = map(float, done.stdout.split())
    return end - begin, load, used


def measured(model: Path, rounds: int) -> dict[str, list[tuple[float, float, float]]]:
    """Of each engine so many rows, after one that nobody counts."""
    found: dict[str, list[tuple[float, float, float]]] = {engine: [] for engine in ENGINES}
    for number in range(rounds + 1):
        for engine in ENGINES:
            row = first_answer(engine, model)
            if number:
                found[engine].append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, required=True, help="for the networks; has 3 GB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    table = Table("network", "", *ENGINES, "kept / ort", "compiled / ort")
    for name in options.networks:
        model = write(name, options.folder)
        if not model.with_suffix(".clconv").exists():
            subprocess.run([sys.executable, "-m", "clconv", "compile", str(model)], check=True)
        rows = measured(model, options.rounds)
        for i, what in enumerate(("answer s", "load s", "CPU s")):
            values = {
                engine: statistics.median(row[i] for row in rows[engine]) for engine in ENGINES
            }
            least = {engine: min(row[i] for row in rows[engine]) for engine in ENGINES}
            ratios = [values[e] / values["onnxruntime"] for e in ("plans kept", "compiled")]
            cells = [f"{values[e]:.2f} ({least[e]:.2f})" for e in ENGINES]
            table.add_row(name if not i else "", what, *cells, *(f"{r:.2f}" for r in ratios))
    Console(width=130).print("Medians, and the least in brackets.", table)


if __name__ == "__main__":
    main()
