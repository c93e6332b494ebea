"""Cases of QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear: saturation, ties, axes."""

from __future__ import annotations

import math
from typing import Any

from clconv.cases.base import Case, Operand, data, weight

RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


def scales(*shape: int) -> Operand:
    return weight(*shape, low=0.01, high=0.1)


def whole(*shape: int, dtype: str, constant: bool = True) -> Operand:
    """Random integers over the middle of the dtype's range."""
    low, high = (bound // 2 for bound in RANGES[dtype])
    return Operand(tuple(shape), dtype, constant, low, high)


def quantize(
    label: str, shape: tuple[int, ...], s: tuple[int, ...], dtype: str, **attrs: Any
) -> Case:
    x = data(*shape, low=-9.0, high=9.0)
    return Case("QuantizeLinear", label, (x, scales(*s), whole(*s, dtype=dtype)), attrs)


def dequantize(
    label: str, shape: tuple[int, ...], s: tuple[int, ...], dtype: str, **attrs: Any
) -> Case:
    x = whole(*shape, dtype=dtype, constant=False)
    return Case("DequantizeLinear", label, (x, scales(*s), whole(*s, dtype=dtype)), attrs)


NOT_FINITE = Operand((20,), values=[math.nan, math.inf, -math.inf, 1e30, -1e30, *range(15)])
TIES = Operand((8,), values=[-1.5, -0.5, 0.5, 1.5, 2.5, 99.0, -99.0, 0.0])
CASES = (
    *(
        case
        for dtype in RANGES
        for case in (
            quantize(f"{dtype} tensor", (2, 5, 7), (), dtype),
            dequantize(f"{dtype} tensor", (2, 5, 7), (), dtype),
        )
    ),
    *(
        case
        for make in (quantize, dequantize)
        for case in (
            make("per channel", (2, 13, 3, 5), (13,), "int8"),
            make("per first axis", (7, 5), (7,), "uint8", axis=0),
            make("blocks", (3, 10), (3, 4), "int8", axis=1, block_size=3),
        )
    ),
    quantize("picture", (2, 3, 9, 7), (), "uint8"),
    quantize("picture of one channel", (1, 1, 5, 23), (1,), "uint8"),
    quantize("picture of four", (1, 4, 40), (), "uint8"),
    Case("QuantizeLinear", "ties and saturation", (TIES, weight(values=0.25))),
    Case("QuantizeLinear", "dtype alone", (data(9), scales()), {"output_dtype": "int8"}),
    Case(
        "DequantizeLinear", "no zero point", (whole(3, 7, dtype="uint8", constant=False), scales())
    ),
    Case("DequantizeLinear", "int32", (data(3, 7, dtype="int32", low=-9999, high=9999), scales())),
    Case(
        "QuantizeLinear",
        "float16",
        (
            Operand((5, 41), "float16", low=-5.0, high=5.0),
            Operand((), "float16", True, values=0.03125),
        ),
    ),
    Case(
        "DequantizeLinear",
        "float16",
        (
            whole(5, 41, dtype="int8", constant=False),
            Operand((), "float16", True, values=0.0123),
            whole(dtype="int8"),
        ),
        tolerance=1e-3,
    ),
    Case("DynamicQuantizeLinear", "both signs", (data(3, 37, low=-3.0, high=5.0),), outputs=3),
    Case("DynamicQuantizeLinear", "image", (data(2, 21, 5, 7, low=1.0, high=2.0),), outputs=3),
    Case(
        "DynamicQuantizeLinear",
        "whole blocks",
        (data(1, 32, 9, 8, low=-2.0, high=-1.0),),
        outputs=3,
    ),
    *(
        Case(
            "DynamicQuantizeLinear",
            f"with {value}",
            (Operand((7,), values=[1, -2, value, 3, 0, 5, 4]),),
            outputs=3,
        )
        for value in (math.nan, math.inf, -math.inf)
    ),
    *(
        Case(
            "QuantizeLinear",
            f"{dtype} of what is not finite",
            (NOT_FINITE, weight(values=0.25), Operand((), dtype, True, values=3)),
        )
        for dtype in RANGES
    ),
    Case(
        "QuantizeLinear",
        "useless scales",
        (
            data(2, 4),
            weight(4, values=[0.0, math.inf, math.nan, 1e-40]),
            Operand((4,), "uint8", True, values=[3] * 4),
        ),
    ),
    Case("DynamicQuantizeLinear", "zeros", (Operand((5,), values=[0.0] * 5),), outputs=3),
)
