"""Variants of Pad and CenterCropPad: rows of the padded tensor, in any mode, plain or on channel blocks."""

from __future__ import annotations

import math

from clconv.graph.ops.movement.pad import center_crop_pad_widths, pad_widths
from clconv.lowering.copies.movement import blocked_signature, node_call, register_mover
from clconv.lowering.copies.strided import MOST_GROUPS
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.shared.blocked import kernel_pad_mode
from clconv.records import record


@record(frozen=True)
class PadAxis:
    """An axis of a row-major tensor: its size, the elements cut off at both ends, then those added."""

    size: int
    crop: tuple[int, int] = (0, 0)
    pad: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, size: int, widths: tuple[int, int]) -> PadAxis:
        begin, end = widths
        return cls(size, (max(0, -begin), max(0, -end)), (max(0, begin), max(0, end)))

    @property
    def is_whole(self) -> bool:
        return not any((*self.crop, *self.pad))

    @property
    def kept(self) -> int:
        return self.size - sum(self.crop)

    @property
    def out(self) -> int:
        return self.kept + sum(self.pad)


def collapse(axes: list[PadAxis]) -> tuple[list[PadAxis], int]:
    """The axes without neighbours that nothing happens to, and the elements that stay together behind them."""
    merged: list[PadAxis] = []
    for axis in axes:
        if merged and merged[-1].is_whole and axis.is_whole:
            merged[-1] = PadAxis(merged[-1].size * axis.size)
        else:
            merged.append(axis)
    unit = merged.pop().size if merged and merged[-1].is_whole else 1
    return merged or [PadAxis(1)], unit


def _widths(problem: Problem) -> list[tuple[int, int]]:
    if problem.node.op == "Pad":
        return pad_widths(node_call(problem))
    wanted = problem.constant(1)
    assert wanted is not None  # the shape rule needed it
    sizes = [int(v) for v in wanted.reshape(-1)]
    return center_crop_pad_widths(problem.x.shape, sizes, problem.node.attrs.axes)


def _folded(axes: list[PadAxis]) -> tuple[list[int], list[int]]:
    """Sizes of axes as padding finds them, and pads: all begins, then all ends."""
    return [a.kept for a in axes], [*(a.pad[0] for a in axes), *(a.pad[1] for a in axes)]


def _pad_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if not y.size:
        return Lowered()
    write = Write(problem.node.outputs[0])
    mode = problem.node.attrs.get("mode", "constant")
    given = problem.node.op == "Pad" and problem.has(2) and mode == "constant"
    # On channel blocks only axes behind the channels are padded, so blocks count like channels.
    sizes = x.layout.physical(x.shape)
    pairs = [*_widths(problem), (0, 0)][: len(sizes)]
    axes, unit = collapse([PadAxis.of(size, pair) for size, pair in zip(sizes, pairs, strict=True)])
    is_cpu, itemsize = problem.device.is_cpu, x.dtype.itemsize
    kernel = Kernel.of(
        "movement/pad.cl.mako",
        "pad",
        type=MOVE_TYPES[itemsize],
        width=min(16, 32 // itemsize) if is_cpu else 1,
        rank=len(axes),
        mode=kernel_pad_mode(mode, *_folded(axes)),
        given=given,
        single=unit == 1,
    )
    strides = [unit * math.prod(a.size for a in axes[i + 1 :]) for i in range(len(axes))]
    offset = sum(axis.crop[0] * stride for axis, stride in zip(axes, strides, strict=True))
    rows = math.prod(axis.out for axis in axes[:-1])
    length = axes[-1].out * unit
    if is_cpu:
        wanted = max(4096, rows * length // (8 * problem.device.compute_units))
        chunk, items = max(1, wanted // length), 1
    else:
        chunk, items = -(-rows // MOST_GROUPS), length
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *([("value", problem.argument(2))] if given else []),
        ("y", write),
        ("x_offset", Scalar(offset, "long")),
        *((f"out{i}", Scalar(axis.out)) for i, axis in enumerate(axes)),
        *((f"kept{i}", Scalar(axis.kept)) for i, axis in enumerate(axes)),
        *((f"begin{i}", Scalar(axis.pad[0])) for i, axis in enumerate(axes)),
        *((f"stride{i}", Scalar(stride, "long")) for i, stride in enumerate(strides)),
        ("unit", Scalar(unit)),
        ("rows", Scalar(rows)),
        ("chunk", Scalar(chunk)),
    ]
    return Lowered((problem.call(kernel, arguments, (items, -(-rows // chunk))),))


def _obstacle(problem: Problem) -> str | None:
    if any(any(pair) for pair in _widths(problem)[:2]):
        return "batch or channels are padded"
    return None


register_mover("Pad", _pad_lower, _obstacle, blocked_signature)
register_mover("CenterCropPad", _pad_lower, _obstacle, blocked_signature)
