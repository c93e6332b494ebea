"""Variants of DeformConv: the samples of every tap become columns, and these are multiplied by the filters.

On CPUs the channels of a pixel lie together, so that one place in the image is computed, and read, for all of them.
"""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Read, Scalar, Table, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.blocked import rows_per_item
from clconv.lowering.shared.composite import Composite, Value
from clconv.lowering.shared.work_split import elements_per_item, items


def _place_arguments(problem: Problem) -> list[tuple[str, Argument]]:
    mask = [("mask", problem.argument(4))] if problem.has(4) else []
    return [("offset", problem.argument(2)), *mask]


def _window_arguments(problem: Problem) -> list[tuple[str, Argument]]:
    at, w = problem.node.attrs, problem.input(1)
    return [
        ("kernel_height", Scalar(w.shape[2])),
        ("kernel_width", Scalar(w.shape[3])),
        ("stride_y", Scalar(at.strides[0])),
        ("stride_x", Scalar(at.strides[1])),
        ("dilation_y", Scalar(at.dilations[0])),
        ("dilation_x", Scalar(at.dilations[1])),
        ("pad_y", Scalar(at.pads[0])),
        ("pad_x", Scalar(at.pads[1])),
    ]


# --- channels: a pixel's channels together, on CPUs -----------------------------------------------------


def _channels_applies(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "reading a pixel's channels one after another is for CPU devices"
    if problem.x.dtype is not DType.FLOAT32:
        return f"needs float32, got {problem.x.dtype.value}"
    return arithmetic_obstacle(problem)


def _filters(composite: Composite, groups: int) -> Value:
    """The filters as matrices (groups, taps * channels, filters)."""
    count, channels, *window = composite.input(1).shape
    shape = (groups, count // groups, channels, math.prod(window))
    result = (groups, shape[3] * channels, shape[1])

    def turned(w: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(w.reshape(shape).transpose(0, 3, 2, 1)).reshape(result)

    if composite.problem.is_constant(1):
        return composite.derived(1, "deform_conv.filters", (shape,), turned)
    w = composite.input(1).reshaped(*shape)
    return composite.emit("Transpose", [w], perm=(0, 3, 2, 1)).reshaped(*result)


def _samples(composite: Composite) -> Value:
    """What each tap sees, (N, groups, pixels, taps * channels)."""
    problem = composite.problem
    at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y
    (batch, channels, height, width), pixels = x.shape, math.prod(y.shape[2:])
    taps = math.prod(w.shape[2:])
    image = composite.emit("Transpose", [composite.input(0)], perm=(0, 2, 3, 1))
    columns = composite.scratch("columns", (batch, at.group, pixels, taps * w.shape[1]))
    kernel = Kernel.of(
        "conv/deform/sample_channels.cl.mako",
        "deform_sample_channels",
        block=problem.device.vector_width,
        mask=problem.has(4),
    )
    per_item = rows_per_item(problem, pixels, batch)
    sizes = {
        "channels": channels,
        "height": height,
        "width": width,
        "out_width": y.shape[3],
        "pixels": pixels,
        "groups": at.offset_group,
        "batches": at.group,
        "run": math.gcd(channels // at.offset_group, channels // at.group),
    }
    arguments: list[tuple[str, Argument]] = [
        ("x", Read(image.name)),
        *_place_arguments(problem),
        ("nothing", Table(np.zeros(max(channels, 1), np.float32))),
        ("columns", Write(columns.name)),
        *((name, Scalar(size)) for name, size in sizes.items()),
        *_window_arguments(problem),
        ("per_item", Scalar(per_item)),
    ]
    composite.call(problem.call(kernel, arguments, (items(pixels, per_item), batch)))
    return columns


def _channels_lower(problem: Problem) -> Lowered:
    y, group = problem.y, problem.node.attrs.group
    if not y.size:
        return Lowered()
    composite = Composite(problem)
    pixels, filters = math.prod(y.shape[2:]), y.shape[1] // group
    left, right = _samples(composite), _filters(composite, group)
    bias = [composite.input(3)] if problem.has(3) else []
    if group == 1:
        rows = left.reshaped(y.shape[0] * pixels, left.shape[-1])
        product = composite.emit("Gemm", [rows, right.reshaped(*right.shape[1:]), *bias])
    else:
        product = composite.emit("MatMul", [left, right.reshaped(1, *right.shape)])
    product = product.reshaped(y.shape[0], group, pixels, filters)
    target = composite.output(0, y.shape[0], group, filters, pixels)
    if group == 1 or not bias:
        composite.emit("Transpose", [product], target, perm=(0, 1, 3, 2))
        return composite.lowered()
    turned = composite.emit("Transpose", [product], perm=(0, 1, 3, 2))
    composite.emit("Add", [turned, bias[0].reshaped(group, filters, 1)], target)
    return composite.lowered()


# --- columns: on any device ----------------------------------------------------------------------------


def _columns_lower(problem: Problem) -> Lowered:
    at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y
    if not y.size:
        return Lowered()
    composite = Composite(problem)
    (batch, channels, height, width), pixels = x.shape, math.prod(y.shape[2:])
    taps = math.prod(w.shape[2:])
    columns = composite.scratch("columns", (batch, channels * taps, pixels), x.dtype)
    kernel = Kernel.of(
        "conv/deform/sample.cl.mako",
        "deform_sample",
        type=C_TYPES[x.dtype.value],
        mask=problem.has(4),
    )
    per_item = min(
        pixels, elements_per_item(problem.device, pixels * taps * channels * batch, least=256)
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *_place_arguments(problem),
        ("columns", Write(columns.name)),
        ("channels", Scalar(channels)),
        ("height", Scalar(height)),
        ("width", Scalar(width)),
        ("out_width", Scalar(y.shape[3])),
        ("pixels", Scalar(pixels)),
        ("groups", Scalar(at.offset_group)),
        *_window_arguments(problem),
        ("per_item", Scalar(per_item)),
    ]
    composite.call(
        problem.call(kernel, arguments, (items(pixels, per_item), channels * taps, batch))
    )
    filters, inner = y.shape[1] // at.group, w.shape[1] * taps
    left = composite.input(1).reshaped(at.group, filters, inner)
    right = columns.reshaped(batch, at.group, inner, pixels)
    shape = (batch, at.group, filters, pixels)
    if problem.has(3):
        product = composite.emit("MatMul", [left, right]).reshaped(batch, y.shape[1], pixels)
        bias = composite.input(3).reshaped(y.shape[1], 1)
        composite.emit("Add", [product, bias], composite.output(0, batch, y.shape[1], pixels))
    else:
        composite.emit("MatMul", [left, right], composite.output(0, *shape))
    return composite.lowered()


register(
    Variant("DeformConv", "channels", _channels_applies, _channels_lower),
    Variant("DeformConv", "columns", arithmetic_obstacle, _columns_lower),
)
