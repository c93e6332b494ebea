"""What the variants of Conv share: sizes, what channel blocks ask for, register tiles."""

from __future__ import annotations

import dataclasses
import math

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.arguments import Argument, Packed
from clconv.lowering.device import DeviceInfo
from clconv.lowering.epilogue import channel_packing, epilogue_obstacle
from clconv.lowering.kernel import AUTO, Problem, Signature
from clconv.lowering.obstacles import computed


@dataclasses.dataclass(frozen=True)
class ConvShape:
    """Sizes of a convolution, one- and two-dimensional alike (1-D: height 1)."""

    batch: int
    channels: int
    filters: int
    group: int
    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    begin: tuple[int, int]  # padding before the first row and column
    pads: tuple[int, int, int, int]
    pad_mode: str

    @classmethod
    def of(cls, problem: Problem) -> ConvShape:
        """Raises nothing: applies() has checked that there are one or two spatial axes."""
        at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y

        def two(values: tuple[int, ...], fill: int) -> tuple[int, int]:
            return (fill, values[0]) if len(values) == 1 else (values[0], values[1])

        spatial = x.rank - 2
        begin, end = two(at.pads[:spatial], 0), two(at.pads[spatial:], 0)
        shape = cls(
            x.shape[0], x.shape[1], y.shape[1], at.group, two(x.shape[2:], 1), two(y.shape[2:], 1),
            two(w.shape[2:], 1), two(at.strides, 1), two(at.dilations, 1), begin, (*begin, *end),
            at.pad_mode,
        )  # fmt: skip
        return shape._as_one_row() if shape.is_pointwise else shape

    @property
    def is_pointwise(self) -> bool:
        """1x1, stride 1, no padding: pixels do not see their neighbours."""
        return self.kernel == (1, 1) and self.strides == (1, 1) and not any(self.pads)

    def _as_one_row(self) -> ConvShape:
        pixels = math.prod(self.size)
        return dataclasses.replace(self, size=(1, pixels), out=(1, pixels))


def blocked_obstacle(problem: Problem) -> str | None:
    """Why no kernel on channel blocks can run this convolution."""
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not problem.device.is_cpu:
        return "channel blocks are for CPU devices"
    if problem.x.rank > 4:
        return f"needs one or two spatial axes, got {problem.x.rank - 2}"
    if not problem.is_constant(1) or (problem.has(2) and not problem.is_constant(2)):
        return "needs constant weights"
    return epilogue_obstacle(problem)


def plain_obstacle(problem: Problem) -> str | None:
    """Why no kernel for plain float tensors of one or two spatial axes can run this convolution."""
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if problem.x.rank > 4:
        return f"needs one or two spatial axes, got {problem.x.rank - 2}"
    return epilogue_obstacle(problem)


def bias_argument(problem: Problem, block: int) -> Argument:
    """The bias padded to whole blocks; without one the kernel has no such parameter."""
    return Packed(problem.node.inputs[2], channel_packing(block))


def blocked_signature(problem: Problem, x: Layout, y: Layout) -> Signature:
    """x and y in these layouts; operands of the epilogue that have y's shape in y's layout."""
    inputs = [x] + [PLAIN] * (len(problem.inputs) - 1)
    for i in range(len(problem.node.op_inputs), len(problem.inputs)):
        spec = problem.inputs[i]  # None: an operand that a step does without
        if spec is not None and spec.shape == problem.y.shape and not problem.is_constant(i):
            inputs[i] = y
    return Signature(tuple(inputs), (y,))


def register_tile(device_registers: int, blocks: int) -> tuple[int, int]:
    """(output vectors, pixels) of the register tile: accumulators + weights + one input <= registers."""
    vectors = 2 if blocks % 2 == 0 else 3 if blocks % 3 == 0 else 1 if blocks == 1 else 2
    pixels = (device_registers - 1 - vectors) // vectors
    return vectors, min(pixels, 12)


# Of register tiles: output vectors, and pixels. The larger ones spill where a device has few registers.
TILE_SPACE: dict[str, tuple[int | str, ...]] = {
    "vectors": (AUTO, 1, 2, 3, 4),
    "pixels": (AUTO, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14),
}


def chosen_tile(problem: Problem, blocks: int) -> tuple[int, int]:
    """register_tile(), or what tuning found better."""
    given, registers = problem.parameters, problem.device.registers
    vectors, pixels = register_tile(registers, blocks)
    if "vectors" in given:
        vectors = given["vectors"]
        pixels = min((registers - 1 - vectors) // vectors, 12)
    return vectors, given.get("pixels", pixels)


def arithmetic_rate(device: DeviceInfo) -> float:
    """Floating-point operations a second that a register tile reaches, roughly: two fused multiply-add
    units at 2.5 GHz on every core. Only ratios between estimates matter."""
    return 2.5e9 * 4 * device.vector_width * device.compute_units


def cache_rate(device: DeviceInfo) -> float:
    """Bytes a second that a core reads from the last-level cache, roughly, times the cores."""
    return 30e9 * device.compute_units
