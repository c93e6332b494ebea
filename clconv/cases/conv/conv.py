"""Cases of Conv: primes, one pixel, one channel, windows larger than the image, uneven everything."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from clconv.cases.base import Case, data, weight, window


def conv(
    label: str,
    x: tuple[int, ...],
    w: tuple[int, ...],
    *,
    bias: bool = True,
    **attrs: Any,
) -> Case:
    operands = [data(*x), weight(*w), *([weight(w[0])] if bias else [])]
    return Case("Conv", label, tuple(operands), window(len(x) - 2, **attrs))


SAME3 = (1, 1, 1, 1)
MODES = ("reflect", "edge", "wrap")


def _wide_pads(mode: str) -> Iterator[Case]:
    """Padding of as much as the axis and more, for windows of each kind of kernel."""
    kinds: dict[str, Any] = {"pads": (4, 7, 5, 2), "pad_mode": mode}
    yield conv(f"{mode} far", (1, 9, 3, 2), (10, 9, 3, 3), **kinds)
    yield conv(f"{mode} far plain", (2, 3, 2, 3), (9, 3, 3, 3), **kinds)
    yield conv(f"{mode} far 5x5", (1, 9, 3, 1), (8, 9, 5, 5), **kinds)
    yield conv(f"{mode} far 3x3 stride 2", (1, 9, 4, 2), (8, 9, 3, 3), strides=(2, 2), **kinds)
    yield conv(f"{mode} far depthwise", (1, 10, 4, 2), (10, 1, 3, 3), group=10, **kinds)
    yield conv(f"{mode} far 1x1", (1, 5, 2, 1), (7, 5, 1, 1), **kinds)
    yield conv(f"{mode} far groups", (1, 16, 2, 4), (16, 8, 3, 2), group=2, **kinds)
    yield conv(f"{mode} far 1-D", (2, 5, 3), (7, 5, 4), pads=(9, 7), strides=(2,), pad_mode=mode)
    yield conv(f"{mode} far 3-D", (1, 2, 2, 3, 1), (3, 2, 2, 2, 3), pads=(3,) * 6, pad_mode=mode)


# Of these also with filters and a bias that only a run brings: something of each kind of kernel.
_FED = (
    "3x3 primes", "3x3 no bias valid", "one pixel", "one channel", "1x1 wide", "deep 1x1", "several tiles",
    "3x3 stride 2", "3x3 stride 2 valid", "stem 7x7 stride 2", "few filters", "5x5 same", "asymmetric all", "groups", "groups of 4",
    "groups of 6, an odd number", "groups of 2, pointwise", "depthwise", "depthwise multiplier", "1-D",
    "3-D groups of slices", "reflect pad uneven", "double",
)  # fmt: skip
_CASES = (
    conv("3x3 same", (1, 16, 14, 14), (32, 16, 3, 3), pads=SAME3),
    conv("3x3 primes", (2, 13, 17, 19), (23, 13, 3, 3), pads=SAME3),
    conv("3x3 no bias valid", (1, 8, 9, 11), (8, 8, 3, 3), bias=False),
    conv("one pixel", (1, 5, 1, 1), (7, 5, 1, 1)),
    conv("one channel", (1, 1, 8, 8), (1, 1, 3, 3), pads=SAME3),
    conv("window larger than image", (1, 3, 2, 3), (4, 3, 5, 7), pads=(2, 3, 2, 3)),
    conv("1x1 wide", (1, 64, 7, 9), (40, 64, 1, 1)),
    conv("deep and small", (1, 520, 3, 2), (9, 520, 3, 3), pads=SAME3),
    conv("deep 1x1", (2, 777, 2, 2), (33, 777, 1, 1)),
    conv("several tiles", (2, 40, 12, 13), (131, 40, 3, 3), pads=SAME3),
    conv("3x3 stride 2", (2, 19, 15, 18), (27, 19, 3, 3), strides=(2, 2), pads=SAME3),
    conv("3x3 stride 2 aside", (1, 8, 14, 13), (16, 8, 3, 3), strides=(2, 2), pads=(0, 0, 1, 1)),
    conv("3x3 stride 2 valid", (1, 40, 30, 21), (8, 40, 3, 3), strides=(2, 2), bias=False),
    conv("1x1 stride 2", (1, 24, 9, 9), (16, 24, 1, 1), strides=(2, 2)),
    conv("stem 7x7 stride 2", (1, 3, 31, 29), (16, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),
    conv("stem 11x11 stride 4", (1, 3, 47, 43), (9, 3, 11, 11), strides=(4, 4), pads=(2, 2, 2, 2)),
    conv("5x5 same", (2, 11, 9, 13), (20, 11, 5, 5), pads=(2, 2, 2, 2)),
    conv("5x5 wide", (1, 16, 27, 26), (24, 16, 5, 5), pads=(2, 2, 2, 2)),
    conv("few filters", (2, 17, 9, 26), (3, 17, 5, 5), pads=(4, 1, 3, 2)),
    conv(
        "few filters, columns dilated",
        (2, 2, 7, 19),
        (6, 2, 3, 2),
        dilations=(1, 3),
        pads=(1, 0, 0, 2),
        pad_mode="reflect",
    ),
    conv("5x5 dilated", (1, 6, 15, 13), (10, 6, 5, 5), pads=(4, 4, 4, 4), dilations=(2, 2)),
    conv(
        "asymmetric all",
        (1, 7, 12, 10),
        (9, 7, 3, 2),
        strides=(2, 3),
        pads=(0, 1, 2, 3),
        dilations=(2, 1),
    ),
    conv("groups", (1, 12, 8, 8), (18, 4, 3, 3), pads=SAME3, group=3),
    conv("groups of 4", (2, 32, 9, 7), (32, 4, 3, 3), pads=SAME3, group=8, bias=True),
    conv(
        "groups of 4 and 12, strided",
        (1, 24, 9, 8),
        (72, 4, 3, 3),
        pads=SAME3,
        strides=(2, 2),
        group=6,
    ),
    conv("groups of 6, an odd number", (1, 18, 7, 9), (24, 6, 3, 3), pads=SAME3, group=3),
    conv("groups of 2, pointwise", (1, 64, 5, 7), (64, 2, 1, 1), group=32),
    conv("groups of 32 and 48", (2, 64, 6, 7), (96, 32, 3, 3), pads=SAME3, group=2),
    conv("depthwise", (1, 24, 13, 11), (24, 1, 3, 3), pads=SAME3, group=24),
    conv(
        "depthwise 5x5 stride 2",
        (2, 19, 14, 15),
        (19, 1, 5, 5),
        strides=(2, 2),
        pads=(2, 2, 2, 2),
        group=19,
    ),
    conv("depthwise multiplier", (1, 6, 9, 9), (18, 1, 3, 3), pads=SAME3, group=6),
    conv("1-D", (2, 5, 23), (7, 5, 3), pads=(1, 1)),
    conv(
        "3-D uneven", (2, 5, 6, 7, 8), (11, 5, 3, 2, 3), strides=(2, 1, 2), pads=(1, 0, 1, 2, 1, 0)
    ),
    conv(
        "3-D dilated",
        (1, 8, 7, 6, 5),
        (9, 8, 2, 3, 1),
        dilations=(3, 2, 1),
        pads=(0, 1, 0, 2, 2, 1),
    ),
    conv("3-D of slices", (1, 8, 3, 6, 5), (9, 8, 1, 3, 3), pads=(0, 1, 1, 0, 1, 1)),
    conv("3-D edge pad", (1, 3, 5, 6, 5), (4, 3, 3, 3, 3), pads=(1,) * 6, pad_mode="edge"),
    conv("3-D depthwise", (2, 9, 5, 6, 7), (9, 1, 3, 3, 3), pads=(1,) * 6, group=9),
    conv("3-D groups", (1, 8, 5, 6, 7), (12, 4, 3, 3, 3), pads=(1,) * 6, group=2),
    conv("3-D groups of slices", (1, 8, 5, 6, 7), (12, 4, 1, 3, 3), group=2),
    conv("1-D dilated stride", (1, 16, 40), (24, 16, 5), strides=(2,), dilations=(3,), pads=(4, 2)),
    *(
        conv(f"{mode} pad", (1, 5, 7, 6), (11, 5, 5, 5), pads=(2, 2, 2, 2), pad_mode=mode)
        for mode in MODES
    ),
    *(
        conv(
            f"{mode} pad uneven",
            (2, 16, 8, 9),
            (16, 16, 3, 3),
            pads=(2, 0, 1, 3),
            strides=(2, 1),
            pad_mode=mode,
        )
        for mode in MODES
    ),
    *(
        conv(
            f"depthwise {mode} pad",
            (1, 10, 8, 9),
            (10, 1, 3, 3),
            pads=SAME3,
            pad_mode=mode,
            group=10,
        )
        for mode in MODES
    ),
    *(
        conv(
            f"3x3 stride 2 {mode}",
            (1, 9, 11, 14),
            (10, 9, 3, 3),
            strides=(2, 2),
            pads=SAME3,
            pad_mode=mode,
        )
        for mode in MODES
    ),
    *_wide_pads("reflect"),
    *(
        conv(f"{m} far", (1, 9, 3, 2), (10, 9, 3, 3), pads=(4, 7, 5, 2), pad_mode=m)
        for m in MODES[1:]
    ),
    Case(
        "Conv",
        "double",
        (
            data(2, 6, 9, 7, dtype="float64"),
            weight(8, 3, 3, 2, dtype="float64"),
            weight(8, dtype="float64"),
        ),
        {"strides": (1, 2), "pads": (1, 0, 1, 1), "dilations": (1, 1), "group": 2},
        tolerance=1e-12,
    ),
)


def _of_constant_image(case: Case) -> Case:
    """As the gradient of a sum is: only the filters come with a run."""
    fed = case.all_fed()
    image, *others = fed.inputs
    assert image is not None
    known = dataclasses.replace(image, constant=True)
    return dataclasses.replace(fed, label=f"{case.label}, constant image", inputs=(known, *others))


_ALL_FED = tuple(case for case in _CASES if case.label in _FED)
CASES = (
    *_CASES,
    *(case.all_fed() for case in _ALL_FED),
    *(_of_constant_image(case) for case in _ALL_FED),
)
