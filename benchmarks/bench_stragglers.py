"""Operators that were slow out of proportion, each as a model of one node, against onnxruntime.

    python -m benchmarks.bench_stragglers --json benchmarks/results/FILE.json

Both engines run in this process, in turn, so that what else the machine does meets both alike; the best time of each
counts. Results of the two are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

import clconv
from benchmarks.bench_models import machine

Arrays = Mapping[str, np.ndarray]
# How many inputs Resize leaves out before the sizes, DFT before the axis.
_LEFT_OUT = {"sizes": 2, "axis": 1}


@dataclasses.dataclass(frozen=True)
class Straggler:
    """A node with its inputs in order; those named in `constants` are part of the model."""

    op: str
    label: str
    inputs: Arrays
    constants: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    result: int = TensorProto.FLOAT
    opset: int = 19

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        return {n: a for n, a in self.inputs.items() if n not in self.constants}

    def model(self) -> bytes:
        """The model as the bytes of an ONNX file."""
        names = [name for n in self.inputs for name in (*[""] * _LEFT_OUT.get(n, 0), n)]
        graph = helper.make_graph(
            [helper.make_node(self.op, names, ["result"], **self.attributes)],
            self.op,
            [
                helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
                for n, a in self.feeds.items()
            ],
            [helper.make_tensor_value_info("result", self.result, None)],
            [numpy_helper.from_array(self.inputs[n], n) for n in self.constants],
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9
        )
        return bytes(made.SerializeToString())


def suppression(
    rng: np.random.Generator, label: str, spread: float, least: float, most: int
) -> Straggler:
    """8400 boxes and 80 classes, as detectors of the YOLO family give them."""
    centres = rng.uniform(0, spread, (1, 8400, 2))
    boxes = np.concatenate([centres, centres + rng.uniform(8, 120, (1, 8400, 2))], 2)
    return Straggler(
        "NonMaxSuppression",
        label,
        {
            "boxes": boxes.astype(np.float32),
            "scores": rng.uniform(0, 1, (1, 80, 8400)).astype(np.float32),
            "most": np.array([most], np.int64),
            "overlap": np.array([0.5], np.float32),
            "least": np.array([least], np.float32),
        },
        ("most", "overlap", "least"),
        result=TensorProto.INT64,
    )


def whole(rng: np.random.Generator, *shape: int, dtype: str = "uint8") -> np.ndarray:
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


def product(
    rng: np.random.Generator, shape: tuple[int, int, int], w_dtype: str, constant: bool
) -> Straggler:
    rows, inner, columns = shape
    inputs = {
        "x": whole(rng, rows, inner),
        "w": whole(rng, inner, columns, dtype=w_dtype),
        "x_zero": np.array(117, np.uint8),
        "w_zero": np.array(3, w_dtype),
    }
    label = f"{rows}x{inner} {inner}x{columns} {w_dtype}{'' if constant else ', both fed'}"
    constants = ("w", "x_zero", "w_zero") if constant else ("x_zero", "w_zero")
    return Straggler("MatMulInteger", label, inputs, constants, result=TensorProto.INT32)


def convolution(
    rng: np.random.Generator, x: tuple[int, ...], w: tuple[int, ...], **attributes: Any
) -> Straggler:
    inputs = {
        "x": whole(rng, *x),
        "w": whole(rng, *w),
        "x_zero": np.array(117, np.uint8),
        "w_zero": np.array(130, np.uint8),
    }
    label = f"{'x'.join(map(str, x))} by {'x'.join(map(str, w))}"
    if attributes.get("strides"):
        label += f" stride {attributes['strides'][0]}"
    if attributes.get("group", 1) > 1:
        label += f" groups {attributes['group']}"
    constants = ("w", "x_zero", "w_zero")
    return Straggler("ConvInteger", label, inputs, constants, attributes, TensorProto.INT32)


def deformed(rng: np.random.Generator, channels: int, filters: int, size: int) -> Straggler:
    inputs = {
        "x": rng.standard_normal((1, channels, size, size)).astype(np.float32),
        "w": rng.standard_normal((filters, channels, 3, 3)).astype(np.float32),
        "offset": rng.uniform(-2.5, 2.5, (1, 18, size, size)).astype(np.float32),
        "bias": rng.standard_normal(filters).astype(np.float32),
        "mask": rng.uniform(0, 1, (1, 9, size, size)).astype(np.float32),
    }
    label = f"1x{channels}x{size}x{size} by {filters}x{channels}x3x3"
    return Straggler("DeformConv", label, inputs, ("w", "bias"), {"pads": [1, 1, 1, 1]})


def resized(
    rng: np.random.Generator, x: tuple[int, ...], out: tuple[int, ...], mode: str
) -> Straggler:
    inputs = {
        "x": rng.standard_normal(x).astype(np.float32),
        "sizes": np.array([*x[:2], *out], np.int64),
    }
    label = f"antialias {mode} {'x'.join(map(str, x))} to {'x'.join(map(str, out))}"
    attributes = {"mode": mode, "antialias": 1}
    return Straggler("Resize", label, inputs, ("sizes",), attributes)


def transformed(
    rng: np.random.Generator, x: tuple[int, ...], axis: int, **attributes: Any
) -> Straggler:
    inputs = {
        "x": rng.standard_normal(x).astype(np.float32),
        "axis": np.array(axis, np.int64),
    }
    label = " ".join(["x".join(map(str, x)), f"axis {axis}", *attributes])
    return Straggler("DFT", label, inputs, ("axis",), attributes, opset=20)


def stragglers() -> list[Straggler]:
    rng = np.random.default_rng(0)
    same = {"pads": [1, 1, 1, 1]}
    return [
        suppression(rng, "few kept", 640, 0.99, 300),
        suppression(rng, "hundreds kept", 640, 0.25, 300),
        suppression(rng, "hundreds kept, wide", 6400, 0.25, 1000),
        product(rng, (512, 512, 512), "uint8", True),
        product(rng, (128, 768, 3072), "int8", True),
        product(rng, (512, 512, 512), "uint8", False),
        product(rng, (1, 1024, 1024), "int8", True),
        convolution(rng, (1, 64, 56, 56), (64, 64, 3, 3), **same),
        convolution(rng, (1, 256, 28, 28), (128, 256, 1, 1)),
        convolution(rng, (1, 3, 224, 224), (64, 3, 7, 7), pads=[3] * 4, strides=[2, 2]),
        convolution(rng, (1, 96, 56, 56), (96, 1, 3, 3), group=96, **same),
        deformed(rng, 64, 64, 56),
        deformed(rng, 256, 256, 28),
        resized(rng, (1, 3, 1080, 1920), (224, 224), "linear"),
        resized(rng, (1, 3, 1080, 1920), (224, 224), "cubic"),
        resized(rng, (1, 3, 512, 512), (224, 224), "linear"),
        resized(rng, (1, 3, 512, 512), (224, 224), "cubic"),
        resized(rng, (1, 64, 112, 112), (50, 50), "linear"),
        resized(rng, (1, 64, 112, 112), (50, 50), "cubic"),
        transformed(rng, (1009, 256, 1), 1),
        transformed(rng, (1009, 256, 1), 1, onesided=1),
        transformed(rng, (1009, 256, 2), 1),
        transformed(rng, (1009, 256, 2), 1, inverse=1),
        transformed(rng, (1, 256, 1009, 2), 1),
        transformed(rng, (16, 4096, 2), 1),
    ]


def runners(case: Straggler, device: str | None) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One run of clconv, one of onnxruntime."""
    data, feeds = case.model(), case.feeds
    session = clconv.load(data, device=device)
    peer = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda: session.run(feeds)["result"], lambda: peer.run(None, feeds)[0]


