"""Cases of MaxPool, AveragePool and LpPool: ceil mode, every padding, dilation, 1-D to 3-D."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clconv.cases.base import Case, data, window


def pool(
    op: str,
    label: str,
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    *,
    outputs: int = 1,
    dtype: str = "float32",
    **attrs: Any,
) -> Case:
    span = (-1.0, 1.0) if dtype == "float32" else (-100.0, 100.0) if dtype != "uint8" else (0, 255)
    return Case(
        op,
        label,
        (data(*x, dtype=dtype, low=span[0], high=span[1]),),
        {"kernel_shape": kernel, **window(len(x) - 2, **attrs)},
        outputs=outputs,
    )


SAME3 = (1, 1, 1, 1)


def _shared(op: str) -> Iterator[Case]:
    """What every windowed pooling must get right."""
    yield from _windows(op)
    yield from _long_rows(op)
    yield from _without_end(op)
    yield from _partial_windows(op)
    yield from _pad_modes(op)


def _windows(op: str) -> Iterator[Case]:
    """Strides, padding, dilation, and rounding of the size, over one to three axes."""
    yield pool(op, "2x2 stride 2", (1, 16, 8, 8), (2, 2), strides=(2, 2))
    yield pool(op, "3x3 stride 2 same", (1, 24, 13, 11), (3, 3), strides=(2, 2), pads=SAME3)
    yield pool(op, "overlapping valid", (2, 13, 7, 9), (3, 3), strides=(2, 2))
    yield pool(op, "one pixel", (1, 5, 1, 1), (1, 1))
    yield pool(op, "one channel", (1, 1, 7, 6), (3, 2), strides=(1, 2))
    yield pool(op, "window larger than image", (1, 3, 2, 3), (4, 5), pads=(2, 2, 2, 2))
    yield pool(op, "whole image", (1, 19, 7, 7), (7, 7))
    yield pool(
        op,
        "asymmetric all",
        (1, 7, 9, 11),
        (3, 2),
        strides=(2, 3),
        pads=(0, 1, 2, 0),
        dilations=(2, 1),
    )
    yield pool(op, "dilated", (1, 6, 11, 9), (3, 3), dilations=(3, 2), pads=(2, 2, 2, 2))
    yield pool(op, "ceil", (1, 8, 8, 7), (3, 3), strides=(2, 2), ceil_mode=1)
    yield pool(op, "ceil padded", (1, 8, 10, 7), (3, 3), strides=(3, 2), pads=SAME3, ceil_mode=1)
    yield pool(
        op, "ceil start on pad", (1, 3, 2, 2), (3, 3), strides=(3, 3), pads=SAME3, ceil_mode=1
    )
    yield pool(op, "same upper", (1, 5, 7, 8), (2, 3), strides=(2, 2), auto_pad="SAME_UPPER")
    yield pool(op, "same lower", (1, 5, 7, 8), (2, 4), strides=(1, 3), auto_pad="SAME_LOWER")
    yield pool(op, "1-D", (2, 5, 23), (4,), strides=(3,), pads=(1, 2))
    yield pool(op, "3-D", (1, 5, 6, 5, 7), (2, 3, 2), strides=(2, 1, 2), pads=(0, 1, 1, 1, 0, 0))
    yield pool(
        op,
        "3-D ceil",
        (2, 3, 7, 8, 7),
        (3, 2, 3),
        strides=(2, 2, 2),
        pads=(1, 0, 1, 1, 1, 1),
        ceil_mode=1,
    )
    yield pool(
        op, "3-D dilated", (1, 3, 9, 7, 8), (3, 2, 2), dilations=(3, 2, 1), pads=(2, 0, 0, 2, 1, 1)
    )


def _long_rows(op: str) -> Iterator[Case]:
    """Rows of some vectors and a rest, and of several pieces."""
    for label, x, kernel, attrs in (
        ("same", (1, 3, 9, 71), (3, 3), {"pads": SAME3}),
        ("stride 2", (2, 5, 8, 66), (2, 2), {"strides": (2, 2)}),
        ("ceil", (1, 2, 8, 134), (3, 3), {"strides": (2, 2), "pads": SAME3, "ceil_mode": 1}),
        ("large window", (1, 2, 7, 523), (5, 5), {"pads": (2, 2, 2, 2)}),
        ("dilated", (1, 2, 11, 90), (3, 4), {"dilations": (2, 3), "pads": (2, 4, 1, 5)}),
        ("dilated stride 2", (1, 2, 9, 83), (2, 3), {"dilations": (3, 3), "strides": (1, 2)}),
        (
            "dilated by 2",
            (1, 2, 9, 83),
            (3, 4),
            {"dilations": (1, 2), "strides": (2, 2), "pads": (1, 3, 1, 2)},
        ),
        ("one column", (1, 2, 9, 40), (3, 1), {"strides": (3, 2)}),
        ("1-D", (2, 3, 259), (4,), {"strides": (2,), "pads": (1, 2)}),
    ):
        yield pool(op, f"long rows {label}", x, kernel, **attrs)


def _without_end(op: str) -> Iterator[Case]:
    """Windows, strides and dilations far larger than the image."""
    far = 2**31 - 1
    yield pool(op, "window without end", (1, 5, 8, 7), (far, 3), auto_pad="SAME_UPPER")
    yield pool(op, "window without end 3-D", (1, 2, 4, 5, 3), (far, 3, far), auto_pad="SAME_LOWER")
    yield pool(op, "window of 1000", (1, 9, 8, 7), (1000, 3), pads=(500, 1, 499, 1))
    yield pool(op, "stride without end", (1, 5, 8, 7), (3, 2), strides=(far, 2**40), pads=SAME3)
    yield pool(
        op,
        "dilation without end",
        (1, 5, 8, 7),
        (2, 1),
        dilations=(far - 7, far),
        pads=(far - 7, 0, 0, 0),
    )
    yield pool(op, "dilation without taps", (1, 5, 8, 7), (1, 2), dilations=(2**40, 1))
    yield pool(op, "3-D slices", (1, 9, 3, 7, 8), (1, 2, 2), strides=(1, 2, 2))


def _partial_windows(op: str) -> Iterator[Case]:
    """One window, which hangs over the end of the padded image."""
    yield pool(op, "ceil one window", (1, 9, 2, 2), (3, 3), strides=(2, 2), ceil_mode=1)
    yield pool(
        op, "ceil one window padded", (2, 5, 3, 1), (6, 4), strides=(3, 3), pads=SAME3, ceil_mode=1
    )
    yield pool(
        op,
        "ceil one window dilated",
        (1, 5, 4, 6),
        (3, 3),
        strides=(2, 3),
        dilations=(2, 3),
        ceil_mode=1,
    )
    yield pool(op, "ceil one window 1-D", (2, 3, 4), (7,), strides=(4,), ceil_mode=1)
    yield pool(
        op, "ceil one window 3-D", (1, 3, 2, 1, 3), (3, 2, 4), strides=(2, 2, 3), ceil_mode=1
    )


def _pad_modes(op: str) -> Iterator[Case]:
    """Padding with the image's own pixels."""
    yield pool(op, "reflect far", (1, 9, 2, 3), (3, 2), pads=(5, 3, 2, 7), pad_mode="reflect")
    yield pool(
        op,
        "wrap far ceil",
        (1, 3, 3, 2),
        (3, 3),
        strides=(2, 3),
        pads=(3, 4, 4, 2),
        pad_mode="wrap",
        ceil_mode=1,
    )
    for mode in ("reflect", "edge", "wrap"):
        yield pool(op, f"{mode} pad", (1, 9, 7, 6), (3, 3), pads=(2, 0, 1, 2), pad_mode=mode)
        yield pool(
            op,
            f"{mode} pad ceil",
            (1, 4, 6, 7),
            (3, 3),
            strides=(2, 3),
            pads=SAME3,
            pad_mode=mode,
            ceil_mode=1,
        )


