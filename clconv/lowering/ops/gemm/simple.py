"""Gemm and MatMul by definition: any type and shape."""

from __future__ import annotations

import math

from clconv.graph.ir import DType, TensorSpec
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.ctext import saturated
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.model.obstacles import has_double
from clconv.lowering.ops.gemm.shape import alpha_of, beta_of, factor_type, plan_addend
from clconv.lowering.shared.blocked import c_type, stored_obstacle
from clconv.lowering.shared.epilogue import Epilogue, plan_epilogue
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.work_split import nested


def _sum_type(spec: TensorSpec) -> str:
    if spec.dtype.is_float:
        return c_type(spec.dtype)
    return "ulong" if spec.dtype is DType.UINT64 else "long"


def _wide(spec: TensorSpec, factor: str) -> str:
    """The C type in which sums are scaled."""
    if spec.dtype.is_float:
        return factor
    return _sum_type(spec) if factor == "long" else "double"


def _obstacle(problem: Problem) -> str | None:
    if _wide(problem.y, factor_type(problem)) == "double" and not has_double(problem.device):
        return (
            "float64, and integers scaled by fractions, need cl_khr_fp64, which the device has not"
        )
    return stored_obstacle(problem)


def _lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    product, y = Product.of(problem), problem.y
    epilogue: Epilogue = plan_epilogue(problem)
    addend = plan_addend(problem, 0)
    alpha = alpha_of(problem)
    beta, factor = beta_of(problem), factor_type(problem)
    kernel = Kernel.of(
        "gemm/simple.cl.mako",
        "gemm_simple",
        type=c_type(y.dtype),
        sum_type=_sum_type(y),
        scaled=y.dtype.is_float or alpha != 1 or (addend.kind != "none" and beta != 1),
        batched=product.batch > 1,
        factor=factor,
        wide=_wide(y, factor),
        conversion=saturated("scaled", DType.FLOAT64, y.dtype)
        if _wide(y, factor) == "double" and not y.dtype.is_float
        else f"({c_type(y.dtype)})scaled",
        addend=addend.kind,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    chunk = product.columns if problem.device.is_cpu else 1
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
        ("alpha", Scalar(int(alpha) if factor == "long" else alpha, factor)),
        ("channels", Scalar(y.shape[1] if y.rank > 1 else 1)),
        ("channel_size", Scalar(math.prod(y.shape[2:]))),
        ("chunk", Scalar(chunk)),
        *addend.arguments,
        *epilogue.arguments,
    ]
    items = (-(-product.columns // chunk), product.rows, product.batch)
    call = problem.call(kernel, arguments, items)
    return Lowered((call.reading_in_place([*addend.alike, *epilogue.alike]),))


def _rounds(problem: Problem) -> int:
    return nested(1, Product.of(problem).inner)


def simple_variant(op: str) -> Variant:
    return Variant(op, "simple", _obstacle, _lower, rounds=_rounds)
