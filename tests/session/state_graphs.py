"""Small graphs with state, and runs of them by the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import step_reference

Arrays = Mapping[str, np.ndarray]


class Builder:
    """Collects what a graph is made of."""

    def __init__(self, inputs: Mapping[str, Sequence[Any]]) -> None:
        self.specs = {name: TensorSpec(tuple(shape)) for name, shape in inputs.items()}
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}

    def number(self, value: float) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = Constant(np.array(value, np.float32))
        return name

    def ints(self, *values: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = Constant(np.array(values, np.int64))
        return name

    def node(self, op: str, *inputs: str, out: str = "", **attrs: Any) -> str:
        output = out or f"v{len(self.nodes)}"
        self.nodes.append(make_node(op, inputs, [output], f"{op}{len(self.nodes)}", **attrs))
        return output

    def graph(self, outputs: Sequence[str], state: Mapping[str, str]) -> Graph:
        return Graph(
            "learning", tuple(self.nodes), tuple(self.specs), tuple(outputs), self.specs,
            self.constants, state=state,
        )  # fmt: skip


def descent(batch: Any = "n", features: int = 37, units: int = 19) -> Graph:
    """y = x w; a gradient step of |y|^2 / 2 with momentum: v' = 0.9 v + x^T y, w' = w - 0.01 v'."""
    b = Builder({"x": (batch, features), "w": (features, units), "v": (features, units)})
    b.node("MatMul", "x", "w", out="y")
    gradient = b.node("MatMul", b.node("Transpose", "x", perm=(1, 0)), "y")
    b.node("Add", b.node("Mul", "v", b.number(0.9)), gradient, out="v'")
    b.node("Sub", "w", b.node("Mul", "v'", b.number(0.01)), out="w'")
    return b.graph(["y", "v'", "w'"], {"w": "w'", "v": "v'"})


def evaluation(batch: Any = "n", features: int = 37, units: int = 19) -> Graph:
    """What `descent` learns, only read."""
    b = Builder({"x": (batch, features), "w": (features, units)})
    b.node("MatMul", "x", "w", out="y")
    return b.graph(["y"], {"w": "w"})


def read_later(units: int = 1031) -> Graph:
    """The old value is needed when the new one is there: no update in place."""
    b = Builder({"x": (units,), "w": (units,)})
    b.node("Mul", b.node("Add", "w", "x"), b.number(0.5), out="w'")
    b.node("Sub", b.node("Tanh", "w'"), "w", out="step")
    return b.graph(["step", "w'"], {"w": "w'"})


def exchanged(units: int = 515) -> Graph:
    """a and b change places, and what is fed takes the place of c; the old a is returned as it is and as another view."""
    b = Builder({"x": (units,), "a": (units,), "b": (units,), "c": (units,)})
    b.node("Add", "a", "c", out="sum")
    b.node("Identity", "a", out="same")
    b.node("Reshape", "a", b.ints(5, -1), out="view", allowzero=0)
    b.node("Identity", "x", out="fed")
    outputs = ["sum", "same", "view", "a", "b", "fed"]
    return b.graph(outputs, {"a": "b", "b": "a", "c": "fed"})


def counter() -> Graph:
    """Integers count the runs, and flags go back to what a constant says."""
    b = Builder({"x": (3,), "n": (), "f": (7,)})
    b.specs["n"] = TensorSpec((), DType.INT64)
    b.constants["one"] = Constant(np.array(1, np.int64))
    b.node("Add", "n", "one", out="n'")
    b.constants["zeros"] = Constant(np.full(7, 2, np.float32))
    b.node("Identity", "zeros", out="f'")
    b.node("Add", "x", b.node("ReduceSum", "f", keepdims=0, noop_with_empty_axes=0), out="y")
    return b.graph(["y", "n'", "f'"], {"n": "n'", "f": "f'"})


def sized_by_data() -> Graph:
    """What is positive in x has a size that only a run tells; the state changes before that and behind it."""
    b = Builder({"x": (12,), "early": (12,), "late": (1,)})
    b.node("Add", "early", "x", out="early'")
    found = b.node("NonZero", b.node("Relu", b.node("Add", "x", "early")))
    places = b.node("Cast", found, to="float32")
    total = b.node(
        "ReduceSum",
        b.node("Reshape", places, b.ints(-1), allowzero=0),
        keepdims=1,
        noop_with_empty_axes=0,
    )
    b.node("Add", "late", total, out="late'")
    return b.graph(["early'", "late'"], {"early": "early'", "late": "late'"})


def update_first(units: int = 1031) -> Graph:
    """The new value is made before the old one is read, which does not depend on it."""
    b = Builder({"x": (units,), "w": (units,)})
    b.node("Mul", b.node("Add", "w", "x"), b.number(0.5), out="w'")
    b.node("Tanh", "w", out="y")
    return b.graph(["y", "w'"], {"w": "w'"})


def one_kernel(batch: int = 11, features: int = 37, units: int = 19) -> Graph:
    """A plain step, which becomes one product with an epilogue: w' = w - 0.01 x^T y; and b' = y^T x - b, b as the addend.

    The rows are no multiple of a register tile's.
    """
    b = Builder(
        {
            "x": (batch, features),
            "y": (batch, units),
            "w": (features, units),
            "b": (units, features),
        }
    )
    scaled = b.node(
        "Mul", b.node("Gemm", "x", "y", transA=1, transB=0, alpha=1.0, beta=1.0), b.number(0.01)
    )
    b.node("Sub", "w", scaled, out="w'")
    b.node("Gemm", "y", "x", "b", out="b'", transA=1, transB=0, alpha=1.0, beta=-1.0)
    return b.graph(["w'", "b'"], {"w": "w'", "b": "b'"})


def values(graph: Graph, seed: int = 3) -> dict[str, np.ndarray]:
    """Random values of the state."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.uniform(-1, 1, graph.specs[name].shape)).astype(graph.specs[name].dtype.numpy)
        for name in graph.state
    }


def by_reference(
    graph: Graph, state: Arrays, feeds: Sequence[Arrays]
) -> tuple[list[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """What each run returns, and the state at the end."""
    found, now = [], dict(state)
    for given in feeds:
        returned, now = step_reference(graph, given, now)
        found.append(returned)
    return found, now
