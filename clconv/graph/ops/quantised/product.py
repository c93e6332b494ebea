"""Products of quantised tensors: ConvInteger, QLinearConv, MatMulInteger, QLinearMatMul.

Sums of integer products are exact. A zero point or scale is one value, or a vector with one for each
filter (or row, or column).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, DType, Node, TensorSpec
from clconv.graph.ops.base import OPS, REQUIRED, Call, Cost, Op, register
from clconv.graph.ops.gemm.gemm import matmul_shape
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import moved_bytes
from clconv.graph.ops.quantised.quantise import expect_quantised, saturate
from clconv.graph.ops.window import check_window, output_size, settle_auto_pad
from clconv.graph.rules import images
from clconv.graph.rules.gradient.flat import flat
from clconv.records import record

CONV_ATTRIBUTES = {
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,
    "group": 1,
    "auto_pad": "NOTSET",
}
BYTES = (DType.UINT8, DType.INT8)


def _conv_shape(call: Call, x_index: int, w_index: int) -> tuple[int, ...]:
    x, w, group = call.spec(x_index), call.spec(w_index), call.attrs.group
    for i in (x_index, w_index):
        expect_quantised(call, i, BYTES)
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(w.rank == x.rank, f"filters of rank {w.rank} for an input of rank {x.rank}")
    call.expect(
        group >= 1 and w.shape[0] % group == 0 and x.shape[1] == w.shape[1] * group,
        f"{x.shape[1]} channels, filters {w.shape} and {group} groups do not fit",
    )
    window = check_window(call, x, w.shape[2:])
    return (x.shape[0], w.shape[0], *output_size(call, x.shape[2:], window))


def _check_points(call: Call, indices: Sequence[int], lengths: Sequence[int]) -> None:
    for i, length in zip(indices, lengths, strict=True):
        if call.has(i):
            spec = call.spec(i)
            call.expect(
                spec.shape in ((), (1,), (length,)) or spec.size == 1,
                f"input {i} must be one value or a vector of {length}",
            )


def _settle_conv(call: Call, w_index: int) -> Attributes:
    x, w = call.spec(0), call.spec(w_index)
    call.expect(x.rank >= 3 and w.rank == x.rank, "the image's and the filters' ranks differ")
    for name in ("strides", "dilations"):
        values = call.attrs[name]
        call.expect(len(values) == x.rank - 2, f"{name} {values} must have {x.rank - 2} values")
    return settle_auto_pad(call, w.shape[2:])


def _shifted(x: np.ndarray, zero: np.ndarray | None, axis: int) -> np.ndarray:
    """x - zero point as float64, which holds every such integer exactly."""
    if zero is None:
        return x.astype(np.float64)
    if zero.size != 1 and zero.ndim == 1:
        zero = zero.reshape([zero.size if i == axis % x.ndim else 1 for i in range(x.ndim)])
    return x.astype(np.float64) - (zero.reshape(()) if zero.size == 1 else zero)


def _integer_sums(at: Any, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    full = Attributes({**at, "pad_mode": "constant"})
    return np.asarray(OPS["Conv"].reference(full, x, w))


def _infer_conv_integer(call: Call) -> Sequence[TensorSpec]:
    shape = _conv_shape(call, 0, 1)
    _check_points(call, (2, 3), (1, call.spec(1).shape[0]))
    return [TensorSpec(shape, DType.INT32)]


def _conv_integer(
    at: Any,
    x: np.ndarray,
    w: np.ndarray,
    x_zero: np.ndarray | None = None,
    w_zero: np.ndarray | None = None,
) -> np.ndarray:
    return _integer_sums(at, _shifted(x, x_zero, 1), _shifted(w, w_zero, 0)).astype(np.int32)


@record(frozen=True)
class _Quantised:
    """A factor of a product: (values - zero) * scale."""

    values: np.ndarray
    scale: np.ndarray
    zero: np.ndarray


def _quantised_product(
    inputs: Sequence[np.ndarray],
) -> tuple[_Quantised, _Quantised, Sequence[np.ndarray]]:
    """Both factors, and scale and zero of the result: the first eight inputs, in this order. Scales that are halves are
    multiplied and divided in float32, as kernels do."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = inputs[:8]
    x_scale, w_scale, y_scale = (s.astype(np.float32) for s in (x_scale, w_scale, y_scale))
    return _Quantised(x, x_scale, x_zero), _Quantised(w, w_scale, w_zero), (y_scale, y_zero)


