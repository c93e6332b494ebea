"""What the inputs of a recurrent layer add to its gates: one matrix product for all times, of floats or of bytes."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Packed, Packing, Read, Scalar, Table, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.recurrent.layer import RecurrentLayer
from clconv.lowering.ops.recurrent.narrow import byte_steps
from clconv.lowering.shared.composite import INNER_ALIGNMENT, Composite, Value
from clconv.records import record

_MOST_INPUTS = 1 << 15  # of which products of bytes fit 32 bits


@record(frozen=True)
class Projected:
    """(directions, rows, gates * padded): what inputs add to the gates, biases included. direction: floats from one direction
    to the next.

    scale: None, or one number for each row, by which the sum of this and of what lies `low` floats behind it is to be
    multiplied; the biases, of each direction, are to be added then.
    """

    value: Value
    direction: int
    low: int = 0
    scale: Value | None = None
    bias: Argument | None = None

    @property
    def is_bytes(self) -> bool:
        return self.scale is not None

    def arguments(self) -> list[tuple[str, Argument]]:
        """Those of a step's kernel besides x and the distance of directions."""
        if self.scale is None or self.bias is None:
            return []
        low = Scalar(self.low, "long")
        return [("x_low", low), ("x_scale", Read(self.scale.name)), ("bias", self.bias)]


class RecurrentInputs:
    """padded: units of a gate, with zeros behind the last. narrow: whether they may be multiplied as bytes."""

    def __init__(
        self, composite: Composite, layer: RecurrentLayer, padded: int, narrow: bool
    ) -> None:
        self.composite, self.problem, self.layer = composite, composite.problem, layer
        self.padded, self.rows = padded, layer.time * layer.batch
        self.columns = layer.gates * padded
        self._steps = _steps(self.problem, layer) if narrow else None
        self._x = composite.input(0).reshaped(self.rows, layer.features)
        self._bytes = -(-self.rows * self.columns * 4 // INNER_ALIGNMENT) * INNER_ALIGNMENT

    def project(self) -> Projected:
        return self._of_floats() if self._steps is None else self._of_bytes(self._steps)

    def units(self, array: np.ndarray, axis: int) -> np.ndarray:
        """Zeros behind the last unit, up to whole vectors."""
        widths = [(0, 0)] * array.ndim
        widths[axis] = (0, self.padded - self.layer.hidden)
        return np.pad(array, widths)

    def _weights(self, array: np.ndarray, d: int) -> np.ndarray:
        layer = self.layer
        gates = array[d].reshape(layer.gates, layer.hidden, layer.features)
        return self.units(gates, 1).reshape(self.columns, layer.features)

    def _biases(self, array: np.ndarray, d: int, linear: bool) -> np.ndarray:
        layer = self.layer
        of_inputs, of_state = array[d].reshape(2, layer.gates, layer.hidden)
        added = of_state.copy()
        if linear:  # the last gate's is added before the reset
            added[2] = 0
        return self.units(of_inputs + added, 1).reshape(self.columns)

    def _of_floats(self) -> Projected:
        layer, composite, problem = self.layer, self.composite, self.problem
        whole = composite.scratch("projected", (layer.directions, self._bytes // 4))
        linear = problem.node.op == "GRU" and bool(problem.node.attrs.linear_before_reset)
        for d in range(layer.directions):
            settings = (d, layer.gates, self.padded, linear)

            def weights(array: np.ndarray, d: int = d) -> np.ndarray:
                return self._weights(array, d)

            def biases(array: np.ndarray, d: int = d) -> np.ndarray:
                return self._biases(array, d, linear)

            operands = [self._x, composite.derived(1, "recurrent.w", settings, weights)]
            if problem.has(3):
                operands.append(composite.derived(3, "recurrent.b", settings, biases))
            target = composite.inside(whole, d * self._bytes, (self.rows, self.columns))
            composite.emit("Gemm", operands, target, transB=1)
        return Projected(whole, self._bytes // 4)

    def _of_bytes(self, steps: np.ndarray) -> Projected:
        """Inputs in 16 bits, whose high and low bytes are multiplied apart."""
        layer, composite = self.layer, self.composite
        whole = composite.scratch("projected", (2 * layer.directions, self._bytes // 4))
        planes, scale = self._split()
        for d in range(layer.directions):
            settings, step = (d, layer.gates, self.padded, float(steps[d])), steps[d]

            def weights(array: np.ndarray, d: int = d, step: np.float32 = step) -> np.ndarray:
                return np.rint(self._weights(array, d) / step).astype(np.int8)

            def factors(array: np.ndarray, step: np.float32 = step) -> np.ndarray:
                return np.full(self.columns, step, np.float32)

            w = composite.derived(1, "recurrent.w.bytes", settings, weights)
            each = composite.derived(1, "recurrent.w.step", settings, factors)
            for part, (plane, zero, unit) in enumerate(
                zip(planes, (128, 0), (256, 1), strict=True)
            ):
                at = (2 * d + part) * self._bytes
                target = composite.inside(whole, at, (self.rows, self.columns))
                numbers = [self._number(np.uint8(zero)), w, self._number(np.float32(unit)), each]
                composite.emit("ByteMatMulToFloat", [plane, *numbers], target)
        return Projected(whole, self._bytes // 2, self._bytes // 4, scale, self._all_biases())

    def _number(self, number: np.generic) -> Value:
        """A constant of one number."""
        settings = (number.dtype.str, number.item())
        return self.composite.derived(1, "number", settings, lambda _: np.array([number]))

    def _split(self) -> tuple[tuple[Value, Value], Value]:
        """High and low bytes of all inputs, and the step of each row."""
        composite, problem, shape = self.composite, self.problem, self._x.shape
        high = composite.scratch("high", shape, DType.UINT8)
        low = composite.scratch("low", shape, DType.UINT8)
        scale = composite.scratch("scale", shape[:1])
        kernel = split_kernel(problem.device.vector_width)
        arguments = [
            ("x", self._x.argument()),
            *((n, Write(v.name)) for n, v in (("high", high), ("low", low), ("scale", scale))),
            ("features", Scalar(shape[1])),
        ]
        composite.call(problem.call(kernel, arguments, (self.rows,)))
        return (high, low), scale

    def _all_biases(self) -> Argument:
        """(directions, gates * padded)."""
        directions = range(self.layer.directions)
        if not self.problem.has(3):
            return Table(np.zeros(len(directions) * self.columns, np.float32))

        def pack(array: np.ndarray) -> np.ndarray:
            return np.concatenate([self._biases(array, d, False) for d in directions])

        settings = (len(directions), self.layer.gates, self.padded)
        return Packed(self.problem.node.inputs[3], Packing("recurrent.b.all", settings, pack))


def split_kernel(lanes: int) -> Kernel:
    """Makes planes of bytes of rows of inputs."""
    return Kernel.of("recurrent/inputs.cl.mako", "recurrent_inputs", lanes=lanes)


def _steps(problem: Problem, layer: RecurrentLayer) -> np.ndarray | None:
    """Of each direction what one step of W is, if the inputs are multiplied as bytes: where the processor has an instruction
    that sums four products."""
    device = problem.device
    if device.dot != "vnni" or not device.dot_verified or problem.node.op != "LSTM":
        return None
    if not problem.x.size or not layer.features < _MOST_INPUTS:
        return None
    return byte_steps(problem, layer.directions, 1)
