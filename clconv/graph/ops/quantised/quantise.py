"""To integers and back: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.

real = (integer - zero point) * scale. What is rounded (half to even) is computed in the scale's own
precision, because a float64 quotient would round ties otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.movement.create import known_dtype
from clconv.graph.ops.numeric import expect_kind, per_input
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient import quantised as gradient
from clconv.graph.rules.gradient.flat import flat

QUANTISED = (DType.UINT8, DType.INT8, DType.UINT16, DType.INT16)
_LINEAR = {"axis": 1, "block_size": 0, "output_dtype": ""}


def expect_quantised(call: Call, index: int, allowed: Sequence[DType] = QUANTISED) -> DType:
    dtype = call.spec(index).dtype
    names = [d.value for d in allowed]
    call.expect(dtype in allowed, f"input {index} must be one of {names}, it is {dtype.value}")
    return dtype


def _check_scale(call: Call, index: int) -> None:
    """The scale is a scalar, a vector along `axis`, or one value a block along `axis`."""
    x, scale, at = call.spec(0).shape, call.spec(index).shape, call.attrs
    expect_kind(call, index, "float")
    if at.block_size:
        axis = call.axis(at.axis, len(x))
        blocks = -(-x[axis] // at.block_size) if at.block_size > 0 else -1
        wanted = (*x[:axis], blocks, *x[axis + 1 :])
        call.expect(scale == wanted, f"blocks of {at.block_size} need scales of shape {wanted}")
    elif len(scale) == 1 and scale != (1,):
        axis = call.axis(at.axis, len(x))
        call.expect(scale == (x[axis],), f"there must be {x[axis]} scales along axis {axis}")
    else:
        call.expect(len(scale) == 0 or scale == (1,), f"scales of shape {scale} mean nothing")
    if call.has(index + 1):
        zero = call.spec(index + 1).shape
        # onnxruntime's quantiser writes a scale of shape (1,) and a zero point without axes.
        alike = zero == scale or {zero, scale} == {(), (1,)}
        call.expect(alike, f"zero points {zero} and scales {scale} differ in shape")


def along_axis(at: Any, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scales or zero points so that they broadcast to the tensor they belong to."""
    if at.block_size:
        repeated = np.repeat(values, at.block_size, at.axis)
        return np.take(repeated, range(shape[at.axis]), at.axis)
    if values.size == 1:
        return values.reshape(())
    broadcast = [1] * len(shape)
    broadcast[at.axis] = values.size
    return values.reshape(broadcast)


def saturate(rounded: np.ndarray, zero: np.ndarray, dtype: Any) -> np.ndarray:
    """rounded + zero point, clipped to what the dtype holds. NaN becomes the least value, as with onnxruntime."""
    limits = np.iinfo(dtype)
    whole = rounded + zero.astype(np.float64)
    return np.where(whole > limits.min, np.minimum(whole, limits.max), limits.min).astype(dtype)


def _infer_quantize(call: Call) -> Sequence[TensorSpec]:
    expect_kind(call, 0, "number")
    _check_scale(call, 1)
    named = known_dtype(call, call.attrs.output_dtype) if call.attrs.output_dtype else None
    found = expect_quantised(call, 2) if call.has(2) else None
    call.expect(
        named is None or found is None or named is found, "output_dtype and the zero point differ"
    )
    dtype = found or named or DType.UINT8
    call.expect(dtype in QUANTISED, f"{dtype.value} is no quantised dtype")
    return [TensorSpec(call.spec(0).shape, dtype)]


def _quantize(
    at: Any, x: np.ndarray, scale: np.ndarray, zero: np.ndarray | None = None
) -> np.ndarray:
    dtype = zero.dtype if zero is not None else np.dtype(at.output_dtype or "uint8")
    zero = np.zeros((), dtype) if zero is None else along_axis(at, zero, x.shape)
    # An integer x (int32) takes the scale's precision: a float64 quotient would round ties otherwise.
    wide = np.result_type(scale, x) if x.dtype.kind == "f" else scale.dtype
    with np.errstate(all="ignore"):
        quotient = x.astype(wide) / along_axis(at, scale, x.shape).astype(wide)
    return saturate(np.rint(quotient).astype(np.float64), zero, dtype)


def _infer_dequantize(call: Call) -> Sequence[TensorSpec]:
    expect_quantised(call, 0, (*QUANTISED, DType.INT32))
    _check_scale(call, 1)
    if call.has(2):
        same_dtype(call, 0, 2)
    name = call.attrs.output_dtype
    return [TensorSpec(call.spec(0).shape, known_dtype(call, name) if name else call.spec(1).dtype)]


def _dequantize(
    at: Any, x: np.ndarray, scale: np.ndarray, zero: np.ndarray | None = None
) -> np.ndarray:
    wide = x.astype(np.float64)
    if zero is not None:
        wide = wide - along_axis(at, zero, x.shape).astype(np.float64)
    out = wide * along_axis(at, scale, x.shape).astype(np.float64)
    return out.astype(at.output_dtype or scale.dtype)


def _infer_dynamic(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    call.expect(x.dtype is DType.FLOAT32, f"takes float32, not {x.dtype.value}")
    return [
        TensorSpec(x.shape, DType.UINT8),
        TensorSpec((), DType.FLOAT32),
        TensorSpec((), DType.UINT8),
    ]


def _dynamic(at: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint8 over the range of x widened to hold 0: the integers, their scale and zero point.

    As ONNX's formula gives where x is not finite: with a NaN among the elements the scale is NaN, with an infinity it is
    infinite, and all integers are 0.
    """
    low = np.minimum(np.float32(0), x.min(initial=0))
    high = np.maximum(np.float32(0), x.max(initial=0))
    # Any scale fits nothing but zeros; 1 keeps the quotients finite.
    with np.errstate(all="ignore"):
        scale = np.asarray((high - low) / np.float32(255) or 1, np.float32)
        zero = saturate(np.rint(-low / scale), np.zeros(()), np.uint8)
        return saturate(np.rint(x / scale), zero, np.uint8), scale, zero


register(
    Op(
        "QuantizeLinear",
        _infer_quantize,
        _quantize,
        per_input(3),
        {**_LINEAR, "saturate": 1, "precision": 0},
        inputs=(2, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=transposed.quantise,
            images=images.quantise,
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
        "DequantizeLinear",
        _infer_dequantize,
        _dequantize,
        per_input(2),
        _LINEAR,
        inputs=(2, 3),
        hooks=Hooks(
            known=known.dequantize,
            shape_input=None,
            transposed=transposed.quantise,
            images=images.quantise,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.dequantize,
        ),
    )
)
register(
    Op(
        "DynamicQuantizeLinear",
        _infer_dynamic,
        _dynamic,
        per_input(5),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=None,
        ),
    )
)
