"""The gradient of padding: what repeats an element adds to that element's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.ops.window import padded_places

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

Run = tuple[int, int, int]


def fold_back(
    back: Backward, name: str, shape: Sequence[int], pads: Sequence[int], mode: str
) -> str:
    """The gradient of a value from that of the padded one.

    shape: the value's. pads: the begins of all its axes, then the ends, none negative unless mode is "constant".
    mode: constant, reflect, edge or wrap.
    """
    rank = len(shape)
    if mode == "constant":
        if not any(pads):
            return name
        return back.one("Pad", name, back.ints(*(-p for p in pads)))
    for axis, size in enumerate(shape):
        begin, end = pads[axis], pads[axis + rank]
        if begin or end:
            name = _fold_axis(back, name, axis, size, padded_places(size, begin, end, mode))
    return name


def _fold_axis(back: Backward, name: str, axis: int, size: int, places: np.ndarray) -> str:
    """Adds up what lies at `places`, where each element of the padded axis came from."""
    rank = back.spec_of(name).rank
    pieces = []
    for start, stop, step in _runs(places):
        first, last = int(places[start]), int(places[stop - 1])
        if step < 0:
            begin, end = back.ints(stop - 1), back.ints(start - 1 if start else -(len(places) + 1))
            piece = back.one("Slice", name, begin, end, back.ints(axis), back.ints(-1))
        else:
            piece = back.one("Slice", name, back.ints(start), back.ints(stop), back.ints(axis))
        if step == 0:
            piece = back.sum(piece, [axis])
        pads = [0] * (2 * rank)
        pads[axis], pads[axis + rank] = min(first, last), size - 1 - max(first, last)
        pieces.append(back.one("Pad", piece, back.ints(*pads)) if any(pads) else piece)
    return pieces[0] if len(pieces) == 1 else back.one("Sum", *pieces)


def _runs(places: np.ndarray) -> list[Run]:
    """(start, stop, step) of the longest stretches along which the place grows, falls or stays."""
    runs, start = [], 0
    while start < len(places):
        stop, step = start + 1, 1
        if stop < len(places) and abs(places[stop] - places[start]) <= 1:
            step = int(places[stop] - places[start])
            while stop < len(places) and places[stop] - places[stop - 1] == step:
                stop += 1
        runs.append((start, stop, step))
        start = stop
    return runs
