"""Gradients of Pad and CenterCropPad: what was repeated outside is folded back onto where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.rules.gradient.movement import padded, placed, sliced

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

# Beyond so many runs of an axis a product with a matrix of zeros and ones adds them up: the axis is short then.
_MOST_RUNS = 8


def pad(back: Backward) -> Sequence[str]:
    from clconv.graph.ops.movement.pad import full_pads

    pads, axes = back.value(1), back.value(3)
    assert pads is not None
    chosen = None if axes is None else axes.reshape(-1).tolist()
    widths = full_pads(back.spec().rank, pads.reshape(-1).tolist(), chosen)
    found = [""] * len(back.node.inputs)
    if back.attrs.mode == "constant":
        inside = _uncropped(back, back.gradient(), widths)
        found[0] = inside
        if back.wants(2):
            found[2] = _of_value(back, inside, widths)
        return found
    left = [n + min(b, 0) + min(e, 0) for n, (b, e) in zip(back.spec().shape, widths, strict=True)]
    pads_left = [max(b, 0) for b, _ in widths] + [max(e, 0) for _, e in widths]
    name = fold_back(back, back.gradient(), left, pads_left, back.attrs.mode)
    cropped = [(-min(begin, 0), -min(end, 0)) for begin, end in widths]
    found[0] = padded(back, name, *zip(*cropped, strict=True)) if cropped else name
    return found


def center_crop_pad(back: Backward) -> Sequence[str]:
    from clconv.graph.ops.movement.pad import center_crop_pad_widths

    wanted = back.value(1)
    assert wanted is not None
    widths = center_crop_pad_widths(back.spec().shape, wanted.reshape(-1).tolist(), back.attrs.axes)
    return [_uncropped(back, back.gradient(), widths), ""]


def _uncropped(back: Backward, name: str, widths: Sequence[tuple[int, int]]) -> str:
    return padded(back, name, [-begin for begin, _ in widths], [-end for _, end in widths])


def _of_value(back: Backward, inside: str, widths: Sequence[tuple[int, int]]) -> str:
    """The sum of dy over what is padding."""
    again = padded(back, inside, *zip(*widths, strict=True)) if widths else inside
    outside = back.sub(back.gradient(), again)
    total = back.sum(outside, range(back.result.rank), keepdims=False)
    return back.reshape(total, back.spec(2).shape)


def fold_back(
    back: Backward, name: str, shape: Sequence[int], pads: Sequence[int], mode: str
) -> str:
    """The gradient of a value from that of the padded one.

    shape: the value's. pads: the begins of all its axes, then the ends, none negative unless mode is "constant".
    mode: constant, reflect, edge or wrap.
    """
    rank = len(shape)
    if mode == "constant":
        return _uncropped(back, name, list(zip(pads[:rank], pads[rank:], strict=True)))
    for axis, size in enumerate(shape):
        begin, end = pads[axis], pads[axis + rank]
        if begin or end:
            name = folded(back, name, axis, size, begin, end, mode)
    return name


def folded(back: Backward, name: str, axis: int, size: int, begin: int, end: int, mode: str) -> str:
    """The gradient of an axis of `size` elements from that of the axis padded by mode "reflect", "edge" or "wrap".

    The padded axis is cut where the place that is repeated jumps or turns; each run is put back, or summed where it
    repeats one place, and all are added up.
    """
    from clconv.graph.ops.window import padded_places

    places = padded_places(size, begin, end, mode)
    runs = _runs(places)
    if len(runs) > _MOST_RUNS:
        return _by_product(back, name, axis, places, size)
    shape = list(back.spec_of(name).shape)
    shape[axis] = size
    parts = []
    for start, stop in runs:
        part = sliced(back, name, [(axis, start, stop, 1)])
        first, last = int(places[start]), int(places[stop - 1])
        step = -1 if last < first else 1
        kept = range(first, last + step, step)
        if len(kept) < stop - start:
            part = back.sum(part, [axis])
        ranges = [range(n) if i != axis else kept for i, n in enumerate(shape)]
        parts.append(placed(back, part, ranges, shape))
    return parts[0] if len(parts) == 1 else back.one("Sum", *parts)


def _runs(places: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of parts along which the places rise by one, fall by one, or stay."""
    found, start = [], 0
    steps = np.diff(places)
    for i in range(1, len(places) + 1):
        if (
            i == len(places)
            or abs(steps[i - 1]) > 1
            or (i - start > 1 and steps[i - 1] != steps[i - 2])
        ):
            found.append((start, i))
            start = i
    return found


def _by_product(back: Backward, name: str, axis: int, places: np.ndarray, size: int) -> str:
    shape = back.spec_of(name).shape
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    matrix = (np.arange(size)[:, None] == places).astype(back.result.dtype.numpy)
    rows = back.reshape(name, (outer, len(places), inner))
    product = back.one("MatMul", back.constant(matrix, "folds"), rows)
    return back.reshape(product, (*shape[:axis], size, *shape[axis + 1 :]))
