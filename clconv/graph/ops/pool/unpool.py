"""The way back from windows to an image: MaxUnpool and Col2Im."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import (
    check_indices,
    expect_index,
    expect_kind,
    index_values,
    move_cost,
    per_input,
)
from clconv.graph.rules.gradient.pool import unpool as gradient


def unpooled_size(at: Any, sizes: Sequence[int]) -> tuple[int, ...]:
    n = len(sizes)
    return tuple(
        (size - 1) * at.strides[i] + at.kernel_shape[i] - at.pads[i] - at.pads[i + n]
        for i, size in enumerate(sizes)
    )


def _infer_unpool(call: Call) -> Sequence[TensorSpec]:
    x, at = call.spec(0), call.attrs
    spatial = x.rank - 2
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    expect_index(call, 1)
    call.expect(call.spec(1).shape == x.shape, f"the indices must have shape {x.shape}")
    for name, length in (("kernel_shape", spatial), ("strides", spatial), ("pads", 2 * spatial)):
        call.expect(len(at[name]) == length, f"{name} {at[name]} must have {length} values")
    call.expect(min((*at.kernel_shape, *at.strides)) >= 1, "windows and strides must be positive")
    shape = (*x.shape[:2], *unpooled_size(at, x.shape[2:]))
    if call.has(2):
        wanted = index_values(call, 2)
        call.expect(
            len(wanted) == x.rank and wanted[:2] == x.shape[:2],
            f"output_shape {wanted} must begin with {x.shape[:2]} and have rank {x.rank}",
        )
        shape = wanted
    call.expect(min(shape[2:]) >= 1, f"nothing is left of the image: {shape}")
    check = call.values[1]
    if check is not None and check.size:
        call.expect(check.min() >= 0 and check.max() < math.prod(shape), f"indices leave {shape}")
    return [TensorSpec(shape, x.dtype)]


def _unpool(
    at: Any, x: np.ndarray, indices: np.ndarray, output_shape: np.ndarray | None = None
) -> np.ndarray:
    """x at its indices in the flattened result, zeros elsewhere; see counts_default()."""
    natural = (*x.shape[:2], *unpooled_size(at, x.shape[2:]))
    shape = natural if output_shape is None else tuple(output_shape.reshape(-1).tolist())
    by_default = counts_default(at, indices, natural[2:], shape[2:])
    counted = natural if by_default else shape
    flat = np.zeros(math.prod(counted), x.dtype)
    flat[check_indices("MaxUnpool", indices, flat.size).reshape(-1)] = x.reshape(-1)
    if not by_default:
        return flat.reshape(shape)
    out = np.zeros(shape, x.dtype)
    out[tuple(slice(0, n) for n in natural)] = flat.reshape(natural)
    return out


def may_count_default(natural: Sequence[int], given: Sequence[int]) -> bool:
    """Whether counts_default() depends on the indices: the given spatial sizes hold the default ones, and differ."""
    return given != natural and all(g >= n for g, n in zip(given, natural, strict=True))


def counts_default(
    at: Any, indices: np.ndarray, natural: tuple[int, ...], given: tuple[int, ...]
) -> bool:
    """Whether indices count through an image of the default spatial sizes and not through the given output_shape.

    MaxPool's indices count through its input, which output_shape is there to name. ONNX's example has others, though:
    they count through the default size. "Pooling the result of an unpooling operation should give back the original
    input" distinguishes the two: each index lies in the window of its element.
    """
    return (
        may_count_default(natural, given)
        and not _in_windows(at, indices, given)
        and _in_windows(at, indices, natural)
    )


def _in_windows(at: Any, indices: np.ndarray, sizes: tuple[int, ...]) -> bool:
    plane = math.prod(sizes)
    planes = np.arange(math.prod(indices.shape[:2])).reshape(*indices.shape[:2], *(1,) * len(sizes))
    inside = indices // plane == planes
    places = np.unravel_index(np.where(inside, indices % plane, 0), sizes)
    for i, place in enumerate(places):
        windows = np.arange(indices.shape[2 + i]) * at.strides[i] - at.pads[i]
        first = windows.reshape(-1, *(1,) * (len(sizes) - 1 - i))
        inside &= (place >= first) & (place < first + at.kernel_shape[i])
    return bool(inside.all())


def column_positions(
    at: Any, image: Sequence[int], block: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """(count, stride, dilation, pad) of every axis, with ONNX's defaults for empty attributes."""
    n = len(image)
    strides, dilations = at.strides or (1,) * n, at.dilations or (1,) * n
    pads = at.pads or (0,) * (2 * n)
    counts = tuple(
        (size + pads[i] + pads[i + n] - dilations[i] * (b - 1) - 1) // strides[i] + 1
        for i, (size, b) in enumerate(zip(image, block, strict=True))
    )
    return counts, strides, dilations, pads


