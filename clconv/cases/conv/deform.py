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
    bias: bool = True,
    mask: bool = False,
    **attrs: Any,
) -> Case:
    attrs = {"offset_group": 1, **attrs}
    taps = attrs["offset_group"] * w[2] * w[3]
    operands: list[Operand | None] = [
        data(*x),
        weight(*w),
        data(x[0], 2 * taps, *out, low=-2.5, high=2.5),
        weight(w[0]) if bias else None,
    ]
    if mask:
        operands.append(data(x[0], taps, *out, low=0.0))
    return Case(
        "DeformConv",
        label,
        tuple(operands),
        window(2, **attrs),
    )


CASES = (
    deform("3x3 same", (1, 5, 7, 6), (4, 5, 3, 3), (7, 6), pads=(1, 1, 1, 1)),
    deform("mask", (2, 4, 6, 7), (5, 4, 3, 3), (4, 5), mask=True),
    deform("mask without bias", (1, 4, 5, 5), (3, 4, 2, 2), (4, 4), mask=True, bias=False),
    deform("groups", (1, 6, 6, 6), (4, 3, 3, 3), (4, 4), group=2),
    deform("offset groups", (1, 6, 6, 6), (4, 6, 2, 3), (5, 4), offset_group=3, mask=True),
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
)
