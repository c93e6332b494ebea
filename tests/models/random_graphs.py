"""Random convolutional networks as ONNX models, the same for the same seed.

    python -m tests.models.random_graphs 0 300      # graphs of seeds 0..299 against onnxruntime

Each graph has one to three inputs of rank 3 to 5 with a batch (and often a height and width) that is only
known when they arrive, 15 to 30 nodes, and several outputs, some of them in the middle. Every shape is kept
for two sets of input sizes, so that a node is only added where it is legal for both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
MOST_ELEMENTS = 60_000  # of one value: a graph runs in milliseconds
Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of the graph: its shape for either set of input sizes."""

    name: str
    shapes: tuple[Shape, Shape]

    @property
    def rank(self) -> int:
        return len(self.shapes[0])

    def size(self, axis: int) -> int | None:
        """The size along an axis if both sets of inputs agree on it."""
        one, other = (s[axis] for s in self.shapes)
        return one if one == other else None

    def least(self, axis: int) -> int:
        return min(s[axis] for s in self.shapes)

    @property
    def image(self) -> bool:
        """Whether axis 1 can be channels."""
        return 3 <= self.rank <= 5 and self.size(1) is not None


class NotHere(Exception):
    """The operator chosen does not fit the value chosen."""


class Writer:
    """Nodes, constants and values of a graph that grows; shapes come from onnx's own rules."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: list[Value] = []
        self.values: list[Value] = []

    # dice

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def integer(self, low: int, high: int) -> int:
        """low..high, both included."""
        return int(self.rng.integers(low, high + 1))

    def one(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def several(self, count: int, low: int, high: int) -> list[int]:
        return [self.integer(low, high) for _ in range(count)]

    def pick(self, values: Sequence[Value] | None = None) -> Value:
        """A value, more likely a late one."""
        values = self.values if values is None else values
        if not values:
            raise NotHere
        back = min(int(self.rng.geometric(0.35)), len(values))
        return values[-back]

    def picked_image(self) -> Value:
        return self.pick([v for v in self.values if v.image])

    # growth

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def noise(self, *shape: int, spread: float = 1.0) -> str:
        return self.constant(self.rng.normal(0, spread, shape))

    def positive(self, *shape: int) -> str:
        return self.constant(self.rng.uniform(0.5, 1.5, shape))

    def input(self, shapes: tuple[Shape, Shape]) -> None:
        value = Value(f"x{len(self.inputs)}", shapes)
        self.inputs.append(value)
        self.values.append(value)

    def add(self, op: str, inputs: Sequence[Value | str], outputs: int = 1, **attrs: Any) -> Value:
        """Adds the node if it is legal for both sets of sizes and not too large; its first output."""
        names = [i if isinstance(i, str) else i.name for i in inputs]
        results = [f"v{len(self.nodes)}_{k}" for k in range(outputs)]
        node = helper.make_node(op, names, results, f"{op}_{len(self.nodes)}", **attrs)
        shapes = [self._infer(node, inputs, which) for which in (0, 1)]
        made = [Value(r, (a, b)) for r, a, b in zip(results, *shapes, strict=True)]
        for value in made:
            for shape in value.shapes:
                if not shape or not all(shape) or np.prod(shape) > MOST_ELEMENTS:
                    raise NotHere
        self.nodes.append(node)
        self.values += made
        return made[0]

    def _infer(
        self, node: onnx.NodeProto, inputs: Sequence[Value | str], which: int
    ) -> list[Shape]:
        types, data = {}, {}
        for i in inputs:
            if isinstance(i, Value):
                types[i.name] = helper.make_tensor_type_proto(TensorProto.FLOAT, i.shapes[which])
            elif i:
                array = self.constants[i]
                kind = helper.np_dtype_to_tensor_dtype(array.dtype)
                types[i] = helper.make_tensor_type_proto(kind, array.shape)
                data[i] = numpy_helper.from_array(array, i)
        try:
            found = onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op_type, OPSET, ""),
                node,
                types,
                data,
                opset_imports=[helper.make_opsetid("", OPSET)],
                ir_version=10,
            )
        except (onnx.shape_inference.InferenceError, RuntimeError) as reason:
            raise NotHere from reason
        shapes = []
        for name in node.output:
            dims = found[name].tensor_type.shape.dim if name in found else []
            if not all(d.HasField("dim_value") and d.dim_value > 0 for d in dims):
                raise NotHere
            shapes.append(tuple(d.dim_value for d in dims))
        return shapes


@dataclasses.dataclass(frozen=True)
class RandomGraph:
    model: onnx.ModelProto
    feeds: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


def random_graph(seed: int) -> RandomGraph:
    """A model and two sets of inputs of different sizes for it."""
    from tests.models.random_nodes import KINDS

    w = Writer(seed)
    spatial = w.one([1, 2, 2, 2, 3])
    largest = {1: 60, 2: 18, 3: 7}[spatial]
    batches = (w.integer(1, 2), w.integer(2, 3))
    sizes = w.several(spatial, max(4, largest // 2), largest)
    more = w.integer(1, 5) if w.chance(0.6) else 0  # open spatial sizes
    for _ in range(w.one([1, 1, 2, 3])):
        channels = w.one([1, 2, 3, 4, 5, 8, 12, 16, 17])
        w.input(
            (
                (batches[0], channels, *sizes),
                (batches[1], channels, *[s + more for s in sizes]),
            )
        )
    wanted = w.integer(15, 30)
    chances = np.array([k.weight for k in KINDS], float)
    for _ in range(20 * wanted):
        if len(w.nodes) >= wanted:
            break
        kind = KINDS[int(w.rng.choice(len(KINDS), p=chances / chances.sum()))]
        try:
            kind.add(w)
        except NotHere:
            continue
    return RandomGraph(_model(w, seed), (_feeds(w, 0), _feeds(w, 1)))


def _model(w: Writer, seed: int) -> onnx.ModelProto:
    read = {name for node in w.nodes for name in node.input}
    inner = [v for v in w.values if v.name not in {i.name for i in w.inputs}]
    wanted = [v for v in inner if v.name not in read or w.chance(0.05)]
    inputs = [
        helper.make_tensor_value_info(v.name, TensorProto.FLOAT, _open(v, f"x{i}"))
        for i, v in enumerate(w.inputs)
    ]
    outputs = [
        helper.make_tensor_value_info(v.name, TensorProto.FLOAT, [None] * v.rank) for v in wanted
    ]
    constants = [numpy_helper.from_array(a, n) for n, a in w.constants.items() if n in read]
    graph = helper.make_graph(w.nodes, f"random_{seed}", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def _open(value: Value, prefix: str) -> list[int | str]:
    return [
        size if (size := value.size(axis)) is not None else f"{prefix}_{axis}"
        for axis in range(value.rank)
    ]


def _feeds(w: Writer, which: int) -> dict[str, np.ndarray]:
    return {v.name: w.rng.normal(0, 1, v.shapes[which]).astype(np.float32) for v in w.inputs}


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference as a share of the largest value (of 1e-3, if all are smaller)."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    if not np.isfinite(expected).all():
        return 0.0 if np.array_equal(np.isfinite(found), np.isfinite(expected)) else float("inf")
    largest = max(1e-3, float(np.abs(expected).max(initial=0)))
    gap = np.abs(found.astype(np.float64) - expected).max(initial=0) / largest
    return float("inf") if np.isnan(gap) else float(gap)


if __name__ == "__main__":
    import sys

    from tests.models.random_search import search

    search(range(int(sys.argv[1]), int(sys.argv[2])))
