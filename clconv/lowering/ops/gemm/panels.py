"""Gemm and MatMul on CPUs: a register tile over packed columns.

`blocked` reads a constant right-hand matrix that was packed once; `tiled` packs a matrix that only the run
brings, then goes the same way.
"""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Packing,
    Read,
    Room,
    Scalar,
    Write,
    packed_float,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import AUTO, Lowered, Problem, Variant
from clconv.lowering.ops.gemm.shape import alpha_of, float_obstacle, plan_addend
from clconv.lowering.shared.blocked import rows_per_item
from clconv.lowering.shared.conversion import cast_call
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.product import Product

_ROWS = 32  # that are packed at a time


def panel_packing(transposed: bool, width: int, alpha: float) -> Packing:
    """Matrices (..., inner, columns), or the other way round, times alpha, as (batch, columns / width, inner,
    width), padded with zeros: a kernel reads `width` columns straight through."""

    def fill(matrices: np.ndarray, room: Room) -> np.ndarray:
        whole = matrices[:, None] if matrices.ndim == 1 else matrices
        right = whole.swapaxes(-1, -2) if transposed else whole
        right = right.reshape(math.prod(right.shape[:-2]), *right.shape[-2:])
        batch, inner, columns = right.shape
        kept = packed_float(right) if alpha == 1 else np.float32
        packed = room((batch, -(-columns // width), inner, width), kept)
        full, rest = divmod(columns, width)
        # Some rows at a time: their pages, and the lines of each that two panels share, are then looked up once.
        step = max(1, inner) if transposed else _ROWS
        for first in range(0, inner, step):
            some = right[:, first : first + step]
            by_column = packed[:, :, first : first + step].transpose(0, 2, 1, 3)
            whole_panels = some[..., : full * width]
            by_column[:, :, :full] = whole_panels.reshape(*some.shape[:2], full, width)
            if rest:
                by_column[:, :, full, :rest] = some[..., full * width :]
                by_column[:, :, full, rest:] = 0
        if alpha != 1:
            packed *= np.float32(alpha)
        return packed

    dtype = None if alpha == 1 else DType.FLOAT32
    return Packing.filling("gemm.panels", (transposed, width, alpha), fill, dtype)


def _tile_obstacle(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "register tiles of this shape are for CPU devices"
    return float_obstacle(problem)


def _blocked_applies(problem: Problem) -> str | None:
    if not problem.is_constant(1):
        return "needs a constant right-hand matrix"
    return _tile_obstacle(problem)


def _tile(problem: Problem, product: Product) -> tuple[int, int]:
    """(rows, vectors of columns) of the register tile. A single row is a stream of the matrix: the vectors
    stay the same, so that both shapes share one packed matrix."""
    given = problem.parameters
    vectors = given.get("vectors", 2 if product.columns > problem.device.vector_width else 1)
    if product.rows == 1:
        return 1, vectors
    usual = min((problem.device.registers - 1 - vectors) // vectors, 8)
    return given.get("rows", usual), vectors


# Of the register tile: rows, and vectors of columns.
_SPACE: dict[str, tuple[int | str, ...]] = {
    "vectors": (AUTO, 1, 2, 3, 4),
    "rows": (AUTO, 2, 3, 4, 5, 6, 8, 10, 12),
}


def _panel_calls(
    problem: Problem, product: Product, panels: Argument, alpha: float
) -> tuple[tuple[KernelCall, ...], dict[str, int]]:
    """The product with a right-hand side that lies in panels of columns, and its scratch.

    Rows of halves become floats once, not again for each panel of columns; a single one is read once.
    """
    a, size = problem.argument(0), problem.x.size
    if problem.x.dtype is not DType.FLOAT16 or product.rows == 1 or not size:
        return (_panel_call(problem, product, a, panels, alpha),), {}
    wide = f"{problem.node.outputs[0]}:rows"
    cast = cast_call(problem, a, DType.FLOAT16, Write(wide), DType.FLOAT32, size)
    multiply = _panel_call(problem, product, Read(wide), panels, alpha)
    return (cast, multiply), {wide: 4 * size}


def _panel_call(
    problem: Problem, product: Product, a: Argument, panels: Argument, alpha: float
) -> KernelCall:
    rows, vectors = _tile(problem, product)
    width = vectors * problem.device.vector_width
    epilogue = plan_epilogue(problem, width)
    addend = plan_addend(problem, width)
    kernel = Kernel.of(
        "gemm/blocked.cl.mako",
        "gemm_blocked",
        block=problem.device.vector_width,
        vectors=vectors,
        tile_rows=rows,
        transposed=product.a_steps[1] != 1,
        batched=product.batch > 1,
        scaled=alpha != 1,
        addend=addend.kind,
        addend_columns=addend.column_step == 1,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    chunks = -(-product.columns // width)
    per_item = rows_per_item(problem, -(-product.rows // rows), chunks * product.batch) * rows
    step = product.a_steps[1 if product.a_steps[1] != 1 else 0]
    arguments: list[tuple[str, Argument]] = [
        ("a", a),
        ("panels", panels),
        *product.batch_arguments(),
        ("y", Write(problem.node.outputs[0])),
        ("rows", Scalar(product.rows)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
        ("step", Scalar(step)),
        ("per_item", Scalar(per_item)),
        *([("alpha", Scalar(alpha, "float"))] if alpha != 1 else []),
        *addend.arguments,
        *epilogue.arguments,
    ]
    size = (-(-product.rows // per_item), chunks, product.batch)
    return problem.call(kernel, arguments, size).reading_in_place([*addend.alike, *epilogue.alike])


def _blocked_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    product = Product.of(problem)
    width = _tile(problem, product)[1] * problem.device.vector_width
    # Not from the steps: those of a matrix with one inner index say nothing.
    transposed = bool(problem.node.attrs.get("transB", 0))
    packing = panel_packing(transposed, width, alpha_of(problem))
    panels = Packed(problem.node.inputs[1], packing)
    return Lowered(*_panel_calls(problem, product, panels, 1.0))


def _tiled_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    product = Product.of(problem)
    width = _tile(problem, product)[1] * problem.device.vector_width
    chunks = -(-product.columns // width)
    scratch = f"{problem.node.outputs[0]}:panels"
    kernel = Kernel.of(
        "gemm/pack.cl.mako",
        "gemm_pack",
        block=problem.device.vector_width,
        width=width,
        transposed=product.b_steps[1] != 1,
    )
    arguments: list[tuple[str, Argument]] = [
        ("b", problem.argument(1)),
        ("panels", Write(scratch)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
    ]
    pack = problem.call(kernel, arguments, (chunks, product.b_count))
    nbytes = product.b_count * chunks * product.inner * width * 4
    multiply, more = _panel_calls(problem, product, Read(scratch), alpha_of(problem))
    return Lowered((pack, *multiply), {scratch: max(nbytes, 4), **more})


def panel_variants(op: str) -> tuple[Variant, ...]:
    return (
        Variant(op, "blocked", _blocked_applies, _blocked_lower, space=_SPACE),
        Variant(op, "tiled", _tile_obstacle, _tiled_lower, space=_SPACE),
    )
