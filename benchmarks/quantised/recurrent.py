"""LSTMs that onnxruntime's quantize_dynamic made of floats, against onnxruntime: one thread each, its processor time, in turn.

python -m benchmarks.quantised.recurrent --sizes 512x32 64x12
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from rich.console import Console
from rich.table import Table

import clconv
from clconv.runtime.ways.faster import Kind

_LAYERS, _AT_ONCE = 2, 3


def lstm(units: int, steps: int) -> onnx.ModelProto:
    """Two layers, batch 1, as many features as units; weights whose products are of the size of 1."""
    rng = np.random.default_rng(0)
    nodes, weights = [], [numpy_helper.from_array(np.array([1], np.int64), "axis")]
    x = "x"
    for layer in range(_LAYERS):
        shapes = {"w": (1, 4 * units, units), "r": (1, 4 * units, units), "b": (1, 8 * units)}
        for name, shape in shapes.items():
            values = rng.standard_normal(shape) / np.sqrt(units)
            weights.append(numpy_helper.from_array(values.astype(np.float32), f"{name}{layer}"))
        inputs, y, flat = [x, *(f"{n}{layer}" for n in shapes)], f"y{layer}", f"flat{layer}"
        nodes.append(helper.make_node("LSTM", inputs, [y], f"lstm{layer}", hidden_size=units))
        nodes.append(helper.make_node("Squeeze", [y, "axis"], [flat]))
        x = flat
    shape = (steps, 1, units)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", x)]
    graph = helper.make_graph(nodes, "lstm", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _peer(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def compared(units: int, steps: int, rounds: int) -> list[str]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        floats, dynamic = Path(folder, "floats.onnx"), Path(folder, "dynamic.onnx")
        onnx.save(lstm(units, steps), floats)
        quantize_dynamic(
            floats, dynamic, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM"]
        )
        exact, peer, session = _peer(floats), _peer(dynamic), clconv.load(dynamic)
    shape = (steps, 1, units)
    feeds = {"x": np.random.default_rng(1).standard_normal(shape).astype(np.float32)}
    found, other = next(iter(session.run(feeds).values())), peer.run(None, feeds)[0]
    session.prepare({"x": shape})._ways.faster.settle(Kind.ALONE)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, spent in zip(
            (lambda: session.run(feeds), lambda: peer.run(None, feeds)), times, strict=True
        ):
            for _ in range(_AT_ONCE):
                begin = time.thread_time()
                run()
                spent.append(time.thread_time() - begin)
    own, theirs = (1e3 * min(spent) for spent in times)
    real = exact.run(None, feeds)[0]
    errors = [np.linalg.norm(y - real) / np.linalg.norm(real) for y in (found, other)]
    cells = [f"{own:.3f}", f"{theirs:.3f}", f"{own / theirs:.2f}"]
    return [str(units), str(steps), *cells, *(f"{e:.4f}" for e in errors)]


def _size(text: str) -> tuple[int, int]:
    units, steps = (int(part) for part in text.split("x"))
    return units, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sizes = [(64, 12), (128, 16), (256, 32), (512, 32), (1024, 8)]
    parser.add_argument("--sizes", nargs="*", type=_size, default=sizes, help="UNITSxSTEPS")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    columns = ("clconv ms", "onnxruntime ms", "ratio", "clconv's error", "onnxruntime's")
    table = Table("units", "steps", *columns)
    for units, steps in options.sizes:
        table.add_row(*compared(units, steps, options.rounds))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
