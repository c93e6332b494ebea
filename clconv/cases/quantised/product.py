"""Cases of ConvInteger, QLinearConv, MatMulInteger and QLinearMatMul, scales per tensor and channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.cases.base import Case, Operand, weight, window
from clconv.cases.quantised.quantise import whole

Shape = tuple[int, ...]


def point(dtype: str, *shape: int) -> Operand:
    return whole(*shape, dtype=dtype)


def conv_integer(label: str, x: Shape, w: Shape, *points: Operand, **attrs: Any) -> Case:
    operands = (whole(*x, dtype="uint8", constant=False), whole(*w, dtype="uint8"), *points)
    return Case("ConvInteger", label, operands, window(len(x) - 2, **attrs))


def qlinear_conv(
    label: str,
    x: Shape,
    w: Shape,
    dtypes: tuple[str, str],
    per_filter: bool = False,
    bias: bool = True,
    **attrs: Any,
) -> Case:
    """dtypes: of the images and of the weights."""
    x_dtype, w_dtype = dtypes
    count = (w[0],) if per_filter else ()
    operands = [
        whole(*x, dtype=x_dtype, constant=False),
        weight(values=0.02),
        point(x_dtype),
        whole(*w, dtype=w_dtype),
        weight(*count, low=0.01, high=0.02),
        point(w_dtype, *count),
        weight(values=0.7),
        point(x_dtype),
    ]
    if bias:
        operands.append(Operand((w[0],), "int32", True, -999, 999))
    return Case("QLinearConv", label, tuple(operands), window(len(x) - 2, **attrs))


def qlinear_matmul(label: str, a: Shape, b: Shape, dtype: str, rows: bool = False) -> Case:
    of_a, of_b = ((a[-2],), (b[-1],)) if rows else ((), ())
    return Case(
        "QLinearMatMul",
        label,
        (
            whole(*a, dtype=dtype, constant=False),
            weight(*of_a, low=0.01, high=0.02),
            point(dtype, *of_a),
            whole(*b, dtype=dtype),
            weight(*of_b, low=0.01, high=0.02),
            point(dtype, *of_b),
            weight(values=0.5),
            point(dtype),
        ),
    )


def fed(dtype: str, *shape: int) -> Operand:
    return whole(*shape, dtype=dtype, constant=False)


def largest(dtype: str, *shape: int) -> Operand:
    """Sums of these are as large as they get."""
    return Operand(shape, dtype, True, values=np.full(shape, np.iinfo(dtype).max))


SAME3 = (1, 1, 1, 1)
BYTE = whole(3, 7, dtype="uint8", constant=False)
CASES = (
    conv_integer("no zero points", (1, 5, 6, 7), (4, 5, 3, 3), pads=SAME3),
    conv_integer(
        "zero points", (2, 3, 5, 5), (7, 3, 3, 3), point("uint8"), point("uint8"), pads=SAME3
    ),
    conv_integer("per filter", (1, 3, 5, 5), (7, 3, 2, 2), point("uint8"), point("uint8", 7)),
    conv_integer("groups", (1, 6, 7, 5), (4, 3, 3, 3), point("uint8"), group=2, strides=(2, 1)),
    qlinear_conv("uint8", (1, 5, 7, 6), (8, 5, 3, 3), ("uint8", "uint8"), pads=SAME3),
    qlinear_conv(
        "int8 per filter", (2, 3, 9, 8), (13, 3, 3, 3), ("int8", "int8"), True, strides=(2, 2)
    ),
    qlinear_conv("mixed signs", (1, 4, 5, 5), (6, 4, 1, 1), ("uint8", "int8"), bias=False),
    qlinear_conv(
        "depthwise", (1, 11, 6, 7), (11, 1, 3, 3), ("uint8", "int8"), True, pads=SAME3, group=11
    ),
    qlinear_conv(
        "same upper",
        (1, 3, 7, 7),
        (4, 3, 3, 3),
        ("int8", "int8"),
        strides=(2, 2),
        auto_pad="SAME_UPPER",
    ),
    conv_integer("many taps", (1, 41, 9, 11), (19, 41, 3, 3), point("uint8"), pads=SAME3),
    conv_integer(
        "3-D",
        (2, 3, 4, 5, 6),
        (9, 3, 2, 3, 2),
        point("uint8"),
        point("uint8", 9),
        pads=(1, 0, 2, 0, 1, 1),
    ),
    conv_integer(
        "wide groups",
        (2, 12, 13, 12),
        (18, 6, 3, 2),
        point("uint8"),
        point("uint8"),
        group=2,
        strides=(1, 2),
        dilations=(2, 3),
        pads=(2, 1, 0, 3),
    ),
    conv_integer("1x1 wide", (1, 19, 8, 9), (11, 19, 1, 1), fed("uint8"), fed("uint8", 11)),
    conv_integer("window over all", (1, 4, 3, 3), (6, 4, 5, 5), point("uint8"), pads=(1, 1, 1, 1)),
    conv_integer("1-D wide", (2, 5, 70), (9, 5, 4), point("uint8"), pads=(5, 6), strides=(2,)),
    Case(
        "ConvInteger",
        "fed filters",
        (fed("uint8", 1, 5, 9, 9), fed("int8", 9, 5, 3, 3), fed("uint8"), fed("int8", 9)),
        window(2),
    ),
    qlinear_conv(
        "wide", (2, 19, 9, 8), (17, 19, 3, 3), ("uint8", "int8"), True, pads=SAME3, strides=(2, 1)
    ),
    qlinear_conv("1-D", (1, 3, 17), (5, 3, 4), ("uint8", "uint8"), pads=(2, 1)),
    Case("MatMulInteger", "no zero points", (BYTE, whole(7, 5, dtype="int8"))),
    Case(
        "MatMulInteger",
        "zero points",
        (BYTE, whole(7, 5, dtype="uint8"), point("uint8"), point("uint8")),
    ),
    Case(
        "MatMulInteger",
        "per row and column",
        (BYTE, whole(7, 5, dtype="uint8"), point("uint8", 3), point("uint8", 5)),
    ),
    Case(
        "MatMulInteger",
        "batched",
        (whole(2, 3, 7, dtype="int8", constant=False), whole(7, 5, dtype="int8"), point("int8")),
    ),
    Case(
        "MatMulInteger",
        "longest exact sums",
        (largest("uint8", 9, 300), largest("uint8", 300, 35)),
    ),
    Case(
        "MatMulInteger",
        "both fed",
        (fed("uint8", 37, 531), fed("int8", 531, 45), fed("uint8", 37), fed("int8", 45)),
    ),
    Case(
        "MatMulInteger",
        "fed, constant rows",
        (whole(19, 260, dtype="uint8"), fed("uint8", 260, 33), point("uint8", 19), point("uint8")),
    ),
    Case(
        "MatMulInteger",
        "wide batched",
        (fed("uint8", 2, 1, 11, 19), fed("uint8", 3, 19, 37), fed("uint8", 11), fed("uint8", 37)),
    ),
    Case(
        "MatMulInteger",
        "one row",
        (fed("uint8", 1, 700), whole(700, 70, dtype="int8"), fed("uint8")),
    ),
    Case("MatMulInteger", "vectors", (fed("int8", 300), whole(300, dtype="int8"))),
    Case("MatMulInteger", "one column", (fed("uint8", 40, 270), whole(270, 1, dtype="uint8"))),
    Case(
        "MatMulInteger",
        "three rows, last columns again",
        (fed("uint8", 3, 300), fed("int8", 300, 131), fed("uint8", 3), fed("int8", 131)),
    ),
    Case("MatMulInteger", "rows in a batch", (fed("int8", 2, 2, 40), whole(40, 64, dtype="uint8"))),
    qlinear_matmul("few rows, per row and column", (2, 270), (270, 77), "int8", True),
    qlinear_matmul("one row", (1, 270), (270, 77), "uint8"),
    qlinear_matmul("wide per row and column", (13, 270), (270, 43), "uint8", True),
    qlinear_matmul("uint8", (3, 17), (17, 5), "uint8"),
    qlinear_matmul("int8", (3, 17), (17, 5), "int8"),
    qlinear_matmul("per row and column", (3, 17), (17, 5), "int8", True),
    qlinear_matmul("batched", (2, 3, 7), (2, 7, 5), "uint8"),
)
