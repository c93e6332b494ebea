"""One engine in a process of its own: loads a model, then runs it whenever a line on stdin says so.

    python -m benchmarks.engines ENGINE MODEL SEED

Answers each line with one line of JSON: first the load time, then for "run N" N times in seconds, for
"output FILE" the outputs saved as .npz, for "cpu" the processor time so far in seconds, for "memory" the peak resident set in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Runner = Callable[[], dict[str, np.ndarray]]
Loaded = Callable[[Path, int], tuple[Runner, str]]


def feed(shape: list[int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def clconv(model: Path, seed: int) -> tuple[Runner, str]:
    import clconv

    session = clconv.load(model)
    feeds = {n: feed(list(s.shape), seed) for n, s in session.inputs.items()}
    return lambda: session.run(feeds), f"clconv {clconv.__version__} on {session.device}"


def onnxruntime(model: Path, seed: int) -> tuple[Runner, str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    feeds = {i.name: feed(i.shape, seed) for i in session.get_inputs()}
    names = [o.name for o in session.get_outputs()]

    def run() -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, feeds), strict=True))

    return run, f"onnxruntime {onnxruntime.__version__}"


def openvino(model: Path, seed: int) -> tuple[Runner, str]:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        str(model),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
    )
    request = compiled.create_infer_request()
    feeds = {i.any_name: feed(list(i.shape), seed) for i in compiled.inputs}

    def run() -> dict[str, np.ndarray]:
        results = request.infer(feeds)
        return {o.any_name: results[o] for o in compiled.outputs}

    return run, f"openvino {openvino.__version__.split('-')[0]}"


ENGINES: dict[str, Loaded] = {
    "clconv": clconv,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}


def peak_memory() -> int:
    """Largest resident set of this process in bytes. getrusage would count the parent's, from before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def serve(load: Callable[[], tuple[Runner, str]]) -> None:
    """Loads, then answers the lines of stdin until they end."""
    start = time.perf_counter()
    run, version = load()
    loaded = time.perf_counter() - start
    run()
    first = time.perf_counter() - start - loaded
    print(json.dumps({"load": loaded, "first": first, "version": version}), flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        answer: object = None
        if command == "run":
            times = []
            for _ in range(int(argument)):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            answer = times
        elif command == "output":
            np.savez(argument, **run())
        elif command == "cpu":
            answer = time.process_time()
        elif command == "memory":
            answer = peak_memory()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(lambda: ENGINES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3])))
