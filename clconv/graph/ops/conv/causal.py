"""CausalConvWithState: a depthwise convolution along a sequence that sees nothing of the future.

What it carries from one piece of a sequence to the next are the last kernel - 1 values of each channel, zeros at the
beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Expansion, Op, register, same_dtype
from clconv.graph.ops.numeric import expect_kind

_ACTIVATIONS = ("none", "silu", "swish")  # the last two are one


def _infer(call: Call) -> Sequence[TensorSpec]:
    x, w, at = call.spec(0), call.spec(1), call.attrs
    expect_kind(call, 0, "float")
    dtype = same_dtype(call, 0, 1, 2, 3)
    call.expect(x.rank == 3, "the input must be (batch, channels, length)")
    batch, channels, _ = x.shape
    call.expect(
        w.rank == 3 and w.shape[:2] == (channels, 1) and w.shape[2] >= 1,
        f"the weights must be ({channels}, 1, at least 1)",
    )
    state = (batch, channels, w.shape[2] - 1)
    call.expect(
        not call.has(2) or call.spec(2).shape == (channels,), f"the bias must be ({channels},)"
    )
    call.expect(not call.has(3) or call.spec(3).shape == state, f"past_state must be {state}")
    call.expect(at.activation in _ACTIVATIONS, f"activation '{at.activation}'")
    return [TensorSpec(x.shape, dtype), TensorSpec(state, dtype)]


def _reference(
    at: Any,
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None = None,
    past: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    batch, channels, length = x.shape
    taps = w.shape[2]
    before = np.zeros((batch, channels, taps - 1), x.dtype) if past is None else past
    seen = np.concatenate((before, x), 2)
    out = np.zeros(x.shape)
    for k in range(taps):
        out += seen[:, :, k : k + length].astype(np.float64) * w[:, :, k].astype(np.float64)
    if bias is not None:
        out += bias.astype(np.float64)[:, None]
    if at.activation != "none":
        out = out / (1 + np.exp(-out))
    return out.astype(x.dtype), seen[:, :, length:]


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    weights = inputs[1]
    assert weights is not None
    moved = sum(s.nbytes for s in (*inputs, *outputs) if s is not None)
    return Cost(2 * outputs[0].size * weights.shape[2], moved)


def _expand(e: Expansion) -> bool:
    x, node = e.call.spec(0), e.call.node
    taps, signal = e.call.spec(1).shape[2], node.inputs[0]
    if e.call.has(3):
        (signal,) = e.emit("Concat", node.inputs[3], signal, axis=2)
    else:
        (signal,) = e.emit("Pad", signal, e.ints(0, 0, taps - 1, 0, 0, 0))
    window = {"strides": (1,), "dilations": (1,), "pads": (0, 0), "group": x.shape[1]}
    bias = [node.inputs[2]] if e.call.has(2) else []
    (result,) = e.emit("Conv", signal, node.inputs[1], *bias, **window)
    if e.call.attrs.activation != "none":
        (result,) = e.emit("Swish", result)
    e.result(result)
    ends = e.ints(x.shape[2]), e.ints(x.shape[2] + taps - 1), e.ints(2)
    (state,) = e.emit("Slice", signal, *ends)
    e.result(state, 1)
    return True


register(
    Op(
        "CausalConvWithState",
        _infer,
        _reference,
        _cost,
        {"activation": "none"},
        inputs=(2, 4),
        expand=_expand,
        always_expands=True,
    )
)
