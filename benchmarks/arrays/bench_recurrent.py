"""Networks whose outputs are their next inputs: state that stays on the device against state that is read and fed again.

    python -m benchmarks.arrays.bench_recurrent --rounds 15 --json FILE.json

Three ways, in turn in one process, so that what else the machine does meets all alike; the best time of each counts. All
three must give the same numbers. "host": run() with NumPy arrays. "device": outputs="device", fed again. "in turn": two arrays
of the caller's for each value, which take turns as input and output. Each reads its last result at the end of a round.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

import clconv
from clconv.runtime.transfers import counted
from clconv.session.session import Session

Way = Callable[[Session, "Recurrent", list[np.ndarray]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Recurrent:
    """model: an ONNX file. frame: shape of the input `x`. state: the input of each output that is fed again, by output."""

    name: str
    model: bytes
    frame: tuple[int, ...]
    state: dict[str, str]

    def frames(self, steps: int) -> list[np.ndarray]:
        generator = np.random.default_rng(0)
        return [generator.uniform(0, 1, self.frame).astype(np.float32) for _ in range(steps)]

    def zeros(self, session: Session) -> dict[str, np.ndarray]:
        specs = session.inputs
        return {
            n: np.zeros(tuple(map(int, specs[n].shape)), np.float32) for n in self.state.values()
        }


def _model(nodes: list[Any], inputs: dict[str, Any], outputs: list[str], weights: Any) -> bytes:
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = helper.make_opsetid("", 19)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


def denoiser(side: int, channels: int = 8) -> Recurrent:
    """A video filter: each frame is mixed with the last result, where a small network says they belong together."""
    rng = np.random.default_rng(1)

    def weight(out: int, into: int) -> np.ndarray:
        return rng.normal(0, 0.2, (out, into, 3, 3)).astype(np.float32)

    weights = {"w1": weight(channels, 6), "w2": weight(3, channels)}
    nodes = [
        helper.make_node("Concat", ["x", "last"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "w1"], ["c1"], pads=[1] * 4),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1] * 4),
        helper.make_node("Sigmoid", ["c2"], ["gate"]),
        helper.make_node("Sub", ["last", "x"], ["change"]),
        helper.make_node("Mul", ["gate", "change"], ["part"]),
        helper.make_node("Add", ["x", "part"], ["clean"]),
    ]
    shape = (1, 3, side, side)
    model = _model(nodes, {"x": shape, "last": shape}, ["clean"], weights)
    return Recurrent(f"video filter {side}x{side}", model, shape, {"clean": "last"})


def lstm(units: int, features: int = 64) -> Recurrent:
    """An LSTM that is given one step at a time."""
    rng = np.random.default_rng(2)
    weights = {
        "w": rng.normal(0, 0.1, (1, 4 * units, features)).astype(np.float32),
        "r": rng.normal(0, 0.1, (1, 4 * units, units)).astype(np.float32),
        "b": np.zeros((1, 8 * units), np.float32),
    }
    names = ["x", "w", "r", "b", "", "h", "c"]
    nodes = [helper.make_node("LSTM", names, ["y", "h_next", "c_next"], hidden_size=units)]
    inputs = {"x": (1, 1, features), "h": (1, 1, units), "c": (1, 1, units)}
    model = _model(nodes, inputs, ["h_next", "c_next"], weights)
    return Recurrent(f"LSTM {units}", model, (1, 1, features), {"h_next": "h", "c_next": "c"})


def wave(side: int) -> Recurrent:
    """The wave equation on a grid, a stencil as a convolution: much memory, little to compute."""
    stencil = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)[None, None]
    nodes = [
        helper.make_node("Conv", ["now", "stencil"], ["bend"], pads=[1] * 4),
        helper.make_node("Mul", ["bend", "speed"], ["force"]),
        helper.make_node("Sub", ["now", "before"], ["moved"]),
        helper.make_node("Add", ["now", "moved"], ["straight"]),
        helper.make_node("Add", ["straight", "force"], ["pushed"]),
        helper.make_node("Add", ["pushed", "x"], ["next"]),
        helper.make_node("Identity", ["now"], ["was"]),
    ]
    shape = (1, 1, side, side)
    weights = {"stencil": stencil, "speed": np.float32(0.1)}
    inputs = {"x": (1, 1, 1, 1), "now": shape, "before": shape}
    model = _model(nodes, inputs, ["next", "was"], weights)
    return Recurrent(f"wave {side}x{side}", model, (1, 1, 1, 1), {"next": "now", "was": "before"})


def average(height: int, width: int) -> Recurrent:
    """A slow average over the frames of a camera: each is read, one tenth of it is added."""
    nodes = [
        helper.make_node("Sub", ["x", "last"], ["change"]),
        helper.make_node("Mul", ["change", "tenth"], ["part"]),
        helper.make_node("Add", ["last", "part"], ["mean"]),
    ]
    shape = (1, 3, height, width)
    model = _model(nodes, {"x": shape, "last": shape}, ["mean"], {"tenth": np.float32(0.1)})
    return Recurrent(f"average {height}x{width}", model, shape, {"mean": "last"})


def cases() -> Iterator[Recurrent]:
    yield average(480, 640)
    yield average(1080, 1920)
    yield lstm(256)
    yield lstm(1024)
    yield denoiser(128)
    yield denoiser(512)
    yield wave(1024)


def by_host(session: Session, case: Recurrent, frames: list[np.ndarray]) -> np.ndarray:
    state = case.zeros(session)
    for frame in frames:
        found = session.run({"x": frame, **state})
        state = {into: found[out] for out, into in case.state.items()}
    return next(iter(state.values()))


def by_device(session: Session, case: Recurrent, frames: list[np.ndarray]) -> np.ndarray:
    state: dict[str, Any] = case.zeros(session)
    for frame in frames:
        found = session.run({"x": frame, **state}, outputs="device")
        state = {into: found[out] for out, into in case.state.items()}
    return next(iter(state.values())).get()


def in_turn(session: Session, case: Recurrent, frames: list[np.ndarray]) -> np.ndarray:
    """Two arrays for each value of the state, which take turns."""
    now = {n: session.to_device(a) for n, a in case.zeros(session).items()}
    following = {n: session.empty(a.shape) for n, a in now.items()}
    for frame in frames:
        places = {out: following[into] for out, into in case.state.items()}
        session.run({"x": frame, **now}, outputs=places)
        now, following = following, now
    return next(iter(now.values())).get()


WAYS: dict[str, Way] = {"host": by_host, "device": by_device, "in turn": in_turn}


def measure(case: Recurrent, steps: int, rounds: int) -> dict[str, Any]:
    """Best milliseconds of a step, those of the processor, and copied bytes of a step, by way."""
    session = clconv.load(case.model)
    frames = case.frames(steps)
    found: dict[str, Any] = {"case": case.name, "ms": {}, "bytes": {}}
    expected = by_host(session, case, frames)
    for name, way in WAYS.items():
        way(session, case, frames)
        with counted() as copied:
            result = way(session, case, frames)
        np.testing.assert_array_equal(result, expected, err_msg=f"{case.name}, {name}")
        found["bytes"][name] = copied.nbytes // steps
    found["ms"], found["cpu_ms"] = (dict.fromkeys(WAYS, float("inf")) for _ in range(2))
    for _ in range(rounds):
        for name, way in WAYS.items():
            begin, used = time.perf_counter(), time.process_time()
            way(session, case, frames)
            spent = {"ms": time.perf_counter() - begin, "cpu_ms": time.process_time() - used}
            for kind, seconds in spent.items():
                found[kind][name] = min(found[kind][name], seconds / steps * 1e3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(case, options.steps, options.rounds) for case in cases()]
    table = Table("network", "", *WAYS, "gain")
    for row in rows:
        for kind in ("ms", "cpu_ms", "bytes"):
            host, *others = (row[kind][name] for name in WAYS)
            shown = (f"{v:,}" if kind == "bytes" else f"{v:.3f}" for v in (host, *others))
            table.add_row(row["case"], kind, *shown, f"{host / max(1e-9, min(others)):.2f}")
    Console(width=100).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
