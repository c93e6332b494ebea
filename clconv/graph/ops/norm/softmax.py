"""Softmax, LogSoftmax and Hardmax along one axis (opset 13 and later)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, per_input
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient.flat import flat
from clconv.graph.rules.gradient.norm import softmax as gradient


def _infer(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    expect_kind(call, 0, "float")
    call.axis(call.attrs.axis, x.rank)
    return [TensorSpec(x.shape, x.dtype)]


def _softmax(at: Any, x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)), with the largest value taken out so that exp does not overflow."""
    wide = x.astype(np.float64)
    powers = np.exp(wide - wide.max(at.axis, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(at.axis, keepdims=True)).astype(x.dtype)


def _log_softmax(at: Any, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    shifted = wide - wide.max(at.axis, keepdims=True, initial=-np.inf)
    total = np.exp(shifted).sum(at.axis, keepdims=True)
    return np.asarray(shifted - np.log(total)).astype(x.dtype)


def _hardmax(at: Any, x: np.ndarray) -> np.ndarray:
    """1 at the first largest element, 0 elsewhere."""
    out = np.zeros_like(x)
    if x.size:
        np.put_along_axis(out, np.expand_dims(x.argmax(at.axis), at.axis), 1, at.axis)
    return out


for _name, _reference, _flops, _gradient in (
    ("Softmax", _softmax, 12, gradient.softmax),
    ("LogSoftmax", _log_softmax, 12, gradient.log_softmax),
    ("Hardmax", _hardmax, 1, flat),
):
    register(
        Op(
            _name,
            _infer,
            _reference,
            per_input(_flops),
            {"axis": -1},
            hooks=Hooks(
                known=known.same_as_input,
                shape_input=None,
                transposed=transposed.along_axis,
                images=images.along("axis"),
                half=Half.KEPT if _name == "Hardmax" else Half.narrowed(),
                epilogue=False,
                pad=False,
                keeps_elements=False,
                gradient=_gradient,
            ),
        )
    )
