"""What the variants of Conv share: sizes, what channel blocks ask for, register tiles."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable

from clconv.device.info import DeviceInfo
from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.kernel import AUTO, Problem
from clconv.lowering.shared.blocked import (
    image_arguments,
    kernel_pad_mode,
    pair,
)
from clconv.lowering.shared.epilogue import channel_packing
from clconv.lowering.shared.tile_choice import launch_seconds
from clconv.lowering.shared.tiles import memory_rate
from clconv.records import record


@record(frozen=True)
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
        spatial = x.rank - 2
        begin, end = pair(at.pads[:spatial], 0), pair(at.pads[spatial:], 0)
        shape = cls(
            x.shape[0], x.shape[1], y.shape[1], at.group, pair(x.shape[2:], 1), pair(y.shape[2:], 1),
            pair(w.shape[2:], 1), pair(at.strides, 1), pair(at.dilations, 1), begin, (*begin, *end),
            at.pad_mode,
        )  # fmt: skip
        return shape._as_one_row() if shape.is_pointwise else shape

    @property
    def is_pointwise(self) -> bool:
        """1x1, stride 1, no padding: pixels do not see their neighbours."""
        return self.kernel == (1, 1) and self.strides == (1, 1) and not any(self.pads)

    @property
    def padding(self) -> str:
        """The padding mode as templates have it: "none" where no window leaves the image."""
        if not any(self.pads):
            return "none"
        return kernel_pad_mode(self.pad_mode, self.size, self.pads)

    @property
    def parameters(self) -> dict[str, Hashable]:
        """The window, for which its kernels are made."""
        return {
            "kernel": self.kernel,
            "strides": self.strides,
            "dilations": self.dilations,
            "pad_mode": self.padding,
        }

    @property
    def arguments(self) -> list[tuple[str, Argument]]:
        """The sizes and padding that its kernels take."""
        return image_arguments(self.size, self.out, self.begin)

    @property
    def padded_arguments(self) -> list[tuple[str, Argument]]:
        """The size of the image, the padding before it, and its size with all its padding."""
        (height, width), (top, left), (_, _, bottom, right) = self.size, self.begin, self.pads
        values = {
            "height": height, "width": width, "pad_top": top, "pad_left": left,
            "padded_height": top + height + bottom, "padded_width": left + width + right,
        }  # fmt: skip
        return [(name, Scalar(value)) for name, value in values.items()]

    @property
    def out_arguments(self) -> list[tuple[str, Argument]]:
        """The size of the result."""
        return [("out_height", Scalar(self.out[0])), ("out_width", Scalar(self.out[1]))]

    def _as_one_row(self) -> ConvShape:
        pixels = math.prod(self.size)
        return dataclasses.replace(self, size=(1, pixels), out=(1, pixels))


def bias_argument(problem: Problem, block: int) -> Argument:
    """The bias padded to whole blocks; without one the kernel has no such parameter."""
    return problem.packed(2, channel_packing(block))


def bias_arguments(problem: Problem, block: int) -> list[tuple[str, Argument]]:
    """The bias as kernels take it that have one."""
    return [("bias", bias_argument(problem, block))] if problem.has(2) else []


def register_tile(device_registers: int, blocks: int) -> tuple[int, int]:
    """(output vectors, pixels) of the register tile: accumulators + weights + one input <= registers."""
    vectors = 2 if blocks % 2 == 0 else 3 if blocks % 3 == 0 else 1 if blocks == 1 else 2
    pixels = (device_registers - 1 - vectors) // vectors
    return vectors, min(pixels, 12)


# Input channels that the inner loop of a direct convolution is unrolled for; blocks of them are of 4, 8 or 16.
LANES = 4
# Work-items for each core, so that none works alone at the end.
ITEMS_A_CORE = 16
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
    lanes = device.vector_width
    if "halves-512-bits" in device.quirks:
        lanes = min(lanes, 8)
    return 2.5e9 * 4 * lanes * device.compute_units


def cache_rate(device: DeviceInfo, nbytes: int) -> float:
    """Bytes a second that a core reads of weights of that size, roughly, times the cores: from the last-level cache, or
    partly from memory, for networks of large layers are larger than what is kept."""
    return (20e9 if nbytes > _KEPT_BYTES else 30e9) * device.compute_units


# Of a layer's weights: measured, 3x3, 256 filters at 14 x 14, whose 9 MB took longer than more products of 4 MB.
_KEPT_BYTES = 8 << 20


# Bytes of packed filters that a core writes in a second, measured: they are large, and go to memory.
_PACKED_RATE = 5e9


def packing_seconds(problem: Problem, growth: float = 1.0) -> float:
    """Of the launch that packs filters which a run brings, `growth` times as large as they are; none for constants, which
    are packed once. In the measure of the other estimates."""
    if problem.is_constant(1):
        return 0.0
    nbytes = 4 * problem.input(1).size * growth
    if problem.device.is_cpu:
        return nbytes / (_PACKED_RATE * problem.device.compute_units)
    return 2 * nbytes / memory_rate(problem.device) + launch_seconds(problem.device)


def merged_groups(group: int, channels: int, filters: int, block: int) -> int:
    """How many groups count as one, so that each fills channel blocks or is the only one. channels, filters: of a
    group."""
    fitting = (
        merged
        for merged in range(1, group)
        if not (group % merged or merged * channels % block or merged * filters % block)
    )
    return next(fitting, group)
