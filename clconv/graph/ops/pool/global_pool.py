"""Pooling over all pixels of a channel: GlobalAveragePool, GlobalMaxPool, GlobalLpPool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, per_input
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient.pool import global_pool as gradient


def _infer(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    expect_kind(call, 0, "float")
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(min(x.shape[2:]) >= 1, "there is no pixel to pool")
    call.expect(call.attrs.get("p", 1) >= 1, "p must be at least 1")
    return [TensorSpec((*x.shape[:2], *(1,) * (x.rank - 2)), x.dtype)]


def _axes(x: np.ndarray) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _average(at: Any, x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64).mean(_axes(x), keepdims=True).astype(x.dtype)


def _largest(at: Any, x: np.ndarray) -> np.ndarray:
    return x.max(_axes(x), keepdims=True)


def _norm(at: Any, x: np.ndarray) -> np.ndarray:
    powers = (np.abs(x.astype(np.float64)) ** at.p).sum(_axes(x), keepdims=True)
    return (powers ** (1 / at.p)).astype(x.dtype)


register(
    Op(
        "GlobalAveragePool",
        _infer,
        _average,
        per_input(1),
        hooks=Hooks(
            known=known.global_pool,
            shape_input=None,
            transposed=transposed.global_pool,
            images=images.first,
            half=Half.narrowed(),
            epilogue=True,
            pad=False,
            keeps_elements=False,
            gradient=gradient.average,
        ),
    )
)
register(
    Op(
        "GlobalMaxPool",
        _infer,
        _largest,
        per_input(1),
        hooks=Hooks(
            known=known.global_pool,
            shape_input=None,
            transposed=transposed.global_pool,
            images=images.first,
            half=Half.narrowed(),
            epilogue=True,
            pad=False,
            keeps_elements=False,
            gradient=gradient.largest,
        ),
    )
)
register(
    Op(
        "GlobalLpPool",
        _infer,
        _norm,
        per_input(3),
        {"p": 2},
        hooks=Hooks(
            known=known.global_pool,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.norm,
        ),
    )
)
