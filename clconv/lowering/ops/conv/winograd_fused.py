"""Winograd's F(2x2, 3x3) on plain tensors for GPUs in one kernel: what is transformed never leaves a work-group.

F(4x4, 3x3) would need 36 sums for each filter and tile in registers, more than pays for fewer products.
"""

from __future__ import annotations

import math
import re

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.choice.matrix import matrix_for
from clconv.lowering.model.arguments import Argument, Packing, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.ops.conv.transforms import F2_3
from clconv.lowering.ops.conv.winograd_filters import Places, transformed
from clconv.lowering.ops.conv.winograd_tiles import TileGrid, mixed_tiles, window_obstacle
from clconv.lowering.shared.blocked import plain_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.tile_choice import group_seconds
from clconv.lowering.shared.tiles import subgroup_of, work_group_obstacle

# Of a work-group; kernels/conv/winograd_fused.cl.mako is made for these.
_ITEMS, _FILTERS, _TILES, _CHANNELS = 256, 32, 32, 8
_LOCAL_BYTES = 2 * 4 * F2_3.n**2 * _CHANNELS * _FILTERS
# Instructions of an item for a step of 8 channels, counted as kernels compiled for sm_90 and for Intel's GPUs have them, and its
# registers.
_ISSUED, _ISSUED_BY_INTEL, _REGISTERS = 700, 760, 128


def _weights() -> Packing:
    """U = G g G' as (filters / 32, channels / 8, 16, 8, 32), padded with zeros."""

    def pack(w: np.ndarray) -> np.ndarray:
        filters, channels = w.shape[:2]
        blocks, steps = -(-filters // _FILTERS), -(-channels // _CHANNELS)
        full = np.zeros((blocks * _FILTERS, steps * _CHANNELS, F2_3.n**2), np.float32)
        full[:filters, :channels] = (
            w.reshape(filters, channels, 9).astype(np.float32) @ F2_3.both_weights.T
        )
        parts = full.reshape(blocks, _FILTERS, steps, _CHANNELS, F2_3.n**2)
        return np.ascontiguousarray(parts.transpose(0, 2, 4, 3, 1))

    def places(filters: int, channels: int) -> Places:
        blocks, steps = -(-filters // _FILTERS), -(-channels // _CHANNELS)
        step = _CHANNELS * _FILTERS
        return Places(
            blocks * _FILTERS, steps * _CHANNELS, _FILTERS, _CHANNELS, steps * F2_3.n**2 * step,
            F2_3.n**2 * step, _FILTERS, step,
        )  # fmt: skip

    on_device = transformed(F2_3, places)
    return Packing("conv.winograd_fused", (), pack, DType.FLOAT32, on_device)


def _is_intel(device: DeviceInfo) -> bool:
    return "Intel" in device.vendor and not device.is_cpu


def _scale(problem: Problem, padding: str) -> int:
    """Of distances from a corner of a tile, the only ones that items hold then; 0 where they hold four rows and four columns.

    NVIDIA's instructions for addresses multiply by an element's bytes, others' do not. There, it costs a few instructions, which
    registers are worth where 16 items run side by side on Intel's GPUs, and on RDNA 1 and 2: two work-groups run in the place of one.
    """
    device = problem.device
    if padding not in ("none", "constant"):
        return 0
    if "NVIDIA" in device.vendor:
        return 1
    crowded = _runs_16(device) or re.match(r"gfx10", device.name)
    return problem.x.dtype.itemsize if crowded else 0


def _runs_16(device: DeviceInfo) -> bool:
    return _is_intel(device) and device.subgroup == 16


def _applies(problem: Problem) -> str | None:
    device = problem.device
    if _runs_16(device) and not _scale(problem, ConvShape.of(problem).padding):
        return "takes a few registers more than items of this GPU have, but for windows that read zeros beside the image"
    return (
        window_obstacle(problem, F2_3)
        or plain_obstacle(problem)
        or work_group_obstacle(device, _LOCAL_BYTES, _ITEMS)
    )


def _lower(problem: Problem) -> Lowered:
    shape = ConvShape.of(problem)
    grid = TileGrid.of(shape, F2_3)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "conv/winograd_fused.cl.mako", "winograd_fused",
        input=F2_3.input, output=F2_3.output, pad_mode=shape.padding, store=math.gcd(shape.out[1], F2_3.m),
        through_local=_is_intel(problem.device) and not _runs_16(problem.device),
        scale=_scale(problem, shape.padding), subgroup=subgroup_of(problem.device, None), bias=problem.has(2),
        epilogue=epilogue.terms, epilogue_names=epilogue.names,
    )  # fmt: skip
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, _weights())),
        *bias_arguments(problem, 1),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(shape.channels)),
        ("filters", Scalar(shape.filters)),
        *shape.padded_arguments,
        *shape.out_arguments,
        ("batch", Scalar(shape.batch)),
        *grid.arguments,
        *epilogue.arguments,
    ]
    size = (-(-grid.count // _TILES) * _ITEMS, -(-shape.filters // _FILTERS))
    return Lowered((problem.call(kernel, arguments, size, (_ITEMS, 1)),))


def _estimate(problem: Problem) -> float:
    """Infinite where matrix instructions may be used: one of them does more than all that the transforms save, unless it adds
    no more than two products at a time."""
    kind = matrix_for(problem)
    if problem.device.is_cpu or (kind is not None and not kind.is_alone):
        return math.inf
    shape = ConvShape.of(problem)
    groups = -(-TileGrid.of(shape, F2_3).count // _TILES) * -(-shape.filters // _FILTERS)
    steps = -(-shape.channels // _CHANNELS)
    packing = packing_seconds(problem, F2_3.n**2 / F2_3.window**2)
    issued = _ISSUED_BY_INTEL if _is_intel(problem.device) else _ISSUED
    return group_seconds(problem.device, groups, steps, _ITEMS, issued, _REGISTERS) + packing


WINOGRAD2_FUSED = Variant(
    "Conv", "winograd2_fused", _applies, _lower, estimate=_estimate, mixes=mixed_tiles
)
