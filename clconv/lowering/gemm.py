"""Variants of Gemm and MatMul: a register tile over packed columns for CPUs, and a simple one.

`blocked` reads a constant right-hand matrix that was packed once; `tiled` packs a matrix that only the run
brings, then goes the same way.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.lowering.blocked import c_type, rows_an_item, type_obstacle
from clconv.lowering.epilogue import Epilogue, plan_epilogue
from clconv.lowering.kernel import (
    Argument,
    Kernel,
    KernelCall,
    Lowered,
    Packed,
    Packing,
    Problem,
    Read,
    Scalar,
    Table,
    Variant,
    Write,
    register,
)


@dataclasses.dataclass(frozen=True)
class Product:
    """Sizes of batch x (rows x inner) (inner x columns), and how each matrix lies in memory.

    a_steps: elements from one row, and from one inner index, to the next in A; b_steps: from one inner index,
    and from one column, to the next in B. a_batches, b_batches: which matrix of A and B makes each of the result.
    """

    rows: int
    inner: int
    columns: int
    a_steps: tuple[int, int]
    b_steps: tuple[int, int]
    a_batches: tuple[int, ...] = (0,)
    b_batches: tuple[int, ...] = (0,)

    @property
    def batch(self) -> int:
        return len(self.a_batches)

    @property
    def b_count(self) -> int:
        """How many right-hand matrices there are."""
        return max(self.b_batches, default=-1) + 1

    @classmethod
    def of(cls, problem: Problem) -> Product:
        a, b = problem.x.shape, problem.input(1).shape
        if problem.node.op == "Gemm":
            rows, inner = a[::-1] if problem.node.attrs.transA else a
            columns = problem.y.shape[1]
            return cls(
                rows,
                inner,
                columns,
                (1, rows) if problem.node.attrs.transA else (inner, 1),
                (1, inner) if problem.node.attrs.transB else (columns, 1),
            )
        a = (1, *a) if len(a) == 1 else a
        b = (*b, 1) if len(b) == 1 else b
        inner, columns = b[-2:]
        steps: tuple[tuple[int, int], tuple[int, int]] = ((inner, 1), (columns, 1))
        if math.prod(b[:-2]) == 1:  # one matrix for all: the batch of A is more rows
            return cls(math.prod(a[:-1]), inner, columns, *steps)
        batch = np.broadcast_shapes(a[:-2], b[:-2])
        a_index, b_index = (
            np.broadcast_to(np.arange(math.prod(s[:-2])).reshape(s[:-2]), batch).reshape(-1)
            for s in (a, b)
        )
        return cls(a[-2], inner, columns, *steps, tuple(a_index.tolist()), tuple(b_index.tolist()))

    def batch_arguments(self) -> list[tuple[str, Argument]]:
        """Tables of the matrices to multiply; none for a single product."""
        if self.batch == 1:
            return []
        return [
            ("a_batches", Table(np.array(self.a_batches, np.int32))),
            ("b_batches", Table(np.array(self.b_batches, np.int32))),
        ]


def panel_packing(transposed: bool, width: int, alpha: float) -> Packing:
    """Matrices (..., inner, columns), or the other way round, times alpha, as (batch, columns / width, inner,
    width), padded with zeros: a kernel reads `width` columns straight through."""

    def pack(matrices: np.ndarray) -> np.ndarray:
        whole = matrices[:, None] if matrices.ndim == 1 else matrices
        right = whole.swapaxes(-1, -2) if transposed else whole
        right = right.reshape(math.prod(right.shape[:-2]), *right.shape[-2:])
        batch, inner, columns = right.shape
        packed = np.zeros((batch, -(-columns // width), inner, width), np.float32)
        full, rest = divmod(columns, width)
        by_column = packed.transpose(0, 2, 1, 3)
        by_column[:, :, :full] = right[:, :, : full * width].reshape(batch, inner, full, width)
        if rest:
            by_column[:, :, full, :rest] = right[:, :, full * width :]
        if alpha != 1:
            packed *= np.float32(alpha)
        return packed

    return Packing("gemm.panels", (transposed, width, alpha), pack)


# --- the added matrix of Gemm ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Addend:
    """beta * C: "none", "columns" (a constant vector, beta in it) or "matrix" with steps of row and column."""

    kind: str = "none"
    column_step: int = 0
    arguments: tuple[tuple[str, Argument], ...] = ()


def _plan_addend(problem: Problem, width: int) -> Addend:
    """How a kernel gets C; width: what a vector of columns is padded to, 0 if it cannot take one."""
    if problem.node.op != "Gemm" or not problem.has(2) or problem.node.attrs.beta == 0:
        return Addend()
    spec, name, beta = problem.input(2), problem.node.inputs[2], float(problem.node.attrs.beta)
    columns = problem.y.shape[1]
    c_rows, c_columns = (1,) * (2 - spec.rank) + spec.shape
    if width and problem.is_constant(2) and c_rows == 1:

        def pack(c: np.ndarray) -> np.ndarray:
            line = np.broadcast_to(c.reshape(-1) * np.float32(beta), columns)
            return np.pad(line.astype(np.float32), (0, -columns % width))

        packing = Packing("gemm.columns", (beta, columns, width), pack)
        return Addend("columns", 1, (("c", Packed(name, packing)),))
    steps = (0 if c_rows == 1 else c_columns, 0 if c_columns == 1 else 1)
    ctype = "double" if spec.dtype is DType.FLOAT64 else "float"
    arguments: list[tuple[str, Argument]] = [
        ("c", problem.argument(2)),
        ("c_row", Scalar(steps[0])),
        *([] if width else [("c_column", Scalar(steps[1]))]),
        ("beta", Scalar(beta, ctype)),
    ]
    return Addend("matrix", steps[1], tuple(arguments))


# --- blocked and tiled: register tile over packed columns ---------------------------------------------


def _tile_obstacle(problem: Problem) -> str | None:
    if problem.x.dtype is not DType.FLOAT32:
        return f"needs float32, got {problem.x.dtype.value}"
    if not problem.device.is_cpu:
        return "register tiles of this shape are for CPU devices"
    obstacle = type_obstacle(problem)
    if obstacle:
        return obstacle
    kinds = {o.kind for term in plan_epilogue(problem).terms for o in term.operands}
    along_columns = problem.y.rank == 2 and problem.y.shape[1] == Product.of(problem).columns
    if "channel" in kinds and not along_columns:
        return "needs operands of the epilogue that follow the columns"
    return None


def _blocked_applies(problem: Problem) -> str | None:
    if not problem.is_constant(1):
        return "needs a constant right-hand matrix"
    return _tile_obstacle(problem)


def _tile(problem: Problem, product: Product) -> tuple[int, int]:
    """(rows, vectors of columns) of the register tile. A single row is a stream of the matrix: the vectors
    stay the same, so that both shapes share one packed matrix."""
    vectors = 2 if product.columns > problem.device.vector_width else 1
    if product.rows == 1:
        return 1, vectors
    return min((problem.device.registers - 1 - vectors) // vectors, 8), vectors


def _panel_call(problem: Problem, product: Product, panels: Argument, alpha: float) -> KernelCall:
    """The product with a right-hand side that lies in panels of columns."""
    rows, vectors = _tile(problem, product)
    width = vectors * problem.device.vector_width
    epilogue = plan_epilogue(problem, width)
    addend = _plan_addend(problem, width)
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
    share = rows_an_item(problem, -(-product.rows // rows), chunks * product.batch) * rows
    step = product.a_steps[1 if product.a_steps[1] != 1 else 0]
    arguments: list[tuple[str, Argument]] = [
        ("a", problem.argument(0)),
        ("panels", panels),
        *product.batch_arguments(),
        ("y", Write(problem.node.outputs[0])),
        ("rows", Scalar(product.rows)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
        ("step", Scalar(step)),
        ("share", Scalar(share)),
        *([("alpha", Scalar(alpha, "float"))] if alpha != 1 else []),
        *addend.arguments,
        *epilogue.arguments,
    ]
    return problem.call(kernel, arguments, (-(-product.rows // share), chunks, product.batch))


def _alpha(problem: Problem) -> float:
    return float(problem.node.attrs.get("alpha", 1.0))


def _blocked_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    product = Product.of(problem)
    width = _tile(problem, product)[1] * problem.device.vector_width
    # Not from the steps: those of a matrix with one inner index say nothing.
    transposed = bool(problem.node.attrs.get("transB", 0))
    packing = panel_packing(transposed, width, _alpha(problem))
    return Lowered((_panel_call(problem, product, Packed(problem.node.inputs[1], packing), 1.0),))


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
    multiply = _panel_call(problem, product, Read(scratch), _alpha(problem))
    return Lowered((pack, multiply), {scratch: max(nbytes, 4)})


# --- simple: any type and shape ----------------------------------------------------------------------


def _sum_type(spec: TensorSpec) -> str:
    if spec.dtype.is_float:
        return c_type(spec.dtype)
    return "ulong" if spec.dtype is DType.UINT64 else "long"


def _simple_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    product, y = Product.of(problem), problem.y
    epilogue: Epilogue = plan_epilogue(problem)
    addend = _plan_addend(problem, 0)
    alpha = _alpha(problem)
    beta = float(problem.node.attrs.get("beta", 1.0))
    kernel = Kernel.of(
        "gemm/simple.cl.mako",
        "gemm_simple",
        type=c_type(y.dtype),
        sum_type=_sum_type(y),
        # Integers stay integers unless they are scaled.
        scaled=y.dtype.is_float or alpha != 1 or (addend.kind != "none" and beta != 1),
        batched=product.batch > 1,
        addend=addend.kind,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    chunk = product.columns if problem.device.is_cpu else 1
    ctype = "double" if y.dtype is DType.FLOAT64 else "float"
    arguments: list[tuple[str, Argument]] = [
        ("a", problem.argument(0)),
        ("b", problem.argument(1)),
        *product.batch_arguments(),
        ("y", Write(problem.node.outputs[0])),
        ("rows", Scalar(product.rows)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
        ("a_row", Scalar(product.a_steps[0])),
        ("a_inner", Scalar(product.a_steps[1])),
        ("b_inner", Scalar(product.b_steps[0])),
        ("b_column", Scalar(product.b_steps[1])),
        ("alpha", Scalar(alpha, ctype)),
        ("channels", Scalar(y.shape[1] if y.rank > 1 else 1)),
        ("channel_size", Scalar(math.prod(y.shape[2:]))),
        ("chunk", Scalar(chunk)),
        *addend.arguments,
        *epilogue.arguments,
    ]
    items = (-(-product.columns // chunk), product.rows, product.batch)
    return Lowered((problem.call(kernel, arguments, items),))


for _op in ("Gemm", "MatMul"):
    register(
        Variant(_op, "blocked", _blocked_applies, _blocked_lower),
        Variant(_op, "tiled", _tile_obstacle, _tiled_lower),
        Variant(_op, "simple", type_obstacle, _simple_lower),
    )
