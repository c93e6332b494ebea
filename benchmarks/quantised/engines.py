"""One engine in a process of its own, with nothing imported that it does not need: its memory is measured.

    python -m benchmarks.quantised.engines ENGINE THREADS MODEL

Answers each line on stdin: the least processor time and the least time of some runs in seconds, and the peak memory so far in
bytes. THREADS counts for onnxruntime; clconv takes POCL_MAX_PTHREAD_COUNT.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks.engines import feed, peak_memory

_RUNS = 6


def _runner(engine: str, threads: int, model: str) -> Any:
    if engine == "clconv":
        import clconv

        session = clconv.load(model)
        feeds = {n: feed(list(s.shape), 0) for n, s in session.inputs.items()}
        return lambda: session.run(feeds)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    peer = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    arrays = {i.name: feed(i.shape, 0) for i in peer.get_inputs()}
    return lambda: peer.run(None, arrays)


def main(engine: str, threads: str, model: str) -> None:
    run = _runner(engine, int(threads), model)
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


if __name__ == "__main__":
    main(*sys.argv[1:])
