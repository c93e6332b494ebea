"""What the variants of Gemm and MatMul share: sizes and steps of the matrices, and what is added to the product."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.arguments import (
    Argument,
    Packed,
    Packing,
    Scalar,
    Table,
)
from clconv.lowering.blocked import stored_obstacle
from clconv.lowering.epilogue import plan_epilogue
from clconv.lowering.kernel import Problem
from clconv.lowering.obstacles import computed


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


# --- what Gemm adds and scales by


def alpha_of(problem: Problem) -> float:
    return float(problem.node.attrs.get("alpha", 1.0))


def beta_of(problem: Problem) -> float:
    """1 if there is no C."""
    return float(problem.node.attrs.beta) if problem.has(2) else 1.0


def factor_type(problem: Problem) -> str:
    """The C type of alpha and beta. Integers that whole numbers scale stay integers."""
    dtype = problem.y.dtype
    if dtype.is_float:
        return "double" if dtype is DType.FLOAT64 else "float"
    whole = alpha_of(problem).is_integer() and beta_of(problem).is_integer()
    return "long" if whole else "float"


@dataclasses.dataclass(frozen=True)
class Addend:
    """beta * C: "none", "columns" (a constant vector, beta in it) or "matrix" with steps of row and column."""

    kind: str = "none"
    column_step: int = 0
    arguments: tuple[tuple[str, Argument], ...] = ()


def plan_addend(problem: Problem, width: int) -> Addend:
    """How a kernel gets C; width: what a vector of columns is padded to, 0 if it cannot take one."""
    if problem.node.op != "Gemm" or not problem.has(2) or problem.node.attrs.beta == 0:
        return Addend()
    spec, name, beta = problem.input(2), problem.node.inputs[2], beta_of(problem)
    columns = problem.y.shape[1]
    c_rows, c_columns = (1,) * (2 - spec.rank) + spec.shape
    if width and problem.is_constant(2) and c_rows == 1:

        def pack(c: np.ndarray) -> np.ndarray:
            line = np.broadcast_to(c.reshape(-1) * np.float32(beta), columns)
            return np.pad(line.astype(np.float32), (0, -columns % width))

        packing = Packing("gemm.columns", (beta, columns, width), pack, DType.FLOAT32)
        return Addend("columns", 1, (("c", Packed(name, packing)),))
    steps = (0 if c_rows == 1 else c_columns, 0 if c_columns == 1 else 1)
    ctype = factor_type(problem)
    arguments: list[tuple[str, Argument]] = [
        ("c", problem.argument(2)),
        ("c_row", Scalar(steps[0])),
        *([] if width else [("c_column", Scalar(steps[1]))]),
        ("beta", Scalar(int(beta) if ctype == "long" else beta, ctype)),
    ]
    return Addend("matrix", steps[1], tuple(arguments))


# --- what kernels of float vectors along the columns take


def float_obstacle(problem: Problem) -> str | None:
    """Why a kernel that finishes vectors of float columns, which may be stored as halves, cannot run the node."""
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    obstacle = stored_obstacle(problem)
    if obstacle:
        return obstacle
    kinds = {o.kind for term in plan_epilogue(problem).terms for o in term.operands}
    along_columns = problem.y.rank == 2 and problem.y.shape[1] == Product.of(problem).columns
    if "channel" in kinds and not along_columns:
        return "needs operands of the epilogue that follow the columns"
    return None


def size_obstacle(problem: Problem) -> str | None:
    """Why a kernel that counts elements in int, and has none to finish without a sum, cannot run the node."""
    sizes = (problem.x.size, problem.input(1).size, problem.y.size)
    if max(sizes) >= 1 << 31 or not all(sizes):
        return "needs elements, fewer than 2^31"
    return None
