"""Products of quantised tensors by their definition: any shape, on any device."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.quantised.product.shape import (
    has_input,
    inputs_of,
    is_vector,
    multiplications,
    operand_arguments,
    product_obstacle,
    shared_parameters,
)
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.work_split import items, nested


def _conv_lower(problem: Problem) -> Lowered:
    at, attrs = inputs_of(problem), problem.node.attrs
    x, w, y = problem.x, problem.input(at.w), problem.y
    if not y.size:
        return Lowered()
    axes = range(x.rank - 2)
    bias = has_input(problem, at.bias)
    shared = shared_parameters(problem)
    kernel = Kernel.of(
        "quantised/product/conv.cl.mako",
        "quantised_conv",
        **shared,
        spatial=len(axes),
        bias=bias,
        many_scales=is_vector(problem, at.w_scale),
        inside=attrs.strides[-1] == 1,
    )
    width = y.shape[-1]
    columns = min(width, 256) if problem.device.is_cpu else 1
    parts = items(width, columns)
    arguments: list[tuple[str, Argument]] = [
        *operand_arguments(problem),
        *([("bias", problem.argument(at.bias))] if bias else []),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(w.shape[1])),
        ("filters", Scalar(y.shape[1])),
        ("group", Scalar(attrs.group)),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(y.shape[2 + i])) for i in axes),
        *((f"kernel{i}", Scalar(w.shape[2 + i])) for i in axes),
        *((f"stride{i}", Scalar(attrs.strides[i])) for i in axes),
        *((f"dilation{i}", Scalar(attrs.dilations[i])) for i in axes),
        *((f"pad{i}", Scalar(attrs.pads[i])) for i in axes),
        ("columns", Scalar(columns)),
        ("parts", Scalar(parts)),
    ]
    size = (parts * math.prod(y.shape[2:-1]), y.shape[1], y.shape[0])
    return Lowered((problem.call(kernel, arguments, size),))


def _matmul_lower(problem: Problem) -> Lowered:
    at, y = inputs_of(problem), problem.y
    if not y.size:
        return Lowered()
    w = problem.input(at.w)
    product = Product.of(dataclasses.replace(problem, inputs=(problem.x, w)))
    kernel = Kernel.of(
        "quantised/product/matmul.cl.mako",
        "quantised_matmul",
        **shared_parameters(problem),
        batched=product.batch > 1,
        many_rows=is_vector(problem, at.x_scale),
        many_columns=is_vector(problem, at.w_scale),
    )
    chunk = min(product.columns, 512) if problem.device.is_cpu else 1
    tables = (("x_batches", product.a_batches), ("w_batches", product.b_batches))
    batched = product.batch > 1
    arguments: list[tuple[str, Argument]] = [
        *operand_arguments(problem),
        *((name, Table(np.array(which, np.int32))) for name, which in tables if batched),
        ("y", Write(problem.node.outputs[0])),
        ("rows", Scalar(product.rows)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
        ("point_rows", Scalar(problem.x.shape[-2] if problem.x.rank > 1 else 1)),
        ("chunk", Scalar(chunk)),
    ]
    size = (items(product.columns, chunk), product.rows, product.batch)
    return Lowered((problem.call(kernel, arguments, size),))


def _conv_rounds(problem: Problem) -> int:
    return nested(1, *problem.input(inputs_of(problem).w).shape[1:], 1)


def _matmul_rounds(problem: Problem) -> int:
    return nested(1, problem.x.shape[-1], 1)


def _estimate(problem: Problem) -> float:
    return multiplications(problem) / 3e9


def simple_variant(op: str) -> Variant:
    lower, rounds = (_conv_lower, _conv_rounds) if "Conv" in op else (_matmul_lower, _matmul_rounds)
    return Variant(op, "simple", product_obstacle, lower, estimate=_estimate, rounds=rounds)
