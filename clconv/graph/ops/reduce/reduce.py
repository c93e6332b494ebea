"""Reductions: Reduce* with axes as an input, ArgMax and ArgMin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import GradientRule, Half, Hooks
from clconv.graph.ops.numeric import (
    converted,
    expect_kind,
    index_values,
    known_axes,
    per_input,
    widen,
)
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient import reduce as gradient
from clconv.graph.rules.gradient.flat import flat


def reduced_axes(call: Call) -> tuple[int, ...]:
    """The axes a Reduce* node reduces, sorted.

    None given means all of them, or none with noop_with_empty_axes.
    """
    rank = call.spec(0).rank
    axes = index_values(call, 1) if call.has(1) else ()
    if not axes:
        return () if call.attrs.noop_with_empty_axes else tuple(range(rank))
    return tuple(sorted(known_axes(call, axes, rank)))


def _reduced(call: Call, axes: Sequence[int], dtype: DType) -> TensorSpec:
    shape = call.spec(0).shape
    if call.attrs.keepdims:
        return TensorSpec(tuple(1 if i in axes else d for i, d in enumerate(shape)), dtype)
    return TensorSpec(tuple(d for i, d in enumerate(shape) if i not in axes), dtype)


def _infer(call: Call, kind: str) -> Sequence[TensorSpec]:
    dtype = expect_kind(call, 0, kind)
    return [_reduced(call, reduced_axes(call), dtype)]


Reduction = Callable[..., Any]  # reduction(x, axes, keepdims)


def _extreme(which: Any, x: np.ndarray, axes: tuple[int, ...], keep: bool) -> np.ndarray:
    """Largest or smallest element; over nothing, the least or greatest value of the dtype."""
    if x.dtype == np.bool_:
        return np.asarray((np.any if which is np.max else np.all)(x, axes, keepdims=keep))
    if x.dtype.kind == "f":
        start: Any = -np.inf if which is np.max else np.inf
    else:
        limits = np.iinfo(x.dtype)
        start = limits.min if which is np.max else limits.max
    return np.asarray(which(x, axes, keepdims=keep, initial=start))


def _log_sum_exp(x: np.ndarray, axes: tuple[int, ...], keep: bool) -> np.ndarray:
    """log(sum(exp(x))), with the largest value taken out so that exp does not overflow."""
    x = x.astype(np.float64)
    top = np.max(x, axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.exp(x - top).sum(axes, keepdims=True)) + top
    return total if keep else np.squeeze(total, axes)


# By name: what it computes, the dtypes it takes, its gradient.
REDUCTIONS: dict[str, tuple[Reduction, str, GradientRule]] = {
    "ReduceSum": (lambda x, a, k: widen(x).sum(a, keepdims=k), "number", gradient.reduce_sum),
    "ReduceMean": (lambda x, a, k: widen(x).mean(a, keepdims=k), "number", gradient.reduce_mean),
    "ReduceMax": (lambda x, a, k: _extreme(np.max, x, a, k), "any", gradient.reduce_extreme),
    "ReduceMin": (lambda x, a, k: _extreme(np.min, x, a, k), "any", gradient.reduce_extreme),
    "ReduceProd": (lambda x, a, k: widen(x).prod(a, keepdims=k), "number", gradient.reduce_prod),
    "ReduceL1": (lambda x, a, k: np.abs(widen(x)).sum(a, keepdims=k), "number", gradient.reduce_l1),
    "ReduceL2": (
        lambda x, a, k: np.sqrt((widen(x) ** 2).sum(a, keepdims=k)),
        "number",
        gradient.reduce_l2,
    ),
    "ReduceSumSquare": (
        lambda x, a, k: (widen(x) ** 2).sum(a, keepdims=k),
        "number",
        gradient.reduce_sum_square,
    ),
    "ReduceLogSum": (
        lambda x, a, k: np.log(widen(x).sum(a, keepdims=k)),
        "number",
        gradient.reduce_log_sum,
    ),
    "ReduceLogSumExp": (_log_sum_exp, "number", gradient.reduce_log_sum_exp),
}


def _reference(reduction: Reduction, at: Any, x: np.ndarray, axes: Any = None) -> np.ndarray:
    if axes is None or axes.size == 0:
        chosen = () if at.noop_with_empty_axes else tuple(range(x.ndim))
    else:
        chosen = tuple(int(a) % x.ndim for a in axes.reshape(-1))
    with np.errstate(all="ignore"):
        return converted(np.asarray(reduction(x, chosen, bool(at.keepdims))), x.dtype)


# Powers and logarithms of many elements leave the range of halves.
_WIDE = frozenset({"ReduceProd", "ReduceLogSum", "ReduceLogSumExp"})


def _register(name: str, reduction: Reduction, kind: str, rule: GradientRule) -> None:
    register(
        Op(
            name,
            lambda call: _infer(call, kind),
            lambda at, *arrays: _reference(reduction, at, *arrays),
            per_input(1),
            {"keepdims": 1, "noop_with_empty_axes": 0},
            inputs=(1, 2),
            hooks=Hooks(
                known=known.reduce if name in ("ReduceMean", "ReduceMax", "ReduceSum") else None,
                shape_input=None,
                transposed=transposed.reduce,
                images=images.reduce,
                half=Half.KEPT if name in _WIDE else Half.narrowed(),
                epilogue=False,
                pad=False,
                keeps_elements=False,
                gradient=rule,
            ),
        )
    )


for _name, (_reduction, _kind, _rule) in REDUCTIONS.items():
    _register(_name, _reduction, _kind, _rule)


def _infer_arg(call: Call) -> Sequence[TensorSpec]:
    expect_kind(call, 0, "number")
    axis = call.axis(call.attrs.axis, call.spec(0).rank)
    call.expect(call.spec(0).shape[axis] >= 1, f"axis {axis} is empty")
    return [_reduced(call, (axis,), DType.INT64)]


def _arg(find: Any, at: Any, x: np.ndarray) -> np.ndarray:
    """Index of the largest or smallest element along one axis, the first or last of equals."""
    if at.select_last_index:
        found = x.shape[at.axis] - 1 - find(np.flip(x, at.axis), at.axis, keepdims=True)
    else:
        found = find(x, at.axis, keepdims=True)
    return np.asarray(found if at.keepdims else np.squeeze(found, at.axis)).astype(np.int64)


_ARG = {"axis": 0, "keepdims": 1, "select_last_index": 0}
register(
    Op(
        "ArgMax",
        _infer_arg,
        lambda at, x: _arg(np.argmax, at, x),
        per_input(1),
        _ARG,
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=transposed.arg_extreme,
            images=images.along("axis"),
            half=Half.narrowed(follows=True),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
register(
    Op(
        "ArgMin",
        _infer_arg,
        lambda at, x: _arg(np.argmin, at, x),
        per_input(1),
        _ARG,
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=transposed.arg_extreme,
            images=images.along("axis"),
            half=Half.narrowed(follows=True),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
