"""Operators that look only at the shape.

Reshape, Flatten, Squeeze, Unsqueeze and Identity hand their input on under another shape;
Shape and Size make a constant of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import index_values, known_axes, move_cost
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient import movement as gradient
from clconv.graph.rules.gradient.flat import flat


def reshaped(shape: Sequence[int], wanted: Sequence[int], allow_zero: bool) -> tuple[int, ...]:
    """The shape that a Reshape node asks for: 0 copies an axis unless allow_zero, -1 fills.

    Raises ValueError saying why it is impossible.
    """
    if any(d < -1 for d in wanted) or list(wanted).count(-1) > 1:
        raise ValueError("sizes must be at least 0, with at most one -1")
    if allow_zero and 0 in wanted and -1 in wanted:
        raise ValueError("0 and -1 exclude each other with allowzero")
    if not allow_zero and any(d == 0 for d in wanted[len(shape) :]):
        raise ValueError("a 0 copies an axis that the input does not have")
    sizes = [shape[i] if d == 0 and not allow_zero else d for i, d in enumerate(wanted)]
    total = math.prod(shape)
    if -1 in sizes:
        known = math.prod(d for d in sizes if d != -1)
        if known == 0 or total % known:
            raise ValueError(f"{total} elements do not divide by {known}")
        sizes[sizes.index(-1)] = total // known
    if math.prod(sizes) != total:
        raise ValueError(f"{total} elements cannot become {math.prod(sizes)}")
    return tuple(sizes)


def _infer_reshape(call: Call) -> Sequence[TensorSpec]:
    x, wanted = call.spec(0), index_values(call, 1)
    try:
        return [TensorSpec(reshaped(x.shape, wanted, bool(call.attrs.allowzero)), x.dtype)]
    except ValueError as reason:
        call.fail(f"cannot reshape {x.shape} to {wanted}: {reason}")


def _reshape(at: Any, x: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return x.reshape(reshaped(x.shape, wanted.reshape(-1).tolist(), bool(at.allowzero)))


def _infer_flatten(call: Call) -> Sequence[TensorSpec]:
    x, axis = call.spec(0), call.attrs.axis
    call.expect(-x.rank <= axis <= x.rank, f"axis {axis} is outside -{x.rank}..{x.rank}")
    return [TensorSpec(_flat_shape(x.shape, axis), x.dtype)]


def _flat_shape(shape: tuple[int, ...], axis: int) -> tuple[int, int]:
    cut = axis + len(shape) if axis < 0 else axis
    return math.prod(shape[:cut]), math.prod(shape[cut:])


def _flatten(at: Any, x: np.ndarray) -> np.ndarray:
    return x.reshape(_flat_shape(x.shape, at.axis))


def _infer_squeeze(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    if call.has(1):
        axes = known_axes(call, index_values(call, 1), x.rank)
    else:
        axes = tuple(i for i, d in enumerate(x.shape) if d == 1)
    for axis in axes:
        call.expect(x.shape[axis] == 1, f"axis {axis} has size {x.shape[axis]}, not 1")
    return [TensorSpec(tuple(d for i, d in enumerate(x.shape) if i not in axes), x.dtype)]


def _squeeze(at: Any, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.squeeze(x, None if axes is None else tuple(axes.reshape(-1).tolist()))


def _infer_unsqueeze(call: Call) -> Sequence[TensorSpec]:
    x, axes = call.spec(0), index_values(call, 1)
    rank = x.rank + len(axes)
    new, old = set(known_axes(call, axes, rank)), iter(x.shape)
    return [TensorSpec(tuple(1 if i in new else next(old) for i in range(rank)), x.dtype)]


def _unsqueeze(at: Any, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    return np.expand_dims(x, tuple(axes.reshape(-1).tolist()))


def _infer_shape(call: Call) -> Sequence[TensorSpec]:
    count = len(call.spec(0).shape[call.attrs.start : call.attrs.end])
    return [TensorSpec((count,), DType.INT64)]


def _shape(at: Any, x: np.ndarray) -> np.ndarray:
    return np.array(x.shape[at.start : at.end], np.int64)


register(
    Op(
        "Reshape",
        _infer_reshape,
        _reshape,
        move_cost,
        {"allowzero": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=known.reshape,
            shape_input=1,
            transposed=transposed.reshape,
            images=images.same_batch,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.reshaped,
        ),
    )
)
register(
    Op(
        "Flatten",
        _infer_flatten,
        _flatten,
        move_cost,
        {"axis": 1},
        hooks=Hooks(
            known=known.flatten,
            shape_input=None,
            transposed=transposed.flatten,
            images=images.flatten,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.reshaped,
        ),
    )
)
register(
    Op(
        "Squeeze",
        _infer_squeeze,
        _squeeze,
        move_cost,
        inputs=(1, 2),
        hooks=Hooks(
            known=known.reduce,
            shape_input=None,
            transposed=transposed.squeeze,
            images=images.named_axes,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.reshaped,
        ),
    )
)
register(
    Op(
        "Unsqueeze",
        _infer_unsqueeze,
        _unsqueeze,
        move_cost,
        inputs=(2, 2),
        hooks=Hooks(
            known=known.unsqueeze,
            shape_input=None,
            transposed=None,
            images=images.named_axes,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.reshaped,
        ),
    )
)
register(
    Op(
        "Identity",
        lambda call: [call.spec(0)],
        lambda at, x: x,
        move_cost,
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=transposed.pointwise,
            images=images.first,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.identity,
        ),
    )
)
register(
    Op(
        "Shape",
        _infer_shape,
        _shape,
        move_cost,
        {"start": 0, "end": None},
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
        "Size",
        lambda call: [TensorSpec((), DType.INT64)],
        lambda at, x: np.array(x.size, np.int64),
        move_cost,
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
