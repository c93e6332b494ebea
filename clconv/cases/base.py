"""What a case is: one node, the tensors it is fed, and how close the device must come.

The table serves the correctness tests, the operator benchmark and `clconv doctor`.
"""

from __future__ import annotations

import dataclasses
import zlib
from typing import Any

import numpy as np

from clconv.graph.evaluate import infer_node, settle_node
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node


@dataclasses.dataclass(frozen=True)
class Operand:
    """One input of a case: random in [low, high), or the given values.

    constant: known before the first run (weights, shapes, axes), not fed.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    constant: bool = False
    low: float = -1.0
    high: float = 1.0
    values: Any = None

    def array(self, rng: np.random.Generator) -> np.ndarray:
        if self.values is not None:
            with np.errstate(over="ignore"):  # of a halved case: what is too large is infinite
                values = np.asarray(self.values, self.dtype)
            return values.reshape(self.shape or np.shape(self.values))
        if self.dtype == "bool":
            return rng.random(self.shape) < 0.5
        if np.dtype(self.dtype).kind in "iu":
            return rng.integers(
                int(self.low), max(int(self.high), int(self.low) + 1), self.shape
            ).astype(self.dtype)
        return rng.uniform(self.low, self.high, self.shape).astype(self.dtype)


def window(spatial: int, **attrs: Any) -> dict[str, Any]:
    """The attributes, and those of a plain window over so many axes where they are not given."""
    return {
        "strides": (1,) * spatial,
        "pads": (0,) * (2 * spatial),
        "dilations": (1,) * spatial,
        **attrs,
    }


def data(*shape: int, **more: Any) -> Operand:
    """A fed float32 input."""
    return Operand(tuple(shape), **more)


def weight(*shape: int, **more: Any) -> Operand:
    """A constant float32 input."""
    return Operand(tuple(shape), constant=True, **more)


def ints(*values: int) -> Operand:
    """A constant int64 vector."""
    return Operand((len(values),), "int64", constant=True, values=values)


@dataclasses.dataclass(frozen=True)
class Case:
    """One node on given inputs. `label` says what is awkward about it; None inputs are absent."""

    op: str
    label: str
    inputs: tuple[Operand | None, ...]
    attrs: dict[str, Any] = dataclasses.field(default_factory=dict)
    outputs: int = 1
    tolerance: float = 2e-5  # largest error over the largest reference value

    @property
    def name(self) -> str:
        return f"{self.op}-{self.label}".replace(" ", "_")

    def halved(self) -> Case:
        """The case with float16 in float32's place, but for Resize's scales, which ONNX has in float32."""
        data = 1 if self.op == "Resize" else len(self.inputs)
        operands = tuple(
            dataclasses.replace(operand, dtype="float16")
            if operand is not None and operand.dtype == "float32" and i < data
            else operand
            for i, operand in enumerate(self.inputs)
        )
        return dataclasses.replace(self, inputs=operands)

    def all_fed(self) -> Case:
        """The case with nothing known before a run."""
        operands = tuple(o and dataclasses.replace(o, constant=False) for o in self.inputs)
        return dataclasses.replace(self, label=f"fed, {self.label}", inputs=operands)

    def arrays(self) -> list[np.ndarray | None]:
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [None if o is None else o.array(rng) for o in self.inputs]

    def build(self) -> tuple[Graph, dict[str, np.ndarray]]:
        """The graph of this one node, with specs, and what to feed it."""
        names = ["" if o is None else f"in{i}" for i, o in enumerate(self.inputs)]
        constants: dict[str, Constant] = {}
        feeds: dict[str, np.ndarray] = {}
        for name, operand, array in zip(names, self.inputs, self.arrays(), strict=True):
            if operand is not None and array is not None:
                if operand.constant:
                    constants[name] = Constant(array)
                else:
                    feeds[name] = array
        outputs = [f"out{i}" for i in range(self.outputs)]
        node = make_node(self.op, names, outputs, self.name, **self.attrs)
        specs = {n: TensorSpec(a.shape, DType.of(a)) for n, a in feeds.items()}
        node = settle_node(node, specs, constants)
        specs.update(zip(outputs, infer_node(node, specs, constants), strict=False))
        graph = Graph(self.name, (node,), tuple(feeds), tuple(outputs), specs, constants)
        return graph, feeds