CASES = (
    *_shared("MaxPool"),
    pool("MaxPool", "indices", (2, 3, 6, 7), (3, 3), strides=(2, 2), pads=SAME3, outputs=2),
    pool("MaxPool", "indices column major", (2, 3, 6, 7), (2, 2), outputs=2, storage_order=1),
    pool(
        "MaxPool", "reflect far 3-D", (1, 2, 2, 1, 3), (2, 3, 3), pads=(3,) * 6, pad_mode="reflect"
    ),
    pool(
        "MaxPool",
        "indices one window",
        (2, 3, 2, 3),
        (3, 5),
        strides=(2, 3),
        ceil_mode=1,
        outputs=2,
    ),
    pool("MaxPool", "indices 1-D", (1, 3, 11), (3,), strides=(2,), outputs=2),
    pool(
        "MaxPool",
        "indices 3-D column major",
        (1, 2, 3, 4, 5),
        (2, 2, 2),
        outputs=2,
        storage_order=1,
    ),
    pool("MaxPool", "int64", (1, 5, 6, 7), (3, 3), pads=SAME3, dtype="int64"),
    pool("MaxPool", "wide window", (1, 9, 5, 40), (2, 11), strides=(1, 2), pads=(0, 5, 0, 5)),
    pool("MaxPool", "wide rows", (2, 17, 6, 37), (3, 3), strides=(2, 2), pads=SAME3),
    pool("AveragePool", "wide rows", (2, 17, 6, 37), (3, 3), pads=SAME3),
    pool("MaxPool", "no images", (0, 5, 6, 7), (3, 3), pads=SAME3),
    pool("MaxPool", "uint8", (1, 5, 6, 7), (3, 3), pads=SAME3, dtype="uint8"),
    pool(
        "MaxPool",
        "uint8, strides",
        (2, 37, 9, 8),
        (3, 2),
        strides=(2, 3),
        pads=(1, 1, 2, 0),
        dilations=(2, 1),
        dtype="uint8",
    ),
    pool("MaxPool", "int8", (1, 5, 6, 7), (3, 3), pads=SAME3, dtype="int8"),
    *_shared("AveragePool"),
    pool("AveragePool", "count pads", (1, 13, 6, 7), (3, 3), pads=SAME3, count_include_pad=1),
    pool(
        "AveragePool",
        "count pads ceil",
        (1, 13, 6, 7),
        (3, 2),
        strides=(2, 2),
        pads=(1, 0, 0, 1),
        count_include_pad=1,
        ceil_mode=1,
    ),
    *(
        pool(
            "AveragePool",
            f"count pads one window {label}",
            (1, 9, 2, 3),
            (5, 6),
            strides=(2, 3),
            pads=(1, 0, 1, 1),
            count_include_pad=1,
            ceil_mode=1,
            pad_mode=label,
        )
        for label in ("constant", "edge")
    ),
    *_shared("LpPool"),
    pool("LpPool", "p 1", (1, 5, 6, 7), (3, 3), pads=SAME3, p=1),
    pool("LpPool", "p 3", (1, 5, 6, 7), (2, 3), strides=(2, 1), p=3),
)
