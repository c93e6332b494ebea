"""Loading models of many megabytes of weights, against onnxruntime.

    python -m benchmarks.bench_load --folder /tmp

Writes two models into the folder and removes them again: 48 convolutions of 512 filters 3x3 (453 MB), and 36 products
with matrices of 4096x4096, whose 2.4 GB lie beside the model. Each load is the first one of a process of its own, after
the imports; engines take turns. CPU time is that of all threads, the system's part included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, save
from rich.console import Console
from rich.table import Table

ENGINES = ("clconv", "onnxruntime")


def _chain(op: str, shapes: list[tuple[int, ...]], x: tuple[int, ...], data: Path) -> ModelProto:
    """A chain of one operator with those weights, which are written to `data`."""
    rng = np.random.default_rng(0)
    weights, nodes = [], []
    attributes = {"pads": [1] * 4} if op == "Conv" else {}
    with data.open("wb") as file:
        for i, shape in enumerate(shapes):
            w = rng.standard_normal(shape, np.float32) / np.float32(np.prod(shape[1:]) ** 0.5)
            tensor = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            place = {"location": data.name, "offset": file.tell(), "length": w.nbytes}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            file.write(w.tobytes())
            weights.append(tensor)
            nodes.append(helper.make_node(op, [f"x{i}", f"w{i}"], [f"x{i + 1}"], **attributes))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info(f"x{len(shapes)}", TensorProto.FLOAT, None)],
        weights,
    )
    opsets = [helper.make_opsetid("", 19)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _load(engine: str, path: str) -> None:
    """In a process of its own: prints seconds and CPU seconds."""
    import onnxruntime

    import clconv

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    load = clconv.load  # its first use imports what it needs
    start, used = time.perf_counter(), time.process_time()
    if engine == "clconv":
        held = load(path)
    else:
        held = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    print(time.perf_counter() - start, time.process_time() - used)
    del held


def _measure(path: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """The best seconds and the least CPU seconds of each engine."""
    best = dict.fromkeys(ENGINES, (float("inf"), float("inf")))
    for _ in range(rounds):
        for engine in ENGINES:
            command = [sys.executable, "-m", "benchmarks.bench_load", "--load", engine, str(path)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            wall, used = (float(word) for word in answer.split())
            best[engine] = (min(wall, best[engine][0]), min(used, best[engine][1]))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, help="for the models; has 3 GB")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--load", nargs=2, metavar=("ENGINE", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        _load(*options.load)
        return
    cases = {
        "453 MB of 3x3 filters": ("Conv", [(512, 512, 3, 3)] * 48, (1, 512, 14, 14)),
        "2.4 GB of matrices": ("MatMul", [(4096, 4096)] * 36, (64, 4096)),
    }
    table = Table("weights", "", *ENGINES, "ratio")
    for label, (op, shapes, x) in cases.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder) / "model.onnx"
            save(_chain(op, shapes, x, path.with_suffix(".data")), str(path))
            best = _measure(path, options.rounds)
        for i, what in enumerate(("s", "CPU s")):
            own, peer = (best[engine][i] for engine in ENGINES)
            table.add_row(label, what, f"{own:.2f}", f"{peer:.2f}", f"{own / peer:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