def _infer_col2im(call: Call) -> Sequence[TensorSpec]:
    x, image, block, at = call.spec(0), index_values(call, 1), index_values(call, 2), call.attrs
    expect_kind(call, 0, "number")
    call.expect(x.rank == 3, "the input must be (batch, channels * block, positions)")
    call.expect(len(image) == len(block) >= 1, f"{len(image)} image and {len(block)} block sizes")
    call.expect(min((*image, *block)) >= 1, "image and block sizes must be positive")
    for name, length in (("strides", 1), ("dilations", 1), ("pads", 2)):
        values = at[name]
        call.expect(
            not values or len(values) == length * len(image), f"{name} {values} has a wrong length"
        )
        call.expect(min(values, default=1) >= (0 if name == "pads" else 1), f"{name} {values}")
    counts = column_positions(at, image, block)[0]
    call.expect(
        min(counts) >= 1 and x.shape[2] == math.prod(counts) and x.shape[1] % math.prod(block) == 0,
        f"{x.shape} is not (batch, channels x {math.prod(block)}, {math.prod(counts)})",
    )
    return [TensorSpec((x.shape[0], x.shape[1] // math.prod(block), *image), x.dtype)]


def _col2im(at: Any, x: np.ndarray, image: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Every column is added to the image where its window lies."""
    sizes, window = image.reshape(-1).tolist(), block.reshape(-1).tolist()
    counts, strides, dilations, pads = column_positions(at, sizes, window)
    n, channels = x.shape[0], x.shape[1] // math.prod(window)
    wide = x.astype(np.float64 if x.dtype.kind == "f" else np.int64)
    columns = wide.reshape(n, channels, *window, *counts)
    axes = range(len(sizes))
    padded = np.zeros(
        (n, channels, *(sizes[i] + pads[i] + pads[i + len(sizes)] for i in axes)), columns.dtype
    )
    for position in itertools.product(*(range(b) for b in window)):
        places: Any = (
            slice(None),
            slice(None),
            *(
                slice(p * d, p * d + (c - 1) * s + 1, s)
                for p, d, c, s in zip(position, dilations, counts, strides, strict=True)
            ),
        )
        source: Any = (slice(None), slice(None), *position)
        padded[places] += columns[source]
    inner: Any = (slice(None), slice(None), *(slice(pads[i], pads[i] + sizes[i]) for i in axes))
    return padded[inner].astype(x.dtype)


register(
    Op(
        "MaxUnpool",
        _infer_unpool,
        _unpool,
        move_cost,
        {"kernel_shape": REQUIRED, "strides": REQUIRED, "pads": REQUIRED},
        inputs=(2, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.max_unpool,
        ),
    )
)
register(
    Op(
        "Col2Im",
        _infer_col2im,
        _col2im,
        per_input(1),
        {"strides": (), "dilations": (), "pads": ()},
        inputs=(3, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.col2im,
        ),
    )
)