def compare(case: Straggler, found: np.ndarray, wanted: np.ndarray) -> None:
    """Raises AssertionError where the engines differ: integers at all, floats by more than rounding."""
    if wanted.dtype.kind in "iu":
        np.testing.assert_array_equal(found, wanted, err_msg=f"{case.op} {case.label}")
    else:
        scale = float(np.abs(wanted).max())
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * scale, err_msg=case.label)


def measure(case: Straggler, device: str | None, seconds: float) -> dict[str, Any]:
    own, peer = runners(case, device)
    compare(case, own(), peer())
    best = {own: float("inf"), peer: float("inf")}
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < 5 or time.perf_counter() < end:
        for run in best:
            start = time.perf_counter()
            run()
            best[run] = min(best[run], time.perf_counter() - start)
        rounds += 1
    return {
        "op": case.op,
        "label": case.label,
        "clconv_ms": 1e3 * best[own],
        "onnxruntime_ms": 1e3 * best[peer],
        "ratio": best[own] / best[peer],
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "words", nargs="*", help="only cases with one of these in operator or label"
    )
    parser.add_argument("--device", help="as for clconv.load()")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case, at least")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    words = [w.lower() for w in options.words]
    records = [
        measure(case, options.device, options.seconds)
        for case in stragglers()
        if not words or any(w in f"{case.op} {case.label}".lower() for w in words)
    ]
    table = Table("operator", "case", "clconv ms", "onnxruntime ms", "ratio")
    for row in records:
        numbers = (row["clconv_ms"], row["onnxruntime_ms"], row["ratio"])
        table.add_row(row["op"], row["label"], *(f"{n:.2f}" for n in numbers))
    Console(width=120).print(table)
    if options.json:
        versions = {"clconv": clconv.__version__, "onnxruntime": onnxruntime.__version__}
        answer = {"machine": machine(), "versions": versions, "cases": records}
        options.json.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
