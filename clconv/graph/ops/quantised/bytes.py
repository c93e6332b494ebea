"""Operators on bytes, which networks do not have: passes/bytes writes them where a device multiplies bytes.

A value of a quantised network lies on a grid of at most 256 steps; a byte counts them: real = (byte - zero) * scale. Sums
of products of bytes are exact in int32. They become bytes again by `numbers`, nine float32:

  v = sum * multiplier                                               of float32, one for each filter
  v = rint(clip(v, numbers[0], numbers[1])) * numbers[2]             if `twice`: first on a grid of its own
  v = (other - numbers[3]) * numbers[4] + v                          if there is another summand, rounded once
  y = rint(clip(v, numbers[5], numbers[6])) + numbers[7]

numbers[8] is spare. The clips hold what an activation cuts off as well as the ends of the grid.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, DType, Node, TensorSpec
from clconv.graph.ops.base import OPS, REQUIRED, Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import moved_bytes
from clconv.graph.ops.window import check_window, output_size
from clconv.graph.rules import images

NUMBERS = 9
OTHER = 5  # input of ByteConv: what is added


def requantise(
    sums: np.ndarray, numbers: np.ndarray, twice: bool, other: np.ndarray | None = None
) -> np.ndarray:
    """Bytes of scaled sums, float32, as the formula above says."""
    value = sums.astype(np.float32)
    if twice:
        value = np.rint(np.clip(value, numbers[0], numbers[1])) * numbers[2]
    if other is not None:
        steps = other.astype(np.float64) - np.float64(numbers[3])
        # Exact in float64: kernels round product and sum once.
        value = (steps * np.float64(numbers[4]) + value.astype(np.float64)).astype(np.float32)
    whole = np.rint(np.clip(value, numbers[5], numbers[6])) + numbers[7]
    return whole.astype(np.uint8)


def _expect(call: Call, index: int, dtype: DType) -> TensorSpec:
    spec = call.spec(index)
    call.expect(
        spec.dtype is dtype, f"input {index} must be {dtype.value}, it is {spec.dtype.value}"
    )
    return spec


def _expect_numbers(call: Call, index: int) -> None:
    call.expect(
        _expect(call, index, DType.FLOAT32).shape == (NUMBERS,),
        f"input {index} must be {NUMBERS} numbers",
    )


def _infer_conv(call: Call) -> Sequence[TensorSpec]:
    x, w, group = _expect(call, 0, DType.UINT8), _expect(call, 1, DType.INT8), call.attrs.group
    call.expect(x.rank in (3, 4) and w.rank == x.rank, "takes one or two spatial axes")
    call.expect(
        group >= 1 and w.shape[0] % group == 0 and x.shape[1] == w.shape[1] * group,
        f"{x.shape[1]} channels, filters {w.shape} and {group} groups do not fit",
    )
    for index, dtype in ((2, DType.FLOAT32), (3, DType.INT32)):
        call.expect(
            _expect(call, index, dtype).shape == w.shape[:1], f"input {index} needs one a filter"
        )
    _expect_numbers(call, 4)
    window = check_window(call, x, w.shape[2:])
    shape = (x.shape[0], w.shape[0], *output_size(call, x.shape[2:], window))
    if call.has(OTHER):
        other = _expect(call, OTHER, DType.UINT8)
        call.expect(other.shape == shape, f"the other summand must have shape {shape}")
    return [TensorSpec(shape, DType.UINT8)]


def _conv(
    at: Any,
    x: np.ndarray,
    w: np.ndarray,
    multiplier: np.ndarray,
    bias: np.ndarray,
    numbers: np.ndarray,
    other: np.ndarray | None = None,
) -> np.ndarray:
    """bias: with what the zero point of x adds to the sums, of which pads have the value."""
    spatial = x.ndim - 2
    width = [(at.pads[i], at.pads[i + spatial]) for i in range(spatial)]
    padded = np.pad(x, [(0, 0), (0, 0), *width], constant_values=at.x_zero)
    plain = Attributes({**at, "pads": (0,) * (2 * spatial), "pad_mode": "constant"})
    along = (1, -1, *(1,) * spatial)
    sums = OPS["Conv"].reference(plain, padded.astype(np.float64), w)
    sums = (sums + bias.reshape(along)).astype(np.int32)
    scaled = sums.astype(np.float32) * multiplier.reshape(along)
    return requantise(scaled, numbers, at.twice, other)


def _conv_cost(
    node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    weights = inputs[1]
    assert weights is not None
    return Cost(2 * outputs[0].size * math.prod(weights.shape[1:]), moved_bytes(inputs, outputs))


def _infer_average(call: Call) -> Sequence[TensorSpec]:
    x = _expect(call, 0, DType.UINT8)
    _expect_numbers(call, 1)
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    return [TensorSpec((*x.shape[:2], *(1,) * (x.rank - 2)), DType.UINT8)]


def _average(at: Any, x: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """numbers[3]: the zero point of all pixels together. numbers[4]: what a sum is multiplied by."""
    axes = tuple(range(2, x.ndim))
    sums = x.astype(np.int64).sum(axis=axes, keepdims=True)
    scaled = (sums - int(numbers[3])).astype(np.float32) * numbers[4]
    return requantise(scaled, numbers, False)


def _infer_table(call: Call) -> Sequence[TensorSpec]:
    x = _expect(call, 0, DType.UINT8)
    call.expect(_expect(call, 1, DType.UINT8).shape == (256,), "the table must have 256 bytes")
    return [x]


def _table(at: Any, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    return np.asarray(table[x])


def _infer_combine(call: Call) -> Sequence[TensorSpec]:
    x, other = _expect(call, 0, DType.UINT8), _expect(call, 1, DType.UINT8)
    _expect_numbers(call, 2)
    each_channel = (*x.shape[:2], *(1,) * (x.rank - 2))
    call.expect(
        other.shape in (x.shape, each_channel),
        f"the other factor must have shape {x.shape} or {each_channel}",
    )
    return [x]


def _add(at: Any, x: np.ndarray, other: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """numbers[0], numbers[1]: zero point and multiplier of x."""
    scaled = (x.astype(np.float32) - numbers[0]) * numbers[1]
    return requantise(scaled, numbers, False, other)


def _multiply(at: Any, x: np.ndarray, other: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """numbers[0]: zero point of x; numbers[3], numbers[4]: that of the other, and the multiplier of the product."""
    product = (x.astype(np.float32) - numbers[0]) * (other.astype(np.float32) - numbers[3])
    return requantise(product * numbers[4], numbers, False)


_HOOKS = Hooks(
    known=None,
    shape_input=None,
    transposed=None,
    images=images.first,
    half=Half.EXACT,
    epilogue=False,
    pad=False,
    keeps_elements=False,
    gradient=None,
)
_OF_TWO = dataclasses.replace(_HOOKS, images=images.elementwise)

register(
    Op(
        "ByteConv",
        _infer_conv,
        _conv,
        _conv_cost,
        {
            "strides": REQUIRED,
            "dilations": REQUIRED,
            "pads": REQUIRED,
            "group": 1,
            "x_zero": 0,
            "twice": False,
        },
        inputs=(5, 6),
        hooks=dataclasses.replace(_HOOKS, images=images.only(0, OTHER)),
    )
)
register(Op("ByteAveragePool", _infer_average, _average, inputs=(2, 2), hooks=_HOOKS))
register(Op("ByteTable", _infer_table, _table, inputs=(2, 2), hooks=_HOOKS))
register(Op("ByteAdd", _infer_combine, _add, inputs=(3, 3), hooks=_OF_TWO))
register(Op("ByteMul", _infer_combine, _multiply, inputs=(3, 3), hooks=_OF_TWO))
