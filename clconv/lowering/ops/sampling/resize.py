"""Variants of Resize: plain rows and channel blocks for CPUs, and a simple one for any rank, type and mode.

Which input pixels make an output pixel is computed here, with the very function that the reference uses
(`axis_taps`), and handed to the kernels as tables, one for each axis: no kernel rounds a coordinate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.sampling.interpolation import (
    AxisResize,
    axis_taps,
    outside_pixels,
    resize_axes,
    taps_of,
)
from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.kernel import (
    Kernel,
    Lowered,
    Problem,
    Variant,
    register,
)
from clconv.lowering.model.obstacles import has_double
from clconv.lowering.shared.blocked import (
    blocked_obstacle,
    blocked_signatures,
    c_type,
    rows_an_item,
    stored_obstacle,
)

_MOST_ROW_TAPS = 1 << 22


def _axes(problem: Problem) -> list[AxisResize]:
    roi, scales, sizes = (problem.constant(i) for i in (1, 2, 3))
    return resize_axes(problem.node.attrs, problem.x.shape, roi, scales, sizes)


def _images_obstacle(problem: Problem) -> str | None:
    """Why no kernel can take rows and columns of images, or of volumes, channel by channel."""
    obstacle = blocked_obstacle(problem, most_axes=problem.x.rank)
    if obstacle:
        return obstacle
    if problem.node.attrs.coordinate_transformation_mode == "tf_crop_and_resize":
        return "tf_crop_and_resize has pixels outside the image"
    if not all(axis.is_copy for axis in _axes(problem)[:2]):
        return "batch or channels are resized"
    outer = [(axis.out, taps_of(problem.node.attrs, axis)) for axis in _axes(problem)[2:-1]]
    entries = math.prod(out * taps for out, taps in outer)
    if len(outer) > 1 and entries > _MOST_ROW_TAPS:
        return f"the table of a volume's rows would have {entries:,} entries"
    return None


@dataclasses.dataclass(frozen=True)
class _Taps:
    """The pixels along an axis that make each output pixel, (out, taps), and their weights."""

    index: np.ndarray
    weight: np.ndarray


def _image_taps(problem: Problem) -> tuple[_Taps, _Taps]:
    """Those of the rows and of the columns. A volume is the image of all its rows."""
    at = problem.node.attrs
    *outer, column = (_Taps(*axis_taps(at, axis)) for axis in _axes(problem)[2:])
    rows = _Taps(np.zeros((1, 1), np.int64), np.ones((1, 1)))
    for size, axis in zip(problem.x.shape[2:], outer, strict=False):
        index = rows.index[:, None, :, None] * size + axis.index[None, :, None, :]
        weight = rows.weight[:, None, :, None] * axis.weight[None, :, None, :]
        out, taps = len(rows.index) * len(axis.index), index.shape[2] * index.shape[3]
        rows = _Taps(index.reshape(out, taps), weight.reshape(out, taps))
    return rows, column


def _image(shape: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of a tensor (N, C, spatial...)."""
    return math.prod(shape[2:-1]), shape[-1]


def _image_arguments(
    problem: Problem, rows: int, before: list[tuple[str, Argument]]
) -> list[tuple[str, Argument]]:
    names = ("in_height", "in_width", "out_height", "out_width")
    sizes = (*_image(problem.x.shape), *_image(problem.y.shape))
    return [
        ("x", problem.argument(0)),
        *before,
        ("y", Write(problem.node.outputs[0])),
        *((name, Scalar(size)) for name, size in zip(names, sizes, strict=True)),
        ("rows", Scalar(rows)),
    ]


# --- rows: few plain channels, on CPUs ----------------------------------------------------------------

_FEW_CHANNELS = 4  # more of them fill a channel block well enough


def _rows_applies(problem: Problem) -> str | None:
    obstacle = _images_obstacle(problem)
    if obstacle:
        return obstacle
    if problem.x.shape[1] > _FEW_CHANNELS:
        return f"needs {_FEW_CHANNELS} channels or fewer, got {problem.x.shape[1]}"
    if problem.y.shape[-1] < 2:
        return "needs two columns or more"
    return None


def _rows_lower(problem: Problem) -> Lowered:
    weighted = problem.node.attrs.mode != "nearest"
    row, column = _image_taps(problem)
    out_height, out_width = _image(problem.y.shape)
    planes = math.prod(problem.x.shape[:2])
    widest = 1 << (out_width.bit_length() - 1)
    kernel = Kernel.of(
        "sampling/resize/rows.cl.mako",
        "resize_rows",
        width=min(problem.device.vector_width, widest),
        weighted=weighted,
    )
    weights: list[tuple[str, Argument]] = [
        ("row_weight", Table(row.weight.astype(np.float32))),
        ("column_weight", Table(column.weight.T.astype(np.float32))),
        ("row_taps", Scalar(row.index.shape[1])),
        ("column_taps", Scalar(column.index.shape[1])),
    ]
    rows = rows_an_item(problem, out_height, planes)
    tables: list[tuple[str, Argument]] = [
        ("row_index", Table(row.index.astype(np.int32))),
        ("column_index", Table(column.index.T.astype(np.int32))),
        *(weights if weighted else []),
    ]
    items = (-(-out_height // rows), planes)
    return Lowered((problem.call(kernel, _image_arguments(problem, rows, tables), items),))


# --- blocked: channel blocks, on CPUs -----------------------------------------------------------------


def _blocked_applies(problem: Problem) -> str | None:
    if problem.node.attrs.antialias:
        return "antialiasing takes as many pixels as the scale asks for"
    return _images_obstacle(problem)


def _blocked_lower(problem: Problem) -> Lowered:
    x, block = problem.x, problem.device.vector_width
    row, column = _image_taps(problem)
    weighted = problem.node.attrs.mode != "nearest"
    kernel = Kernel.of(
        "sampling/resize/blocked.cl.mako",
        "resize_blocked",
        block=block,
        taps=(row.index.shape[1], column.index.shape[1]),
        weighted=weighted,
    )
    out_height, _ = _image(problem.y.shape)
    blocks = -(-x.shape[1] // block)
    rows = rows_an_item(problem, out_height, blocks * x.shape[0])
    weights: list[tuple[str, Argument]] = [
        ("row_weight", Table(row.weight.astype(np.float32))),
        ("column_weight", Table(column.weight.astype(np.float32))),
    ]
    tables: list[tuple[str, Argument]] = [
        ("row_index", Table(row.index.astype(np.int32))),
        ("column_index", Table((column.index * block).astype(np.int32))),
        *(weights if weighted else []),
    ]
    items = (-(-out_height // rows), blocks, x.shape[0])
    return Lowered((problem.call(kernel, _image_arguments(problem, rows, tables), items),))


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
        "sampling/resize/simple.cl.mako",
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
    Variant("Resize", "rows", _rows_applies, _rows_lower),
    Variant("Resize", "blocked", _blocked_applies, _blocked_lower, blocked_signatures),
    Variant("Resize", "simple", _simple_applies, _simple_lower),
)
