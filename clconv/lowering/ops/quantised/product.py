"""Variants of ConvInteger, QLinearConv, MatMulInteger and QLinearMatMul: exact sums in int32."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar, Table, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.kernel import (
    Kernel,
    Lowered,
    Problem,
    Variant,
    register,
)
from clconv.lowering.model.obstacles import double_obstacle, has_double
from clconv.lowering.ops.quantised.quantise import exact_quotient
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.work_split import items, nested

_TILE = 16  # sums that an item of a CPU keeps in registers


@dataclasses.dataclass(frozen=True)
class _Inputs:
    """Where an operator has its inputs; -1 for those that it does not have."""

    w: int
    x_zero: int
    w_zero: int
    x_scale: int = -1
    w_scale: int = -1
    y_scale: int = -1
    y_zero: int = -1
    bias: int = -1


_INTEGER = _Inputs(w=1, x_zero=2, w_zero=3)
_LINEAR = _Inputs(w=3, x_zero=2, w_zero=5, x_scale=1, w_scale=4, y_scale=6, y_zero=7, bias=8)


def _inputs(problem: Problem) -> _Inputs:
    return _LINEAR if problem.node.op.startswith("QLinear") else _INTEGER


def _has(problem: Problem, index: int) -> bool:
    return index >= 0 and problem.has(index)


def _kind(problem: Problem, index: int) -> str:
    """ "" for no zero point, "one" or "many"."""
    if not _has(problem, index):
        return ""
    return "one" if problem.input(index).size == 1 else "many"


def _many(problem: Problem, index: int) -> bool:
    return index >= 0 and problem.input(index).size > 1


def _shared(problem: Problem) -> dict[str, Hashable]:
    """Template parameters of both kernels."""
    at, device, y = _inputs(problem), problem.device, problem.y
    scaled = at.x_scale >= 0
    scale = problem.input(at.x_scale).dtype if scaled else DType.FLOAT32
    compute = "double" if scale is DType.FLOAT64 else "float"
    limits = np.iinfo(y.dtype.numpy)
    return {
        "x_type": C_TYPES[problem.x.dtype.value],
        "w_type": C_TYPES[problem.input(at.w).dtype.value],
        "target": C_TYPES[y.dtype.value],
        "points": (_kind(problem, at.x_zero), _kind(problem, at.w_zero)),
        "scaled": scaled,
        "scale_type": C_TYPES[scale.value],
        "compute": compute,
        # An int32 times a float32 is rounded to an integer: a float could be off by one.
        "wide": "double" if has_double(device) else "float",
        "quotient": exact_quotient(device, compute),
        "low": int(limits.min),
        "high": int(limits.max),
        "tile": _TILE if device.is_cpu else 1,
    }


def _operands(problem: Problem) -> list[tuple[str, Argument]]:
    at = _inputs(problem)
    wanted = (("w", at.w), ("x_zero", at.x_zero), ("w_zero", at.w_zero))
    scales = (
        ("x_scale", at.x_scale),
        ("w_scale", at.w_scale),
        ("y_scale", at.y_scale),
        ("y_zero", at.y_zero),
    )
    return [
        ("x", problem.argument(0)),
        *((name, problem.argument(i)) for name, i in (*wanted, *scales) if _has(problem, i)),
    ]


def _obstacle(problem: Problem) -> str | None:
    at = _inputs(problem)
    if at.x_scale >= 0:
        dtypes = {problem.input(i).dtype for i in (at.x_scale, at.w_scale, at.y_scale)}
        if len(dtypes) > 1:
            return f"scales of different dtypes: {sorted(d.value for d in dtypes)}"
    return double_obstacle(problem)


def _conv_lower(problem: Problem) -> Lowered:
    at, attrs = _inputs(problem), problem.node.attrs
    x, w, y = problem.x, problem.input(at.w), problem.y
    if not y.size:
        return Lowered()
    axes = range(x.rank - 2)
    bias = _has(problem, at.bias)
    shared = _shared(problem)
    kernel = Kernel.of(
        "quantised/product/conv.cl.mako",
        "quantised_conv",
        **shared,
        spatial=len(axes),
        bias=bias,
        many_scales=_many(problem, at.w_scale),
        inside=attrs.strides[-1] == 1,
    )
    width = y.shape[-1]
    columns = min(width, 256) if problem.device.is_cpu else 1
    parts = items(width, columns)
    arguments: list[tuple[str, Argument]] = [
        *_operands(problem),
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
    at, y = _inputs(problem), problem.y
    if not y.size:
        return Lowered()
    w = problem.input(at.w)
    product = Product.of(dataclasses.replace(problem, inputs=(problem.x, w)))
    kernel = Kernel.of(
        "quantised/product/matmul.cl.mako",
        "quantised_matmul",
        **_shared(problem),
        batched=product.batch > 1,
        many_rows=_many(problem, at.x_scale),
        many_columns=_many(problem, at.w_scale),
    )
    chunk = min(product.columns, 512) if problem.device.is_cpu else 1
    tables = (("x_batches", product.a_batches), ("w_batches", product.b_batches))
    batched = product.batch > 1
    arguments: list[tuple[str, Argument]] = [
        *_operands(problem),
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
    return nested(1, *problem.input(_inputs(problem).w).shape[1:], 1)


def _matmul_rounds(problem: Problem) -> int:
    return nested(1, problem.x.shape[-1], 1)


for _name in ("ConvInteger", "QLinearConv"):
    register(Variant(_name, "simple", _obstacle, _conv_lower, rounds=_conv_rounds))
for _name in ("MatMulInteger", "QLinearMatMul"):
    register(Variant(_name, "simple", _obstacle, _matmul_lower, rounds=_matmul_rounds))
