"""Cases of DeformConv: offsets beyond the image, masks, groups of both kinds."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, weight, window

Shape = tuple[int, ...]


def deform(
    label: str,
    x: Shape,
    w: Shape,
    out: Shape,
    *,
    has: tuple[str, ...] = ("bias",),
    offsets: tuple[float, ...] | None = None,
    **attrs: Any,
) -> Case:
    """has: what of "bias", "mask" and "fed filters", which are not constant, there is."""
    attrs = {"offset_group": 1, **attrs}
    taps = attrs["offset_group"] * w[2] * w[3]
    operands: list[Operand | None] = [
        data(*x),
        data(*w) if "fed filters" in has else weight(*w),
        data(x[0], 2 * taps, *out, low=-2.5, high=2.5, values=offsets),
        weight(w[0]) if "bias" in has else None,
    ]
    if "mask" in has:
        operands.append(data(x[0], taps, *out, low=0.0))
    return Case(
        "DeformConv",
        label,
        tuple(operands),
        window(2, **attrs),
    )


# Where a float that is less than the height, and one more than -1, is rounded to the next pixel if one is added.
JUST_INSIDE = (6.9999995, -0.99999994, 1e9, -1e9, -1e-9, float("nan"), 3.0, float("inf"))
CASES = (
    deform("3x3 same", (1, 5, 7, 6), (4, 5, 3, 3), (7, 6), pads=(1, 1, 1, 1)),
    deform("mask", (2, 4, 6, 7), (5, 4, 3, 3), (4, 5), has=("bias", "mask")),
    deform("mask without bias", (1, 4, 5, 5), (3, 4, 2, 2), (4, 4), has=("mask",)),
    deform("groups", (1, 6, 6, 6), (4, 3, 3, 3), (4, 4), group=2),
    deform(
        "offset groups", (1, 6, 6, 6), (4, 6, 2, 3), (5, 4), offset_group=3, has=("bias", "mask")
    ),
    deform(
        "strides and dilations",
        (1, 3, 9, 11),
        (4, 3, 3, 2),
        (3, 4),
        strides=(2, 3),
        dilations=(2, 1),
        pads=(0, 1, 1, 0),
    ),
    deform("1x1", (1, 7, 4, 5), (3, 7, 1, 1), (4, 5)),
    deform(
        "many channels",
        (1, 37, 9, 11),
        (19, 37, 3, 3),
        (9, 11),
        has=("bias", "mask"),
        pads=(1, 1, 1, 1),
    ),
    deform(
        "groups of both kinds",
        (2, 72, 6, 5),
        (10, 36, 3, 2),
        (4, 4),
        has=("bias", "mask"),
        group=2,
        offset_group=3,
    ),
    deform("fed filters", (2, 17, 5, 6), (6, 17, 2, 2), (4, 5), has=("fed filters",)),
    deform(
        "fed filters in groups",
        (1, 18, 5, 6),
        (6, 6, 2, 2),
        (4, 5),
        has=("bias", "fed filters"),
        group=3,
    ),
    deform("filters of one channel", (1, 20, 6, 6), (20, 1, 3, 3), (4, 4), group=20),
    # One tap at the first row and column, moved by these: the last row is 6, and rounding leads beyond it.
    deform(
        "just inside and far outside",
        (1, 18, 7, 7),
        (3, 18, 1, 1),
        (1, 8),
        offsets=(*JUST_INSIDE, *(0.0,) * 8),
        strides=(9, 9),
        pads=(0, 0, 2, 57),
    ),
)
