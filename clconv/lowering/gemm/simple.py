"""Gemm and MatMul by definition: any type and shape."""

from __future__ import annotations

import math

from clconv.graph.ir import DType, TensorSpec
from clconv.lowering.arguments import Argument, Scalar, Write
from clconv.lowering.blocked import c_type, stored_obstacle
from clconv.lowering.epilogue import Epilogue, plan_epilogue
from clconv.lowering.gemm.shape import Product, alpha_of, plan_addend
from clconv.lowering.kernel import Kernel, Lowered, Problem, Variant


def _sum_type(spec: TensorSpec) -> str:
    if spec.dtype.is_float:
        return c_type(spec.dtype)
    return "ulong" if spec.dtype is DType.UINT64 else "long"


def _lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    product, y = Product.of(problem), problem.y
    epilogue: Epilogue = plan_epilogue(problem)
    addend = plan_addend(problem, 0)
    alpha = alpha_of(problem)
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


def simple_variant(op: str) -> Variant:
    return Variant(op, "simple", stored_obstacle, _lower)
