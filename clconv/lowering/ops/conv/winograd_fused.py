"""Winograd's F(2x2, 3x3) and F(4x4, 3x3) on plain tensors for GPUs in one kernel: what is transformed never leaves a work-group.

Each item sums for one position of a tile. F(4x4, 3x3) has 36 of them: a work-group makes fewer tiles, and reads the weights of a
filter more often; it multiplies 2.25 times for each result where F(2x2, 3x3) does four times.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Hashable

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.choice.matrix import matrix_for
from clconv.lowering.model.arguments import Argument, Packing, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.model.obstacles import work_group_obstacle
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.ops.conv.transforms import F2_3, F4_3, Transform
from clconv.lowering.ops.conv.winograd_filters import Places, transformed
from clconv.lowering.ops.conv.winograd_tiles import TileGrid, mixed_tiles, window_obstacle
from clconv.lowering.shared.blocked import plain_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.tile_choice import group_seconds
from clconv.lowering.shared.tiles import subgroup_of

_FILTERS = 32  # of a work-group


@dataclasses.dataclass(frozen=True)
class _Group:
    """What a template is made for: items and tiles of a work-group, channels of a step. issued: instructions of an item for a step, as
    kernels compiled for sm_90, for Intel's and for AMD's GPUs have them; more_steps: as many take what an item does before and
    behind."""

    transform: Transform
    entry: str
    items: int
    tiles: int
    channels: int
    issued: tuple[int, int, int]
    more_steps: int
    padded: int = 0  # bytes of local memory for each position besides

    @property
    def read_bytes(self) -> int:
        """Of a step: of weights and of pixels, as many as there will be of transformed ones."""
        return 4 * self.transform.n**2 * self.channels * (_FILTERS + self.tiles)

    @property
    def local_bytes(self) -> int:
        return self.read_bytes + self.transform.n**2 * self.padded


_F2 = _Group(F2_3, "winograd2_fused", 256, 32, 8, (700, 760, 700), 1)
_F4 = _Group(F4_3, "winograd4_fused", 216, 12, 3, (331, 390, 388), 2, 16)
_REGISTERS = 128  # of an item


def _weights(group: _Group) -> Packing:
    """U = G g G' as (filters / 32, channels / those of a step, n * n, those of a step, 32), padded with zeros."""
    transform, step = group.transform, group.channels
    positions = transform.n**2

    def pack(w: np.ndarray) -> np.ndarray:
        filters, channels = w.shape[:2]
        blocks, steps = -(-filters // _FILTERS), -(-channels // step)
        full = np.zeros((blocks * _FILTERS, steps * step, positions), np.float32)
        full[:filters, :channels] = (
            w.reshape(filters, channels, 9).astype(np.float32) @ transform.both_weights.T
        )
        parts = full.reshape(blocks, _FILTERS, steps, step, positions)
        return np.ascontiguousarray(parts.transpose(0, 2, 4, 3, 1))

    def places(filters: int, channels: int) -> Places:
        blocks, steps = -(-filters // _FILTERS), -(-channels // step)
        size = step * _FILTERS
        return Places(
            blocks * _FILTERS, steps * step, _FILTERS, step, steps * positions * size, positions * size, _FILTERS, size
        )  # fmt: skip

    on_device = transformed(transform, places)
    return Packing("conv.winograd_fused", (transform.m,), pack, DType.FLOAT32, on_device)


def _is_intel(device: DeviceInfo) -> bool:
    return "Intel" in device.vendor and not device.is_cpu


def _scale(problem: Problem, group: _Group, padding: str) -> int:
    """Of distances from a corner of a tile, the only ones that items hold then; 0 where they hold rows and columns.

    NVIDIA's instructions for addresses multiply by an element's bytes, others' do not. There, it costs F(2, 3) a few instructions,
    which registers are worth where 16 items run side by side on Intel's GPUs, and on RDNA 1 and 2: two work-groups run in the
    place of one.
    """
    device = problem.device
    if padding not in ("none", "constant"):
        return 0
    if "NVIDIA" in device.vendor:
        return 1
    crowded = group is _F4 or _runs_16(device) or re.match(r"gfx10", device.name)
    return problem.x.dtype.itemsize if crowded else 0


def _runs_16(device: DeviceInfo) -> bool:
    return _is_intel(device) and device.subgroup == 16


def _applies(problem: Problem, group: _Group) -> str | None:
    device = problem.device
    of_zeros = ConvShape.of(problem).padding in ("none", "constant")
    if not of_zeros and (group is _F4 or _runs_16(device)):
        return "needs windows that read zeros beside the image: items have no registers for rows and columns"
    return (
        window_obstacle(problem, group.transform)
        or plain_obstacle(problem)
        or work_group_obstacle(device, group.local_bytes, group.items)
    )


def _lower(problem: Problem, group: _Group) -> Lowered:
    shape = ConvShape.of(problem)
    grid = TileGrid.of(shape, group.transform)
    epilogue = plan_epilogue(problem)
    settings: dict[str, Hashable] = {
        "input": group.transform.input,
        "output": group.transform.output,
        "store": math.gcd(shape.out[1], group.transform.m),
        "subgroup": subgroup_of(problem.device, None),
        "scale": _scale(problem, group, shape.padding),
        "bias": problem.has(2),
        "epilogue": epilogue.terms,
        "epilogue_names": epilogue.names,
    }
    if group is _F2:
        through_local = _is_intel(problem.device) and not _runs_16(problem.device)
        settings |= {"pad_mode": shape.padding, "through_local": through_local}
    else:
        settings["ahead"] = "NVIDIA" in problem.device.vendor
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, _weights(group))),
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
    made = Kernel.of(f"conv/fused/winograd{group.transform.m}.cl.mako", group.entry, **settings)
    size = (-(-grid.count // group.tiles) * group.items, -(-shape.filters // _FILTERS))
    return Lowered((problem.call(made, arguments, size, (group.items, 1)),))


def _estimate(problem: Problem, group: _Group) -> float:
    """Infinite where matrix instructions may be used: one of them does more than all that the transforms save, unless it adds
    no more than two products at a time."""
    kind = matrix_for(problem)
    if problem.device.is_cpu or (kind is not None and not kind.is_alone):
        return math.inf
    shape, transform = ConvShape.of(problem), group.transform
    tiles = TileGrid.of(shape, transform).count
    groups = -(-tiles // group.tiles) * -(-shape.filters // _FILTERS)
    steps = -(-shape.channels // group.channels) + group.more_steps
    packing = packing_seconds(problem, transform.n**2 / transform.window**2)
    vendor = problem.device.vendor
    issued = group.issued[0 if "NVIDIA" in vendor else 1 if "Intel" in vendor else 2]
    seconds = group_seconds(
        problem.device, groups, steps, group.items, issued, _REGISTERS, group.read_bytes
    )
    return seconds + packing


def _variant(group: _Group) -> Variant:
    return Variant(
        "Conv",
        group.entry,
        lambda problem: _applies(problem, group),
        lambda problem: _lower(problem, group),
        estimate=lambda problem: _estimate(problem, group),
        mixes=mixed_tiles,
    )


WINOGRAD2_FUSED = _variant(_F2)
WINOGRAD4_FUSED = _variant(_F4)
