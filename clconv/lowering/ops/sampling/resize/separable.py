"""Resize with antialiasing, and gradients of Resize, on CPUs: one axis after the other, because its kernels reach over many pixels."""

from __future__ import annotations

import math

import numpy as np

from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.sampling.resize.taps import (
    Taps,
    axes_obstacle,
    image_arguments,
    image_size,
    image_taps,
    is_gradient,
    sum_type_of,
)
from clconv.lowering.shared.blocked import c_type, rows_per_item, stored_obstacle
from clconv.lowering.shared.work_split import power_of_two


def _separable_applies(problem: Problem) -> str | None:
    at = problem.node.attrs
    if not problem.device.is_cpu:
        return "whole lines of sums are for CPU devices"
    if not is_gradient(problem) and (not at.antialias or at.mode == "nearest"):
        return "without antialiasing few pixels make one"
    obstacle = axes_obstacle(problem)
    if obstacle:
        return obstacle
    if min(problem.x.shape[-1], problem.y.shape[-1]) < 2:
        return "needs two columns or more"
    return stored_obstacle(problem)


def _without_zeros(taps: Taps) -> Taps:
    """As many taps as the pixel with the most weights that are not zero has."""
    order = np.argsort(taps.weight == 0, axis=1, kind="stable")
    order = order[:, : max(1, int((taps.weight != 0).sum(1).max(initial=0)))]
    index, weight = (np.take_along_axis(a, order, 1) for a in (taps.index, taps.weight))
    return Taps(index, weight)


def _separable_lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    row, column = (_without_zeros(taps) for taps in image_taps(problem))
    in_width, (out_height, out_width) = problem.x.shape[-1], image_size(problem.y.shape)
    planes = math.prod(problem.x.shape[:2])
    sum_type = sum_type_of(problem)
    kernel = Kernel.of(
        "sampling/resize/separable.cl.mako",
        "resize_separable",
        type=c_type(problem.x.dtype),
        sum_type=sum_type,
        width=min(problem.device.vector_width, power_of_two(min(in_width, out_width))),
    )
    rows = rows_per_item(problem, out_height, planes)
    number, items = np.dtype(sum_type.replace("float", "float32")), -(-out_height // rows)
    lines = f"{problem.node.outputs[0]}:lines"
    tables: list[tuple[str, Argument]] = [
        ("row_index", Table(row.index.astype(np.int32))),
        ("column_index", Table(column.index.T.astype(np.int32))),
        ("row_weight", Table(row.weight.astype(number))),
        ("column_weight", Table(column.weight.T.astype(number))),
        ("row_taps", Scalar(row.index.shape[1])),
        ("column_taps", Scalar(column.index.shape[1])),
        ("lines", Write(lines)),
    ]
    call = problem.call(kernel, image_arguments(problem, rows, tables), (items, planes))
    return Lowered((call,), {lines: items * planes * in_width * number.itemsize})


def separable(op: str) -> Variant:
    return Variant(op, "separable", _separable_applies, _separable_lower)
