"""Cases of MaxPoolWithTaps, MaxPoolGradient and AveragePoolGradient: windows of every kind, equal maxima, indices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from clconv.cases.base import Case, Operand, data, window
from clconv.graph.ops import get_op
from clconv.graph.ops.pool.pool import window_counts

SAME3 = (1, 1, 1, 1)
FAR = 2**31 - 1
# label, image, window, and the rest of the attributes
WINDOWS: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("2x2 stride 2", (1, 16, 8, 8), (2, 2), {"strides": (2, 2)}),
    ("3x3 stride 2 same", (2, 24, 13, 37), (3, 3), {"strides": (2, 2), "pads": SAME3}),
    ("3x3 same", (1, 17, 6, 37), (3, 3), {"pads": SAME3}),
    ("overlapping valid", (2, 13, 7, 19), (3, 3), {"strides": (2, 2)}),
    ("gaps between", (1, 9, 11, 29), (2, 2), {"strides": (3, 3)}),
    ("wide window", (1, 9, 5, 40), (2, 11), {"strides": (1, 2), "pads": (0, 5, 0, 5)}),
    ("one channel", (1, 1, 7, 6), (3, 2), {"strides": (1, 2)}),
    ("window larger than image", (1, 3, 2, 3), (4, 5), {"pads": (2, 2, 2, 2)}),
    ("whole image", (1, 19, 7, 7), (7, 7), {}),
    (
        "asymmetric all",
        (1, 7, 9, 31),
        (3, 2),
        {"strides": (2, 3), "pads": (0, 1, 2, 0), "dilations": (2, 1)},
    ),
    ("dilated", (1, 6, 11, 29), (3, 3), {"dilations": (3, 2), "pads": (2, 2, 2, 2)}),
    ("dilated strides", (1, 6, 13, 33), (3, 3), {"dilations": (2, 3), "strides": (4, 2)}),
    ("ceil", (1, 8, 8, 27), (3, 3), {"strides": (2, 2), "ceil_mode": 1}),
    (
        "ceil start on pad",
        (1, 3, 2, 2),
        (3, 3),
        {"strides": (3, 3), "pads": SAME3, "ceil_mode": 1},
    ),
    ("1-D", (2, 5, 23), (4,), {"strides": (3,), "pads": (1, 2)}),
    ("3-D", (1, 5, 6, 5, 7), (2, 3, 2), {"strides": (2, 1, 2), "pads": (0, 1, 1, 1, 0, 0)}),
    ("stride without end", (1, 5, 8, 7), (3, 2), {"strides": (FAR, 2**40), "pads": SAME3}),
    ("no images", (0, 5, 6, 7), (3, 3), {"pads": SAME3}),
)
ODD: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("windows of pads", (1, 5, 3, 4), (2, 2), {"pads": (3, 3, 3, 3)}),
    ("window of 1000", (1, 9, 8, 7), (1000, 3), {"pads": (500, 1, 499, 1)}),
    ("window without end", (1, 5, 8, 7), (FAR, 3), {"pads": (FAR // 2, 1, FAR // 2, 1)}),
    (
        "dilation without end",
        (1, 5, 8, 7),
        (2, 1),
        {"dilations": (FAR - 7, FAR), "pads": (FAR - 7, 0, 0, 0)},
    ),
)


def _with_taps(label: str, shape: tuple[int, ...], kernel: tuple[int, ...], **more: Any) -> Case:
    attrs = {"kernel_shape": kernel, **window(len(shape) - 2, **more)}
    return Case("MaxPoolWithTaps", label, (data(*shape),), attrs, outputs=2)


def _gradients(
    label: str, shape: tuple[int, ...], kernel: tuple[int, ...], **more: Any
) -> Iterator[Case]:
    attrs = {"kernel_shape": kernel, **window(len(shape) - 2, **more)}
    complete = get_op("MaxPool").complete(label, attrs)
    dy = (*shape[:2], *window_counts(complete, shape[2:]))
    attrs["size"] = shape[2:]
    x = np.random.default_rng(5).integers(-9, 9, shape).astype(np.float32)
    yield Case("AveragePoolGradient", label, (data(*dy),), attrs)
    indices = Operand(dy, "int64", values=get_op("MaxPool").reference(complete, x)[1])
    yield Case("MaxPoolGradient", f"{label} indices", (data(*dy), indices), attrs)
    if np.prod(kernel) <= 255:
        taps = get_op("MaxPoolWithTaps").reference(complete, x)[1]
        yield Case("MaxPoolGradient", label, (data(*dy), Operand(dy, "uint8", values=taps)), attrs)


CASES = (
    *(_with_taps(label, shape, kernel, **more) for label, shape, kernel, more in WINDOWS),
    *(
        case
        for label, shape, kernel, more in (*WINDOWS, *ODD)
        for case in _gradients(label, shape, kernel, **more)
    ),
    *(
        Case(
            "AveragePoolGradient",
            label,
            (data(2, 13, 6, 27),),
            {
                "kernel_shape": (3, 3),
                "size": (6, 27),
                **window(2, pads=SAME3),
                **more,
            },
        )
        for label, more in (("count pads", {"count_include_pad": 1}), ("sums", {"mean": 0}))
    ),
)
