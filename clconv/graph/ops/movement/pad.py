"""Pad (constant, reflect, edge, wrap; negative pads crop) and CenterCropPad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import index_values, known_axes, move_cost
from clconv.graph.ops.window import PAD_MODES, repeat_padded
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient import pad as gradient


def full_pads(rank: int, pads: Sequence[int], axes: Sequence[int] | None) -> list[tuple[int, int]]:
    """(begin, end) of every axis from ONNX's begins-then-ends of some axes."""
    widths = [(0, 0)] * rank
    chosen = list(range(rank)) if axes is None else [a % rank for a in axes]
    for i, axis in enumerate(chosen):
        widths[axis] = (int(pads[i]), int(pads[i + len(chosen)]))
    return widths


def pad_widths(call: Call) -> list[tuple[int, int]]:
    """(begin, end) of every axis of a Pad node, validated. Raises ShapeError or NeedsValue."""
    x, pads, mode = call.spec(0), index_values(call, 1), call.attrs.mode
    call.expect(mode in PAD_MODES, f"mode {mode!r} is not one of {PAD_MODES}")
    axes = known_axes(call, index_values(call, 3) if call.has(3) else range(x.rank), x.rank)
    call.expect(
        len(pads) == 2 * len(axes),
        f"{len(pads)} pads for {len(axes)} axes, there must be twice as many",
    )
    widths = full_pads(x.rank, pads, axes)
    for i, (size, (begin, end)) in enumerate(zip(x.shape, widths, strict=True)):
        left = size + min(begin, 0) + min(end, 0)
        call.expect(left >= 0, f"pads ({begin}, {end}) crop more than the {size} of axis {i}")
        call.expect(
            left > 0 or mode == "constant" or max(begin, end) <= 0,
            f"{mode} padding of {max(begin, end)} needs elements, axis {i} has none"
            + (" left" if size else ""),
        )
    return widths


def _infer_pad(call: Call) -> Sequence[TensorSpec]:
    x, widths = call.spec(0), pad_widths(call)
    if call.has(2):
        value = call.spec(2)
        call.expect(
            value.size == 1 and value.dtype == x.dtype,
            f"the constant value must be one {x.dtype.value}",
        )
    shape = tuple(d + begin + end for d, (begin, end) in zip(x.shape, widths, strict=True))
    return [TensorSpec(shape, x.dtype)]


def _padded(x: np.ndarray, widths: Sequence[tuple[int, int]], mode: str, value: Any) -> np.ndarray:
    """x cropped by the negative widths, then padded by the positive ones."""
    kept = tuple(
        slice(max(0, -begin), size - max(0, -end))
        for size, (begin, end) in zip(x.shape, widths, strict=True)
    )
    positive = [(max(0, begin), max(0, end)) for begin, end in widths]
    if mode == "constant":
        return np.pad(x[kept], positive, constant_values=value)
    return repeat_padded(x[kept], positive, mode)


def _pad(
    at: Any,
    x: np.ndarray,
    pads: np.ndarray,
    value: np.ndarray | None = None,
    axes: np.ndarray | None = None,
) -> np.ndarray:
    chosen = None if axes is None else axes.reshape(-1).tolist()
    fill = 0 if value is None else value.reshape(-1)[0]
    return _padded(x, full_pads(x.ndim, pads.reshape(-1).tolist(), chosen), at.mode, fill)


def _center_widths(size: int, wanted: int) -> tuple[int, int]:
    """Pads (negative: crops) around the centre; the odd one goes to the end."""
    if wanted < size:
        begin = (size - wanted) // 2
        return -begin, begin - (size - wanted)
    begin = (wanted - size) // 2
    return begin, wanted - size - begin


def center_crop_pad_widths(
    shape: Sequence[int], wanted: Sequence[int], axes: Sequence[int] | None
) -> list[tuple[int, int]]:
    """(begin, end) pads of every axis for a CenterCropPad node; negative ones crop."""
    chosen = range(len(shape)) if axes is None else [a % len(shape) for a in axes]
    widths = [(0, 0)] * len(shape)
    for axis, size in zip(chosen, wanted, strict=True):
        widths[axis] = _center_widths(shape[axis], size)
    return widths


def _infer_center(call: Call) -> Sequence[TensorSpec]:
    x, wanted, axes = call.spec(0), index_values(call, 1), call.attrs.axes
    chosen = known_axes(call, range(x.rank) if axes is None else axes, x.rank)
    call.expect(len(wanted) == len(chosen), f"{len(wanted)} sizes for {len(chosen)} axes")
    call.expect(min(wanted, default=0) >= 0, f"sizes {wanted} must not be negative")
    shape = list(x.shape)
    for axis, size in zip(chosen, wanted, strict=True):
        shape[axis] = size
    return [TensorSpec(tuple(shape), x.dtype)]


def _center(at: Any, x: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    widths = center_crop_pad_widths(x.shape, wanted.reshape(-1).tolist(), at.axes)
    return _padded(x, widths, "constant", 0)


register(
    Op(
        "Pad",
        _infer_pad,
        _pad,
        move_cost,
        {"mode": "constant"},
        inputs=(2, 4),
        hooks=Hooks(
            known=known.unknown_sizes,
            shape_input=None,
            transposed=transposed.axes_input(3),
            images=images.pad,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.pad,
        ),
    )
)
register(
    Op(
        "CenterCropPad",
        _infer_center,
        _center,
        move_cost,
        {"axes": None},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.center_crop_pad,
        ),
    )
)
