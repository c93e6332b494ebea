"""Products of bytes that give floats, which networks do not have: passes/bytes writes them where a device multiplies bytes.

  y = sum of (x - zero) * w, exact, * (scale * multiplier) + bias

Inputs: x uint8, zero (uint8) and scale (float32) of x, which may be known at a run only, w int8, and for each filter a
multiplier and perhaps a bias, float32. The order is x, zero, w, scale, multiplier, bias. Sums are rounded to float32 once.
"""

from __future__ import annotations

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

X, ZERO, W, SCALE, MULTIPLIER, BIAS = range(6)


def _expect_factors(call: Call) -> None:
    wanted = {X: DType.UINT8, ZERO: DType.UINT8, W: DType.INT8}
    for index in range(BIAS + call.has(BIAS)):
        dtype = wanted.get(index, DType.FLOAT32)
        found = call.spec(index).dtype
        call.expect(found is dtype, f"input {index} must be {dtype.value}, it is {found.value}")
    for index in (ZERO, SCALE):
        call.expect(call.spec(index).size == 1, f"input {index} must be one number")
    filters = call.spec(W).shape[:1]
    for index in range(MULTIPLIER, BIAS + call.has(BIAS)):
        call.expect(call.spec(index).shape == filters, f"input {index} needs one a filter")


def _infer_matmul(call: Call) -> Sequence[TensorSpec]:
    x, w = call.spec(X).shape, call.spec(W).shape
    call.expect(len(w) == 2 and len(x) >= 2, "takes rows, and filters (columns, inner)")
    call.expect(x[-1] == w[1], f"rows of {x[-1]} and filters of {w[1]} do not fit")
    _expect_factors(call)
    return [TensorSpec((*x[:-1], w[0]), DType.FLOAT32)]


def _infer_conv(call: Call) -> Sequence[TensorSpec]:
    x, w, group = call.spec(X), call.spec(W), call.attrs.group
    call.expect(x.rank in (3, 4) and w.rank == x.rank, "takes one or two spatial axes")
    call.expect(
        group >= 1 and w.shape[0] % group == 0 and x.shape[1] == w.shape[1] * group,
        f"{x.shape[1]} channels, filters {w.shape} and {group} groups do not fit",
    )
    _expect_factors(call)
    window = check_window(call, x, w.shape[2:])
    shape = (x.shape[0], w.shape[0], *output_size(call, x.shape[2:], window))
    return [TensorSpec(shape, DType.FLOAT32)]


def _scaled(sums: np.ndarray, inputs: Sequence[np.ndarray], along: tuple[int, ...]) -> np.ndarray:
    """Sums, float64, in float32; inputs: those of the operator from the scale on."""
    scale, multiplier, *bias = inputs
    factor = scale.reshape(()) * multiplier
    result = sums.astype(np.float32) * factor.reshape(along)
    for added in bias:
        result = result + added.reshape(along)
    return np.asarray(result, np.float32)


def _matmul(
    at: Any, x: np.ndarray, zero: np.ndarray, w: np.ndarray, *rest: np.ndarray
) -> np.ndarray:
    sums = np.matmul(x.astype(np.float64) - zero.reshape(()), w.astype(np.float64).T)
    return _scaled(sums, rest, (-1,))


def _conv(at: Any, x: np.ndarray, zero: np.ndarray, w: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    plain = Attributes({**at, "pad_mode": "constant"})
    sums = OPS["Conv"].reference(plain, x.astype(np.float64) - zero.reshape(()), w)
    return _scaled(np.asarray(sums), rest, (1, -1, *(1,) * (x.ndim - 2)))


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    weights = inputs[W]
    assert weights is not None
    return Cost(2 * outputs[0].size * math.prod(weights.shape[1:]), moved_bytes(inputs, outputs))


_HOOKS = Hooks(
    known=None,
    shape_input=None,
    transposed=None,
    images=images.only(X),
    half=Half.KEPT,
    epilogue=True,
    pad=False,
    keeps_elements=False,
    gradient=None,
)
_WINDOW = {"strides": REQUIRED, "dilations": REQUIRED, "pads": REQUIRED, "group": 1}

register(Op("ByteMatMulToFloat", _infer_matmul, _matmul, _cost, inputs=(5, 6), hooks=_HOOKS))
register(Op("ByteConvToFloat", _infer_conv, _conv, _cost, _WINDOW, inputs=(5, 6), hooks=_HOOKS))
