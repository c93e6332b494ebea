"""What the variants of ConvInteger, QLinearConv, MatMulInteger and QLinearMatMul share: inputs, zero points, scales."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import double_obstacle, has_double
from clconv.lowering.ops.quantised.quantise import exact_quotient
from clconv.records import record

TILE = 16  # sums that an item of a CPU keeps in registers
# Template parameters of what makes a result of a sum.
FINISHING = ("target", "scaled", "scale_type", "compute", "wide", "quotient", "low", "high")


@record(frozen=True)
class ProductInputs:
    """Where an operator has its inputs; -1 for those that it does not have."""

    w: int
    x_zero: int
    w_zero: int
    x_scale: int = -1
    w_scale: int = -1
    y_scale: int = -1
    y_zero: int = -1
    bias: int = -1


_INTEGER = ProductInputs(w=1, x_zero=2, w_zero=3)
_LINEAR = ProductInputs(w=3, x_zero=2, w_zero=5, x_scale=1, w_scale=4, y_scale=6, y_zero=7, bias=8)


def inputs_of(problem: Problem) -> ProductInputs:
    return _LINEAR if problem.node.op.startswith("QLinear") else _INTEGER


def has_input(problem: Problem, index: int) -> bool:
    return index >= 0 and problem.has(index)


def point_kind(problem: Problem, index: int) -> str:
    """ "" for no zero point, "one" or "many"."""
    if not has_input(problem, index):
        return ""
    return "one" if problem.input(index).size == 1 else "many"


def is_vector(problem: Problem, index: int) -> bool:
    return index >= 0 and problem.input(index).size > 1


def shared_parameters(problem: Problem) -> dict[str, Hashable]:
    """Template parameters of both kernels."""
    at, device, y = inputs_of(problem), problem.device, problem.y
    scaled = at.x_scale >= 0
    scale = problem.input(at.x_scale).dtype if scaled else DType.FLOAT32
    compute = "double" if scale is DType.FLOAT64 else "float"
    limits = np.iinfo(y.dtype.numpy)
    return {
        "x_type": C_TYPES[problem.x.dtype.value],
        "w_type": C_TYPES[problem.input(at.w).dtype.value],
        "target": C_TYPES[y.dtype.value],
        "points": (point_kind(problem, at.x_zero), point_kind(problem, at.w_zero)),
        "scaled": scaled,
        "scale_type": C_TYPES[scale.value],
        "compute": compute,
        # An int32 times a float32 is rounded to an integer: a float could be off by one.
        "wide": "double" if has_double(device) else "float",
        "quotient": exact_quotient(device, compute),
        "low": int(limits.min),
        "high": int(limits.max),
        "tile": TILE if device.is_cpu else 1,
    }


def operand_arguments(problem: Problem) -> list[tuple[str, Argument]]:
    at = inputs_of(problem)
    wanted = (("w", at.w), ("x_zero", at.x_zero), ("w_zero", at.w_zero))
    scales = (
        ("x_scale", at.x_scale),
        ("w_scale", at.w_scale),
        ("y_scale", at.y_scale),
        ("y_zero", at.y_zero),
    )
    return [
        ("x", problem.argument(0)),
        *((name, problem.argument(i)) for name, i in (*wanted, *scales) if has_input(problem, i)),
    ]


def product_obstacle(problem: Problem) -> str | None:
    at = inputs_of(problem)
    if at.x_scale >= 0:
        dtypes = {problem.input(i).dtype for i in (at.x_scale, at.w_scale, at.y_scale)}
        if len(dtypes) > 1:
            return f"scales of different dtypes: {sorted(d.value for d in dtypes)}"
    return double_obstacle(problem)


def multiplications(problem: Problem) -> int:
    """Products that the sums of a node are made of."""
    w = problem.input(inputs_of(problem).w)
    if "Conv" in problem.node.op:
        return problem.y.size * math.prod(w.shape[1:])
    return problem.y.size * problem.x.shape[-1]
