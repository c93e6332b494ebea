"""Variants of Resize: on channel blocks for CPUs, and a simple one for any rank, type and mode.

Which input pixels make an output pixel is computed here, with the very function that the reference uses
(`axis_taps`), and handed to the kernels as tables, one for each axis: no kernel rounds a coordinate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.resize import AxisResize, axis_taps, outside_pixels, resize_axes
from clconv.lowering.arguments import Argument, Scalar, Table, Write
from clconv.lowering.blocked import (
    blocked_obstacle,
    blocked_signatures,
    c_type,
    pair,
    rows_an_item,
    stored_obstacle,
)
from clconv.lowering.kernel import (
    Kernel,
    Lowered,
    Problem,
    Variant,
    register,
)
from clconv.lowering.obstacles import has_double
from clconv.lowering.reorder import MOVE_TYPES


def _axes(problem: Problem) -> list[AxisResize]:
    roi, scales, sizes = (problem.constant(i) for i in (1, 2, 3))
    return resize_axes(problem.node.attrs, problem.x.shape, roi, scales, sizes)


# --- on channel blocks -------------------------------------------------------------------------------


def _blocked_applies(problem: Problem) -> str | None:
    obstacle, at = blocked_obstacle(problem), problem.node.attrs
    if obstacle:
        return obstacle
    if at.antialias:
        return "antialiasing takes as many pixels as the scale asks for"
    if at.coordinate_transformation_mode == "tf_crop_and_resize":
        return "tf_crop_and_resize has pixels outside the image"
    if not all(axis.is_copy for axis in _axes(problem)[:2]):
        return "batch or channels are resized"
    return None


def _blocked_lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    block = problem.device.vector_width
    axes = _axes(problem)[2:]
    row, column = (AxisResize(1, 1), axes[0]) if len(axes) == 1 else (axes[0], axes[1])
    row_index, row_weight = axis_taps(at, row)
    column_index, column_weight = axis_taps(at, column)
    weighted = at.mode != "nearest"
    kernel = Kernel.of(
        "resize/blocked.cl.mako",
        "resize_blocked",
        block=block,
        taps=(row_index.shape[1], column_index.shape[1]),
        weighted=weighted,
    )
    size, out = pair(x.shape[2:], 1), pair(y.shape[2:], 1)
    blocks = -(-x.shape[1] // block)
    rows = rows_an_item(problem, out[0], blocks * x.shape[0])
    weights = [
        ("row_weight", Table(row_weight.astype(np.float32))),
        ("column_weight", Table(column_weight.astype(np.float32))),
    ]
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("row_index", Table(row_index.astype(np.int32))),
        ("column_index", Table((column_index * block).astype(np.int32))),
        *(weights if weighted else []),
        ("y", Write(problem.node.outputs[0])),
        ("height", Scalar(size[0])),
        ("width", Scalar(size[1])),
        ("out_height", Scalar(out[0])),
        ("out_width", Scalar(out[1])),
        ("rows", Scalar(rows)),
    ]
    items = (-(-out[0] // rows), blocks, x.shape[0])
    return Lowered((problem.call(kernel, arguments, items),))


# --- simple: any number of axes ----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Step:
    """One axis of a tensor whose neighbouring untouched axes are one: index is None where it is copied."""

    size: int
    out: int
    index: np.ndarray | None = None
    weight: np.ndarray | None = None

    @property
    def taps(self) -> int:
        return 1 if self.index is None else int(self.index.shape[1])


def _steps(problem: Problem, axes: Sequence[AxisResize]) -> list[_Step]:
    at = problem.node.attrs
    found: list[_Step] = []
    for axis in axes:
        if axis.is_copy:
            if found and found[-1].index is None:
                axis = AxisResize(found[-1].size * axis.size, found[-1].out * axis.out)
                found.pop()
            found.append(_Step(axis.size, axis.out))
            continue
        index, weight = axis_taps(at, axis)
        used = weight.any(0)
        index, weight = index[:, used], weight[:, used]
        # Pixels outside the image are marked by index -1.
        index = np.where(outside_pixels(at, axis)[:, None], -1, index)
        found.append(_Step(axis.size, axis.out, index.astype(np.int32), weight))
    return found


def _simple_applies(problem: Problem) -> str | None:
    # Nearest only moves elements.
    return None if problem.node.attrs.mode == "nearest" else stored_obstacle(problem)


def _simple_lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    steps = _steps(problem, _axes(problem))
    weighted = at.mode != "nearest"
    exact = x.dtype is DType.FLOAT64 or not x.dtype.is_float
    sum_type = "double" if exact and has_double(problem.device) else "float"
    kernel = Kernel.of(
        "resize/simple.cl.mako",
        "resize_simple",
        type=c_type(x.dtype) if weighted else MOVE_TYPES[x.dtype.itemsize],
        sum_type=sum_type,
        copied=tuple(step.index is None for step in steps),
        weighted=weighted,
        crops=at.coordinate_transformation_mode == "tf_crop_and_resize",
    )
    weight_type = np.float64 if sum_type == "double" else np.float32
    chunk = steps[-1].out if problem.device.is_cpu else 1
    tables: list[tuple[str, Argument]] = []
    for i, step in enumerate(steps):
        if step.index is None or step.weight is None:
            continue
        tables.append((f"index{i}", Table(step.index)))
        if weighted:
            tables.append((f"weight{i}", Table(step.weight.astype(weight_type))))
            tables.append((f"taps{i}", Scalar(step.taps)))
    outside = np.array(at.extrapolation_value).astype(x.dtype.numpy)
    bits = int(outside.view(np.dtype(f"u{x.dtype.itemsize}")))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *tables,
        *((f"size{i}", Scalar(step.size)) for i, step in enumerate(steps)),
        *((f"out{i}", Scalar(step.out)) for i, step in enumerate(steps)),
        ("outside", Scalar(float(outside), sum_type) if weighted else Scalar(bits, "ulong")),
        ("chunk", Scalar(chunk)),
    ]
    items = (-(-steps[-1].out // chunk), math.prod(y.shape) // steps[-1].out)
    return Lowered((problem.call(kernel, arguments, items),))


register(
    Variant("Resize", "blocked", _blocked_applies, _blocked_lower, blocked_signatures),
    Variant("Resize", "simple", _simple_applies, _simple_lower),
)
