"""What the variants of Gemm and MatMul share: sizes and steps of the matrices, and what is added to the product."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Packing,
    Scalar,
)
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.blocked import stored_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.product import Product
from clconv.records import record

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


@record(frozen=True)
class Addend:
    """beta * C: "none", "columns" (a constant vector, beta in it) or "matrix" with steps of row and column."""

    kind: str = "none"
    column_step: int = 0
    arguments: tuple[tuple[str, Argument], ...] = ()
    alike: tuple[str, ...] = ()  # as Epilogue.alike: a matrix that is not broadcast


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
    alike = ("c",) if spec.shape == problem.y.shape else ()
    return Addend("matrix", steps[1], tuple(arguments), alike)


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
