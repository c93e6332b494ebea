"""The variant of DeformConv: the samples of every tap become columns, and these are multiplied by the filters."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.kernel import (
    Kernel,
    Lowered,
    Problem,
    Variant,
    register,
)
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.composite import Parts
from clconv.lowering.shared.work_split import items, share_of


def _lower(problem: Problem) -> Lowered:
    at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y
    if not y.size:
        return Lowered()
    parts = Parts(problem)
    (batch, channels, height, width), pixels = x.shape, math.prod(y.shape[2:])
    taps = math.prod(w.shape[2:])
    columns = parts.scratch("columns", (batch, channels * taps, pixels), x.dtype)
    kernel = Kernel.of(
        "conv/deform/sample.cl.mako",
        "deform_sample",
        type=C_TYPES[x.dtype.value],
        mask=problem.has(4),
    )
    share = min(pixels, share_of(problem.device, pixels * taps * channels * batch, least=256))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("offset", problem.argument(2)),
        *([("mask", problem.argument(4))] if problem.has(4) else []),
        ("columns", Write(columns.name)),
        ("channels", Scalar(channels)),
        ("height", Scalar(height)),
        ("width", Scalar(width)),
        ("out_width", Scalar(y.shape[3])),
        ("pixels", Scalar(pixels)),
        ("groups", Scalar(at.offset_group)),
        ("kernel_height", Scalar(w.shape[2])),
        ("kernel_width", Scalar(w.shape[3])),
        ("stride_y", Scalar(at.strides[0])),
        ("stride_x", Scalar(at.strides[1])),
        ("dilation_y", Scalar(at.dilations[0])),
        ("dilation_x", Scalar(at.dilations[1])),
        ("pad_y", Scalar(at.pads[0])),
        ("pad_x", Scalar(at.pads[1])),
        ("share", Scalar(share)),
    ]
    parts.call(problem.call(kernel, arguments, (items(pixels, share), channels * taps, batch)))
    filters, inner = y.shape[1] // at.group, w.shape[1] * taps
    left = parts.input(1).reshaped(at.group, filters, inner)
    right = columns.reshaped(batch, at.group, inner, pixels)
    shape = (batch, at.group, filters, pixels)
    if problem.has(3):
        product = parts.emit("MatMul", [left, right]).reshaped(batch, y.shape[1], pixels)
        bias = parts.input(3).reshaped(y.shape[1], 1)
        parts.emit("Add", [product, bias], parts.output(0, batch, y.shape[1], pixels))
    else:
        parts.emit("MatMul", [left, right], parts.output(0, *shape))
    return parts.lowered()


register(Variant("DeformConv", "columns", arithmetic_obstacle, _lower))
