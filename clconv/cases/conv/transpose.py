"""Cases of ConvTranspose: overlapping and disjoint windows, uneven everything, 1-D to 3-D."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, data, weight, window


def transposed(
    label: str,
    x: tuple[int, ...],
    w: tuple[int, ...],
    *,
    bias: bool = True,
    **attrs: Any,
) -> Case:
    """w is (channels, filters / group, spatial...)."""
    operands = [data(*x), weight(*w)]
    if bias:
        operands.append(weight(w[1] * attrs.get("group", 1)))
    return Case("ConvTranspose", label, tuple(operands), window(len(x) - 2, **attrs))


HALF = (1, 1, 1, 1)
# Of these also with filters and a bias that only a run brings.
_FED = (
    "3x3 stride 2 output padding", "one pixel", "1x1", "asymmetric all", "groups of 24", "even 3x3 stride 2",
    "side by side", "depthwise", "plain input", "1-D", "3-D",
)  # fmt: skip
_CASES = (
    transposed("2x2 stride 2", (1, 16, 7, 9), (16, 24, 2, 2), strides=(2, 2)),
    transposed("4x4 stride 2", (1, 24, 8, 8), (24, 16, 4, 4), strides=(2, 2), pads=HALF),
    transposed(
        "3x3 stride 2 output padding",
        (2, 13, 7, 5),
        (13, 11, 3, 3),
        strides=(2, 2),
        pads=HALF,
        output_padding=(1, 1),
    ),
    transposed("3x3 stride 1", (1, 8, 9, 7), (8, 5, 3, 3), pads=HALF),
    transposed("no bias", (1, 5, 6, 6), (5, 7, 3, 3), bias=False),
    transposed("one pixel", (1, 5, 1, 1), (5, 3, 4, 4)),
    transposed("one channel", (1, 1, 6, 5), (1, 1, 3, 3), strides=(2, 2)),
    transposed("1x1", (1, 17, 5, 6), (17, 19, 1, 1)),
    transposed("stride wider than window", (1, 6, 5, 4), (6, 9, 2, 1), strides=(3, 2)),
    transposed(
        "asymmetric all",
        (1, 7, 6, 5),
        (7, 9, 3, 2),
        strides=(2, 3),
        pads=(0, 1, 2, 0),
        dilations=(2, 1),
        output_padding=(1, 2),
    ),
    transposed("dilated", (1, 6, 7, 8), (6, 10, 3, 3), dilations=(2, 3), pads=(2, 3, 2, 3)),
    transposed("groups", (1, 12, 6, 6), (12, 5, 3, 3), group=3, strides=(2, 2), pads=HALF),
    transposed("groups of 24", (1, 32, 5, 6), (32, 24, 4, 4), group=2, strides=(2, 2), pads=HALF),
    transposed("wide 2x2 stride 2", (1, 32, 3, 29), (32, 40, 2, 2), strides=(2, 2)),
    transposed("side by side", (3, 20, 6, 10), (20, 12, 3, 4), strides=(3, 4)),
    transposed("side by side, no bias", (2, 9, 5, 7), (9, 6, 2, 3), strides=(2, 3), bias=False),
    transposed("side by side, 1-D", (2, 9, 14), (9, 6, 2), strides=(2,)),
    transposed("wide 3x3 stride 2", (1, 16, 4, 31), (16, 16, 3, 3), strides=(2, 2), pads=HALF),
    transposed("plain input", (1, 3, 9, 23), (3, 20, 4, 4), strides=(2, 2), pads=HALF),
    transposed("depthwise", (2, 19, 6, 7), (19, 1, 4, 4), group=19, strides=(2, 2), pads=HALF),
    transposed("output shape", (1, 4, 3, 3), (4, 5, 3, 3), strides=(3, 2), output_shape=(10, 8)),
    transposed("same upper", (1, 4, 5, 7), (4, 5, 3, 3), strides=(2, 2), auto_pad="SAME_UPPER"),
    transposed("same lower", (1, 4, 5, 7), (4, 5, 3, 3), strides=(2, 2), auto_pad="SAME_LOWER"),
    transposed(
        "1x1 stride 2", (2, 12, 5, 7), (12, 40, 1, 1), strides=(2, 2), output_padding=(1, 1)
    ),
    transposed(
        "even 3x3 stride 2",
        (3, 20, 7, 6),
        (20, 32, 3, 3),
        strides=(2, 2),
        pads=HALF,
        output_padding=(1, 1),
    ),
    transposed(
        "stride 4, dilated",
        (2, 9, 3, 9),
        (9, 8, 2, 5),
        strides=(1, 4),
        dilations=(3, 6),
        pads=(2, 5, 0, 3),
        output_padding=(0, 3),
    ),
    transposed("1-D", (2, 6, 17), (6, 8, 5), strides=(3,), pads=(1, 2)),
    transposed("1-D stride 8", (1, 16, 11), (16, 8, 16), strides=(8,), pads=(4, 4)),
    transposed(
        "3-D",
        (1, 5, 3, 4, 2),
        (5, 6, 3, 2, 3),
        strides=(2, 1, 2),
        pads=(1, 0, 1, 0, 1, 1),
    ),
    transposed(
        "3-D uneven",
        (2, 3, 4, 3, 5),
        (3, 5, 3, 2, 3),
        strides=(2, 1, 3),
        pads=(1, 0, 1, 0, 1, 0),
        output_padding=(1, 0, 2),
        dilations=(1, 2, 1),
    ),
    transposed(
        "3-D disjoint windows", (1, 4, 3, 3, 3), (4, 3, 2, 2, 2), strides=(3, 2, 2), bias=False
    ),
    transposed("3-D groups", (1, 4, 3, 3, 3), (4, 3, 2, 2, 2), strides=(2, 2, 2), group=2),
)
CASES = (*_CASES, *(case.all_fed() for case in _CASES if case.label in _FED))
