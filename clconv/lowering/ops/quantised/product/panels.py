"""Products of quantised tensors on CPUs, in floats: no processor multiplies whole numbers faster without instructions
of its own for bytes, and sums of so few products are exact.

Both sides lose their zero points on the way into scratch (or once, where they are constant); what a convolution's taps see
becomes columns. Then one kernel multiplies rows with panels of columns.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.quantised.product.shape import (
    FINISHING,
    has_input,
    inputs_of,
    is_vector,
    multiplications,
    product_obstacle,
    shared_parameters,
)
from clconv.lowering.ops.quantised.product.sides import (
    Launches,
    image_panels,
    matrix_panels,
    padded_pixels,
    panel_width,
    rows_of,
    tile_of,
)
from clconv.lowering.shared.blocked import rows_per_item
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.work_split import items
from clconv.records import record

_MOST_PIXELS = 1 << 31  # what tables of pixels count in int


@record(frozen=True)
class _Sides:
    """A product of batch x (rows x inner) (inner x columns): its two sides as floats, and which matrix of each makes
    each of the result. point_rows: rows of one matrix of x."""

    rows: int
    inner: int
    columns: int
    left: Argument
    panels: Argument
    left_batches: tuple[int, ...] = (0,)
    panel_batches: tuple[int, ...] = (0,)
    point_rows: int = 1


def _obstacle(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "register tiles of this shape are for CPU devices"
    if not problem.x.size or not problem.input(inputs_of(problem).w).size:
        return "needs something to multiply"
    if "Conv" in problem.node.op and padded_pixels(problem) >= _MOST_PIXELS:
        return "counts an image's padded pixels in 31 bits"
    return product_obstacle(problem)


# --- both together


def _conv_sides(launches: Launches) -> _Sides:
    problem = launches.problem
    at, group = inputs_of(problem), problem.node.attrs.group
    w, y = problem.input(at.w), problem.y
    inner = math.prod(w.shape[1:])
    batch = y.shape[0] * group
    return _Sides(
        rows=y.shape[1] // group,
        inner=inner,
        columns=math.prod(y.shape[2:]),
        left=rows_of(launches, at.w, at.w_zero, inner, y.shape[1]),
        panels=image_panels(launches),
        left_batches=tuple(i % group for i in range(batch)),
        panel_batches=tuple(range(batch)),
    )


def _matmul_sides(launches: Launches) -> _Sides:
    problem = launches.problem
    at, x = inputs_of(problem), problem.x
    product = Product.of(dataclasses.replace(problem, inputs=(x, problem.input(at.w))))
    point_rows = x.shape[-2] if x.rank > 1 else 1
    return _Sides(
        rows=product.rows,
        inner=product.inner,
        columns=product.columns,
        left=rows_of(launches, 0, at.x_zero, product.inner, point_rows),
        panels=matrix_panels(launches, product),
        left_batches=product.a_batches,
        panel_batches=product.b_batches,
        point_rows=point_rows,
    )


def _lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    launches, at = Launches(problem), inputs_of(problem)
    is_conv = "Conv" in problem.node.op
    sides = _conv_sides(launches) if is_conv else _matmul_sides(launches)
    rows, vectors = tile_of(problem, sides.rows, sides.columns)
    shared = shared_parameters(problem)
    batched, bias = sides.left_batches != (0,), has_input(problem, at.bias)
    kernel = Kernel.of(
        "quantised/product/panels.cl.mako",
        "quantised_panels",
        block=problem.device.vector_width,
        vectors=vectors,
        tile_rows=rows,
        batched=batched,
        bias=bias,
        x_index="row" if is_vector(problem, at.x_scale) else "0",
        w_index=("line" if is_conv else "column") if is_vector(problem, at.w_scale) else "0",
        **{name: shared[name] for name in FINISHING},
    )
    chunks = items(sides.columns, vectors * problem.device.vector_width)
    batch = len(sides.left_batches)
    per_item = rows_per_item(problem, items(sides.rows, rows), chunks * batch) * rows
    scales = ("x_scale", "w_scale", "y_scale", "y_zero")
    tables = (("a_batches", sides.left_batches), ("b_batches", sides.panel_batches))
    arguments: list[tuple[str, Argument]] = [
        ("a", sides.left),
        ("panels", sides.panels),
        *((n, problem.argument(getattr(at, n))) for n in scales if getattr(at, n) >= 0),
        *([("bias", problem.argument(at.bias))] if bias else []),
        *((name, Table(np.array(which, np.int32))) for name, which in tables if batched),
        ("y", Write(problem.node.outputs[0])),
        ("rows", Scalar(sides.rows)),
        ("inner", Scalar(sides.inner)),
        ("columns", Scalar(sides.columns)),
        ("point_rows", Scalar(sides.point_rows)),
        ("per_item", Scalar(per_item)),
    ]
    launches.add(kernel, arguments, (items(sides.rows, per_item), chunks, batch))
    return Lowered(tuple(launches.calls), launches.scratch)


def _estimate(problem: Problem) -> float:
    """Seconds: the tile's lanes that are filled or not, the panels, and what several launches cost."""
    w = problem.input(inputs_of(problem).w)
    is_conv = "Conv" in problem.node.op
    if is_conv:
        rows, columns = w.shape[0] // problem.node.attrs.group, math.prod(problem.y.shape[2:])
    else:
        rows, columns = math.prod(problem.x.shape[:-1]), w.shape[-1] if w.rank > 1 else 1
    width = panel_width(problem, columns)
    full = items(columns, width) * width / max(columns, 1)
    panels = multiplications(problem) * full / max(rows, 1)
    made = is_conv or not problem.is_constant(inputs_of(problem).w)
    return 2e-5 + multiplications(problem) * full / 8e10 + panels / (1e9 if made else 8e9)


def panels_variant(op: str) -> Variant:
    return Variant(op, "panels", _obstacle, _lower, estimate=_estimate)
