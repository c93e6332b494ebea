"""Variants of MaxPoolGradient and AveragePoolGradient: channel blocks for CPUs, and a simple one for anything."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType, Layout
from clconv.graph.ops.pool.gradient import axis_shares
from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.blocked import (
    blocked_obstacle,
    c_type,
    image_arguments,
    pair,
    rows_per_item,
    stored_obstacle,
)
from clconv.lowering.shared.work_split import elements_per_item, items, nested

# Windows and strides that a tile of pixels is unrolled for.
_WIDEST = 16
_MOST_STRIDE = 8


def _largest(problem: Problem) -> bool:
    return problem.node.op == "MaxPoolGradient"


def _far(problem: Problem) -> bool:
    """Whether coordinates of padded pixels may go beyond 32 bits."""
    at = problem.node.attrs
    return any(
        size + at.pads[i] + at.strides[i] + at.dilations[i] * at.kernel_shape[i] >= 1 << 30
        for i, size in enumerate(at.size)
    )


def _blocked_applies(problem: Problem) -> str | None:
    at = problem.node.attrs
    if _largest(problem) and problem.input(1).dtype is not DType.UINT8:
        return "reads taps, not indices"
    if max(at.kernel_shape) > _WIDEST or max(at.strides) > _MOST_STRIDE:
        return f"unrolls windows of up to {_WIDEST} pixels and strides of up to {_MOST_STRIDE}"
    if _far(problem):
        return "the padded image or the window has 2^30 pixels along an axis, or more"
    return blocked_obstacle(problem)


def _blocked_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((blocked,) * len(problem.inputs), (blocked,))]


def _blocked_lower(problem: Problem) -> Lowered:
    dy, dx, at = problem.x, problem.y, problem.node.attrs
    if not dx.size:
        return Lowered()
    block, size = problem.device.vector_width, pair(dx.shape[2:], 1)
    blocks = -(-dx.shape[1] // block)
    kernel = Kernel.of(
        "pool/gradient/blocked.cl.mako",
        "pool_gradient_blocked",
        largest=_largest(problem),
        block=block,
        kernel=pair(at.kernel_shape, 1),
        strides=pair(at.strides, 1),
        dilations=pair(at.dilations, 1),
    )
    rows = rows_per_item(problem, size[0], blocks * dx.shape[0])
    if _largest(problem):
        windows: list[tuple[str, Argument]] = [("taps", problem.argument(1))]
    else:
        shares = [share.astype(np.float32) for share in axis_shares(at)]
        shares = [np.ones(1, np.float32), *shares][-2:]
        windows = [("row_share", Table(shares[0])), ("column_share", Table(shares[1]))]
    arguments: list[tuple[str, Argument]] = [
        ("dy", problem.argument(0)),
        *windows,
        ("dx", Write(problem.node.outputs[0])),
        *image_arguments(size, pair(dy.shape[2:], 1), pair(at.pads[: dx.rank - 2], 0)),
        ("rows", Scalar(rows)),
    ]
    return Lowered((problem.call(kernel, arguments, (-(-size[0] // rows), blocks, dx.shape[0])),))


def _simple_lower(problem: Problem) -> Lowered:
    dy, dx, at = problem.x, problem.y, problem.node.attrs
    if not dx.size:
        return Lowered()
    axes, by = range(dx.rank - 2), "shares"
    if _largest(problem):
        by = "taps" if problem.input(1).dtype is DType.UINT8 else "indices"
    place = "long" if _far(problem) else "int"
    kernel = Kernel.of(
        "pool/gradient/simple.cl.mako",
        "pool_gradient_simple",
        type=c_type(dy.dtype),
        by=by,
        kernel=at.kernel_shape,
        strides=at.strides,
        dilations=at.dilations,
        place=place,
    )
    if by == "shares":
        number = computed(dy.dtype).numpy
        windows: list[tuple[str, Argument]] = [
            (f"share{i}", Table(share.astype(number))) for i, share in enumerate(axis_shares(at))
        ]
    else:
        windows = [("where", problem.argument(1))]
    # No pixel lies farther from a window's first one than that.
    far = [min(at.dilations[i] * (at.kernel_shape[i] - 1), at.size[i] + at.pads[i]) for i in axes]
    per_item = elements_per_item(problem.device, dx.size, least=512)
    arguments: list[tuple[str, Argument]] = [
        ("dy", problem.argument(0)),
        *windows,
        ("dx", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(dx.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(dy.shape[2 + i])) for i in axes),
        *((f"begin{i}", Scalar(at.pads[i], place)) for i in axes),
        *((f"far{i}", Scalar(far[i], place)) for i in axes),
        ("total", Scalar(dx.size, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(dx.size, per_item),)),))


def _simple_rounds(problem: Problem) -> int:
    """Windows that hold one pixel."""
    at, dy = problem.node.attrs, problem.x
    most = (
        min(out, at.dilations[i] * (at.kernel_shape[i] - 1) // at.strides[i] + 1)
        for i, out in enumerate(dy.shape[2:])
    )
    return nested(1, *most)


for _op in ("MaxPoolGradient", "AveragePoolGradient"):
    register(
        Variant(_op, "blocked", _blocked_applies, _blocked_lower, _blocked_signatures),
        Variant(_op, "simple", stored_obstacle, _simple_lower, rounds=_simple_rounds),
    )