def _infer_qlinear_conv(call: Call) -> Sequence[TensorSpec]:
    shape, filters = _conv_shape(call, 0, 3), call.spec(3).shape[:1]
    _check_points(call, (1, 2, 4, 5, 6, 7), (1, 1, *filters, *filters, 1, 1))
    if call.has(8):
        bias = call.spec(8)
        call.expect(
            bias.shape == filters and bias.dtype is DType.INT32, f"the bias must be int32{filters}"
        )
    return [TensorSpec(shape, expect_quantised(call, 7, BYTES))]


def _qlinear_conv(at: Any, *inputs: np.ndarray) -> np.ndarray:
    """inputs: those of _quantised_product, then perhaps a bias."""
    x, w, (y_scale, y_zero) = _quantised_product(inputs)
    sums = _integer_sums(at, _shifted(x.values, x.zero, 1), _shifted(w.values, w.zero, 0))
    per_filter = (1, -1, *(1,) * (x.values.ndim - 2))
    for bias in inputs[8:]:
        sums = sums + bias.reshape(per_filter)
    factor = (x.scale.reshape(-1) * w.scale.reshape(-1) / y_scale.reshape(-1)).reshape(per_filter)
    return saturate(np.rint(sums * factor), y_zero.reshape(()), y_zero.dtype)


def _infer_matmul_integer(call: Call) -> Sequence[TensorSpec]:
    for i in (0, 1):
        expect_quantised(call, i, BYTES)
    a, b = call.spec(0).shape, call.spec(1).shape
    shape = matmul_shape(call, a, b)
    rows, columns = (a[-2] if len(a) > 1 else 1), (b[-1] if len(b) > 1 else 1)
    _check_points(call, (2, 3), (rows, columns))
    return [TensorSpec(shape, DType.INT32)]


def _matmul_integer(
    at: Any,
    a: np.ndarray,
    b: np.ndarray,
    a_zero: np.ndarray | None = None,
    b_zero: np.ndarray | None = None,
) -> np.ndarray:
    left, right = _shifted(a, a_zero, -2), _shifted(b, b_zero, -1)
    return np.asarray(np.matmul(left, right)).astype(np.int32)


def _infer_qlinear_matmul(call: Call) -> Sequence[TensorSpec]:
    for i in (0, 3):
        expect_quantised(call, i, BYTES)
    a, b = call.spec(0).shape, call.spec(3).shape
    shape = matmul_shape(call, a, b)
    rows, columns = (a[-2] if len(a) > 1 else 1), (b[-1] if len(b) > 1 else 1)
    _check_points(call, (1, 2, 4, 5, 6, 7), (rows, rows, columns, columns, 1, 1))
    return [TensorSpec(shape, expect_quantised(call, 7, BYTES))]


def _qlinear_matmul(at: Any, *inputs: np.ndarray) -> np.ndarray:
    a, b, (y_scale, y_zero) = _quantised_product(inputs)
    sums = np.matmul(_shifted(a.values, a.zero, -2), _shifted(b.values, b.zero, -1))
    rows = a.scale.reshape(-1, 1) if a.scale.ndim == 1 and a.scale.size > 1 else a.scale
    factor = rows * b.scale / y_scale
    factor = factor.reshape(()) if factor.size == 1 else factor
    return saturate(np.rint(sums * factor), y_zero.reshape(()), y_zero.dtype)


def _product_cost(
    node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    weights = inputs[3 if node.op.startswith("QLinear") else 1]
    assert weights is not None
    taps = weights.size // max(1, weights.shape[0 if "Conv" in node.op else -1])
    return Cost(2 * outputs[0].size * taps, moved_bytes(inputs, outputs))


register(
    Op(
        "ConvInteger",
        _infer_conv_integer,
        _conv_integer,
        _product_cost,
        CONV_ATTRIBUTES,
        inputs=(2, 4),
        settle=lambda call: _settle_conv(call, 1),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
register(
    Op(
        "QLinearConv",
        _infer_qlinear_conv,
        _qlinear_conv,
        _product_cost,
        CONV_ATTRIBUTES,
        inputs=(8, 9),
        settle=lambda call: _settle_conv(call, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
register(
    Op(
        "MatMulInteger",
        _infer_matmul_integer,
        _matmul_integer,
        _product_cost,
        inputs=(2, 4),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
register(
    Op(
        "QLinearMatMul",
        _infer_qlinear_matmul,
        _qlinear_matmul,
        _product_cost,
        inputs=(8, 8),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
