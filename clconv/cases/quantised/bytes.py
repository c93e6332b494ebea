"""Cases of the operators on bytes: what no block divides, pads in a zero point that is not zero, the largest sums."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from clconv.cases.base import Case, Operand, weight, window

Shape = tuple[int, ...]


def any_bytes(*shape: int) -> Operand:
    return Operand(shape, "uint8", low=0, high=256)


def numbers(
    first: tuple[float, float, float] = (0, 0, 0),
    other: tuple[float, float] = (0, 0),
    last: tuple[float, float, float] = (-100, 155, 100),
) -> Operand:
    return weight(values=[*first, *other, *last, 0])


def conv(
    label: str,
    x: Shape,
    w: Shape,
    out: Shape = (),
    scale: float = 0.002,
    **attrs: Any,
) -> Case:
    """out: the shape of the result, where it is added to another of that shape."""
    filters = w[0]
    operands = [
        any_bytes(*x),
        Operand(w, "int8", True, -128, 128),
        weight(filters, low=scale / 2, high=scale),
        Operand((filters,), "int32", True, -9999, 9999),
        numbers((-90, 120, 0.37), (17, 0.21)) if out or attrs.get("twice") else numbers(),
        *([any_bytes(*out)] if out else []),
    ]
    return Case("ByteConv", label, tuple(operands), window(len(x) - 2, **attrs))


def extreme(
    label: str,
    value: int,
    x_shape: Shape = (1, 512, 5, 5),
    w_shape: Shape = (32, 512, 3, 3),
    **attrs: Any,
) -> Case:
    """Sums as large as they get, where instructions saturate that add products in 16 bits."""
    scale = 160 / (255 * 128 * math.prod(w_shape[1:]))
    case = conv(label, x_shape, w_shape, scale=scale, **attrs)
    x, w, *others = case.inputs
    assert x is not None and w is not None
    x = dataclasses.replace(x, values=np.full(x.shape, 255))
    w = dataclasses.replace(w, values=np.full(w.shape, value))
    return dataclasses.replace(case, inputs=(x, w, *others))


def to_float(
    op: str, label: str, x: Shape, w: Shape, bias: bool = True, exact: bool = False, **attrs: Any
) -> Case:
    """exact: results are the sums themselves."""
    one = weight(w[0], values=np.ones(w[0])) if exact else weight(w[0], low=0.5, high=1)
    operands = [
        any_bytes(*x),
        Operand((), "uint8", low=0, high=256),
        Operand(w, "int8", True, -128, 128),
        Operand((), low=0.001, high=0.002, values=1.0 if exact else None),
        one,
        *([weight(w[0])] if bias and not exact else []),
    ]
    settled = window(len(x) - 2, **attrs) if "Conv" in op else attrs
    return Case(op, label, tuple(operands), settled)


_SAME3, _SAME5 = (1, 1, 1, 1), (2, 2, 2, 2)
CASES = (
    conv("1x1", (1, 64, 7, 9), (48, 64, 1, 1)),
    conv("3x3", (1, 32, 14, 14), (64, 32, 3, 3), pads=_SAME3, x_zero=113),
    conv("odd sizes", (2, 37, 11, 13), (29, 37, 3, 3), pads=(1, 2, 0, 1), x_zero=7),
    conv("few channels", (1, 3, 23, 19), (20, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3), x_zero=255),
    conv("one of each", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("one pixel", (3, 21, 1, 1), (130, 21, 1, 1)),
    conv("strides and dilations", (1, 18, 17, 19), (17, 18, 3, 2), strides=(2, 3), dilations=(3, 2), pads=(2, 1, 1, 2), x_zero=3),
    conv("1x1 with pads", (1, 16, 5, 5), (16, 16, 1, 1), pads=_SAME3, x_zero=9),
    conv("1x1 with strides", (1, 32, 9, 9), (32, 32, 1, 1), strides=(2, 2)),
    conv("groups of whole blocks", (1, 64, 8, 8), (32, 32, 3, 3), group=2, pads=_SAME3, x_zero=50),
    conv("odd groups", (1, 12, 8, 8), (9, 4, 3, 3), group=3, pads=_SAME3, x_zero=50),
    conv("one dimension", (2, 20, 31), (33, 20, 5), pads=(2, 2), x_zero=31),
    conv("added", (1, 24, 9, 9), (40, 24, 1, 1), (1, 40, 9, 9), twice=True),
    conv("added once", (1, 24, 9, 9), (19, 24, 3, 3), (1, 19, 7, 7)),
    conv("twice", (1, 24, 9, 9), (40, 24, 3, 3), twice=True),
    extreme("largest sums", 127),
    extreme("least sums", -128),
    extreme("small weights, largest sums", 64, (1, 37, 5, 5), (20, 37, 3, 3), pads=_SAME3, x_zero=255),
    extreme("small weights, least sums", -64, (1, 64, 4, 3), (33, 64, 1, 1)),
    extreme("depthwise, least sums", -128, (1, 19, 6, 5), (19, 1, 3, 3), group=19, pads=_SAME3, x_zero=255),
    extreme("depthwise, small weights", 64, (1, 19, 6, 5), (19, 1, 3, 3), group=19, pads=_SAME3, x_zero=255),
    conv("depthwise 3x3", (1, 32, 15, 17), (32, 1, 3, 3), group=32, pads=_SAME3, x_zero=120, scale=0.01),
    conv("depthwise, odd", (2, 37, 9, 11), (37, 1, 3, 3), group=37, strides=(2, 2), pads=_SAME3, x_zero=120, scale=0.01),
    conv("depthwise 5x5", (1, 21, 13, 6), (21, 1, 5, 5), group=21, pads=_SAME5, x_zero=1, scale=0.01),
    conv("depthwise, narrow", (1, 48, 2, 1), (48, 1, 3, 3), group=48, pads=_SAME3, x_zero=200, scale=0.01),
    conv("depthwise, added", (1, 20, 8, 9), (20, 1, 3, 3), (1, 20, 8, 9), group=20, pads=_SAME3, x_zero=8, twice=True, scale=0.01),
    conv("depthwise, dilated", (1, 20, 8, 9), (20, 1, 3, 3), group=20, dilations=(2, 2), scale=0.01),
    Case("ByteAveragePool", "whole blocks", (any_bytes(2, 32, 7, 7), numbers((0, 0, 0), (4900, 0.02)))),
    Case("ByteAveragePool", "odd", (any_bytes(1, 21, 5, 3), numbers((0, 0, 0), (1500, 0.07)))),
    Case("ByteAveragePool", "one pixel", (any_bytes(3, 5, 1, 1), numbers((0, 0, 0), (100, 0.9)))),
    Case("ByteTable", "odd", (any_bytes(2, 21, 5, 3), Operand((256,), "uint8", True, 0, 256))),
    Case("ByteTable", "a vector", (any_bytes(77), Operand((256,), "uint8", True, 0, 256))),
    Case("ByteAdd", "odd", (any_bytes(2, 21, 5, 3), any_bytes(2, 21, 5, 3), numbers((100, 0.7, 0), (50, 0.33)))),
    Case("ByteAdd", "each channel", (any_bytes(2, 21, 5, 3), any_bytes(2, 21, 1, 1), numbers((100, 0.7, 0), (50, 0.33)))),
    Case("ByteMul", "odd", (any_bytes(2, 21, 5, 3), any_bytes(2, 21, 5, 3), numbers((100, 0, 0), (50, 0.013)))),
    Case("ByteMul", "each channel", (any_bytes(2, 35, 5, 3), any_bytes(2, 35, 1, 1), numbers((100, 0, 0), (50, 0.013)))),
    to_float("ByteMatMulToFloat", "sums", (13, 127), (37, 127), exact=True),
    to_float("ByteMatMulToFloat", "one row", (1, 130), (100, 130)),
    to_float("ByteMatMulToFloat", "three axes", (2, 7, 33), (70, 33), bias=False),
    to_float("ByteMatMulToFloat", "three fours", (2, 35, 12), (70, 12), exact=True),
    to_float("ByteMatMulToFloat", "one of each", (1, 1), (1, 1)),
    to_float("ByteConvToFloat", "3x3", (1, 32, 14, 14), (64, 32, 3, 3), pads=_SAME3),
    to_float("ByteConvToFloat", "sums", (2, 37, 11, 13), (29, 37, 3, 3), exact=True, pads=(1, 2, 0, 1)),
    to_float("ByteConvToFloat", "few channels", (1, 3, 23, 19), (20, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),
    to_float("ByteConvToFloat", "groups of whole blocks", (1, 64, 8, 8), (32, 32, 3, 3), group=2, pads=_SAME3),
    to_float("ByteConvToFloat", "odd groups", (1, 12, 8, 8), (9, 4, 3, 3), group=3, dilations=(2, 2), pads=_SAME3),
    to_float("ByteConvToFloat", "depthwise", (2, 37, 9, 11), (37, 1, 3, 3), group=37, strides=(2, 2), pads=_SAME3),
    to_float("ByteConvToFloat", "depthwise sums", (1, 21, 13, 6), (21, 1, 5, 5), group=21, exact=True, pads=_SAME5),
)  # fmt: skip
