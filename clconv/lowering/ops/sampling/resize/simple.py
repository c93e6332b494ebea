"""Resize and its gradient by their definition: any rank, type and mode."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clconv.graph.ops.sampling.interpolation import AxisResize, outside_pixels
from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.sampling.resize.taps import (
    axes_of,
    is_gradient,
    is_weighted,
    sum_type_of,
    taps_along,
)
from clconv.lowering.shared.blocked import c_type, stored_obstacle
from clconv.records import record


@record(frozen=True)
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
    back = is_gradient(problem)
    found: list[_Step] = []
    for axis in axes:
        if axis.is_copy:
            if found and found[-1].index is None:
                axis = AxisResize(found[-1].size * axis.size, found[-1].out * axis.out)
                found.pop()
            found.append(_Step(axis.size, axis.out))
            continue
        taps = taps_along(problem, axis)
        used = np.flatnonzero(taps.weight.any(0))
        used = used if used.size else np.zeros(1, np.int64)
        index, weight = taps.index[:, used], taps.weight[:, used]
        if back:
            found.append(_Step(axis.out, axis.size, index.astype(np.int32), weight))
            continue
        # Pixels outside the image are marked by index -1.
        index = np.where(outside_pixels(problem.node.attrs, axis)[:, None], -1, index)
        found.append(_Step(axis.size, axis.out, index.astype(np.int32), weight))
    return found


def _simple_applies(problem: Problem) -> str | None:
    # Nearest only moves elements.
    return stored_obstacle(problem) if is_weighted(problem) else None


def _simple_lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    steps = _steps(problem, axes_of(problem))
    weighted, back = is_weighted(problem), is_gradient(problem)
    sum_type = sum_type_of(problem)
    kernel = Kernel.of(
        "sampling/resize/simple.cl.mako",
        "resize_simple",
        type=c_type(x.dtype) if weighted else MOVE_TYPES[x.dtype.itemsize],
        sum_type=sum_type,
        copied=tuple(step.index is None for step in steps),
        weighted=weighted,
        crops=not back and at.coordinate_transformation_mode == "tf_crop_and_resize",
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
    outside = np.array(0 if back else at.extrapolation_value).astype(x.dtype.numpy)
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


def simple(op: str) -> Variant:
    return Variant(op, "simple", _simple_applies, _simple_lower)
