"""What the variants of Resize and of ResizeGradient share: which pixels of the source make one of the result.

That is computed here, with the very functions that the references use (`axis_taps`, `axis_gradient_taps`), and handed to the kernels as tables,
one for each axis: no kernel rounds a coordinate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.sampling.interpolation import (
    AxisResize,
    axis_gradient_taps,
    axis_taps,
    resize_axes,
    taps_of,
)
from clconv.graph.ops.sampling.resize_gradient import gradient_axes
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import has_double
from clconv.lowering.shared.blocked import blocked_obstacle
from clconv.records import record

_MOST_ROW_TAPS = 1 << 22


def is_gradient(problem: Problem) -> bool:
    return problem.node.op == "ResizeGradient"


def is_weighted(problem: Problem) -> bool:
    """Whether pixels have weights; else one is copied."""
    return is_gradient(problem) or problem.node.attrs.mode != "nearest"


def axes_of(problem: Problem) -> list[AxisResize]:
    if is_gradient(problem):
        return gradient_axes(problem.node.attrs, problem.x.shape)
    roi, scales, sizes = (problem.constant(i) for i in (1, 2, 3))
    return resize_axes(problem.node.attrs, problem.x.shape, roi, scales, sizes)


def images_obstacle(problem: Problem) -> str | None:
    """Why no kernel can take rows and columns of images, or of volumes, channel by channel."""
    return blocked_obstacle(problem, most_axes=problem.x.rank) or axes_obstacle(problem)


def axes_obstacle(problem: Problem) -> str | None:
    """Why what is resized are not the axes of images, or not by pixels of the image alone."""
    if problem.x.rank < 3:
        return f"needs (batch, channels, spatial...), got rank {problem.x.rank}"
    crops = problem.node.attrs.coordinate_transformation_mode == "tf_crop_and_resize"
    if crops and not is_gradient(problem):
        return "tf_crop_and_resize has pixels outside the image"
    if not all(axis.is_copy for axis in axes_of(problem)[:2]):
        return "batch or channels are resized"
    outer = axes_of(problem)[2:-1]
    entries = math.prod(max(a.size, a.out) * taps_of(problem.node.attrs, a) for a in outer)
    if len(outer) > 1 and entries > _MOST_ROW_TAPS:
        return f"the table of a volume's rows would have {entries:,} entries"
    return None


@record(frozen=True)
class Taps:
    """The pixels along an axis that make each pixel of the result, (result, taps), and their weights."""

    index: np.ndarray
    weight: np.ndarray


def taps_along(problem: Problem, axis: AxisResize) -> Taps:
    at = problem.node.attrs
    return Taps(*(axis_gradient_taps(at, axis) if is_gradient(problem) else axis_taps(at, axis)))


def image_taps(problem: Problem) -> tuple[Taps, Taps]:
    """Those of the rows and of the columns. A volume is the image of all its rows."""
    *outer, column = (taps_along(problem, axis) for axis in axes_of(problem)[2:])
    rows = Taps(np.zeros((1, 1), np.int64), np.ones((1, 1)))
    for size, axis in zip(problem.x.shape[2:], outer, strict=False):
        index = rows.index[:, None, :, None] * size + axis.index[None, :, None, :]
        weight = rows.weight[:, None, :, None] * axis.weight[None, :, None, :]
        out, taps = len(rows.index) * len(axis.index), index.shape[2] * index.shape[3]
        rows = Taps(index.reshape(out, taps), weight.reshape(out, taps))
    return rows, column


def sum_type_of(problem: Problem) -> str:
    exact = problem.x.dtype is DType.FLOAT64 or not problem.x.dtype.is_float
    return "double" if exact and has_double(problem.device) else "float"


def image_size(shape: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of a tensor (N, C, spatial...)."""
    return math.prod(shape[2:-1]), shape[-1]


def image_arguments(
    problem: Problem, rows: int, before: list[tuple[str, Argument]]
) -> list[tuple[str, Argument]]:
    names = ("in_height", "in_width", "out_height", "out_width")
    sizes = (*image_size(problem.x.shape), *image_size(problem.y.shape))
    return [
        ("x", problem.argument(0)),
        *before,
        ("y", Write(problem.node.outputs[0])),
        *((name, Scalar(size)) for name, size in zip(names, sizes, strict=True)),
        ("rows", Scalar(rows)),
    ]
