"""Gemm and MatMul of few rows, or of one column, on GPUs: the matrix is read once and at the memory's speed."""

from __future__ import annotations

import math

import numpy as np

from clconv.lowering.model.arguments import Argument, Packed, Packing, Scalar, Write, packed_float
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.gemm.finish import WIDTH, Finish
from clconv.lowering.ops.gemm.shape import float_obstacle, size_obstacle
from clconv.lowering.shared.groups import most_items
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.tiles import memory_rate
from clconv.lowering.shared.work_split import power_of_two

_MOST_VECTORS = 4
_ITEMS = 128  # of a work-group
_LEAST_TURNS = 4  # of an item's loop, before more items share a line


def _transposing(matrices: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(matrices.swapaxes(-1, -2), packed_float(matrices))


TRANSPOSED = Packing("gemm.transposed", (), _transposing)


def _applies(problem: Problem) -> str | None:
    obstacle = float_obstacle(problem) or size_obstacle(problem)
    if obstacle:
        return obstacle
    product = Product.of(problem)
    if product.columns == 1:
        return "the left matrix is transposed" if _transposed(problem, "A") else None
    if product.rows > _MOST_VECTORS:
        return f"needs at most {_MOST_VECTORS} rows or one column, got {product.rows}"
    if product.rows > 1 and _transposed(problem, "A"):
        return "the rows are transposed"
    return None


def _transposed(problem: Problem, side: str) -> bool:
    return bool(problem.node.attrs.get(f"trans{side}", 0))


def _lower(problem: Problem) -> Lowered:
    product, after = Product.of(problem), Finish.of(problem)
    turned = product.columns == 1
    vectors, matrix = problem.argument(0), problem.argument(1)
    count, lines, inner = product.rows, product.columns, product.inner
    along_inner = _transposed(problem, "B")
    if turned:
        vectors, matrix, count, lines, along_inner = matrix, vectors, 1, product.rows, True
    elif problem.is_constant(1) and problem.input(1).rank > 1 and not along_inner:
        matrix, along_inner = Packed(problem.node.inputs[1], TRANSPOSED), True
    width = WIDTH if (inner if along_inner else lines) % WIDTH == 0 else 1
    lanes = 1 if along_inner else width
    most = most_items(problem.device, _ITEMS, 4 * lanes)
    if along_inner:
        items = min(most, power_of_two(max(1, inner // (width * _LEAST_TURNS))))
    else:
        items = min(most // min(most, 16), power_of_two(max(1, inner // _LEAST_TURNS)))
    group_lines = most // items
    kernel = Kernel.of(
        "gemm/vector.cl.mako",
        "gemm_vector",
        count=count,
        along_inner=along_inner,
        width=width,
        items=items,
        group_lines=group_lines,
        turned=turned,
        batched=product.batch > 1,
        **after.parameters(),
    )
    batches = product.batch_arguments()
    if turned:
        batches = [
            (name, table) for (name, _), (_, table) in zip(batches, batches[::-1], strict=True)
        ]
    arguments: list[tuple[str, Argument]] = [
        ("vectors", vectors),
        ("matrix", matrix),
        *(
            (name, table)
            for name, (_, table) in zip(("vector_batches", "matrix_batches"), batches, strict=False)
        ),
        ("y", Write(problem.node.outputs[0])),
        ("inner", Scalar(inner)),
        ("lines", Scalar(lines)),
        *after.arguments(),
    ]
    local = items * group_lines
    size = (-(-lines // (group_lines * lanes)) * local, product.batch)
    return Lowered((problem.call(kernel, arguments, size, (local, 1)),))


def _estimate(problem: Problem) -> float:
    """Infinite on CPUs; else the time to read the matrices."""
    if problem.device.is_cpu:
        return math.inf
    size = problem.x.nbytes + problem.input(1).nbytes + problem.y.nbytes
    return size / memory_rate(problem.device)


def vector_variant(op: str) -> Variant:
    return Variant(op, "vector", _applies, _lower, estimate=_estimate)
