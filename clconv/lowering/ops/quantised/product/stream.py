"""MatMulInteger and QLinearMatMul of few rows on CPUs: reading the matrix is most of the work, and bytes are the least to
read."""

from __future__ import annotations

import dataclasses

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.quantised.product.shape import (
    FINISHING,
    inputs_of,
    is_vector,
    multiplications,
    operand_arguments,
    product_obstacle,
    shared_parameters,
)
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.work_split import items

_MOST_ROWS = 4  # whose sums, of a cache line's columns each, fit into registers


def _product(problem: Problem) -> Product:
    w = problem.input(inputs_of(problem).w)
    return Product.of(dataclasses.replace(problem, inputs=(problem.x, w)))


def _width(problem: Problem) -> int:
    """Columns of an item: as many vectors as leave registers for the matrix."""
    return problem.device.vector_width * (4 if problem.device.registers >= 32 else 2)


def _applies(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "sums of whole cache lines are for CPU devices"
    product, width = _product(problem), _width(problem)
    if product.batch != 1 or not 1 <= product.rows <= _MOST_ROWS:
        return f"needs one matrix, and {_MOST_ROWS} rows or fewer of the other"
    if product.columns < width:
        return f"needs {width} columns or more, got {product.columns}"
    return product_obstacle(problem)


def _lower(problem: Problem) -> Lowered:
    at, product, shared = inputs_of(problem), _product(problem), shared_parameters(problem)
    kernel = Kernel.of(
        "quantised/product/stream.cl.mako",
        "quantised_stream",
        rows=product.rows,
        block=problem.device.vector_width,
        width=_width(problem),
        many_rows=is_vector(problem, at.x_scale),
        many_columns=is_vector(problem, at.w_scale),
        **{name: shared[name] for name in ("x_type", "w_type", "points", *FINISHING)},
    )
    arguments: list[tuple[str, Argument]] = [
        *operand_arguments(problem),
        ("y", Write(problem.node.outputs[0])),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
        ("point_rows", Scalar(problem.x.shape[-2] if problem.x.rank > 1 else 1)),
    ]
    return Lowered((problem.call(kernel, arguments, (items(product.columns, _width(problem)),)),))


def _estimate(problem: Problem) -> float:
    return multiplications(problem) / 3e10


def stream_variant(op: str) -> Variant:
    return Variant(op, "stream", _applies, _lower, estimate=_estimate)
