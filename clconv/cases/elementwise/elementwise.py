"""Cases of the element-wise operators: every row, every way operands repeat, integers that overflow or
divide by zero, special values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clconv.cases.base import Case, Operand, data, weight
from clconv.graph.ops.elementwise.elementwise import ROWS

# Where functions are defined, and where they are steep or flat.
_RANGES = {
    "Sqrt": (0.0, 9.0), "Log": (0.01, 9.0), "Exp": (-20.0, 20.0), "Asin": (-1.0, 1.0),
    "Acos": (-1.0, 1.0), "Acosh": (1.0, 9.0), "Atanh": (-0.99, 0.99), "Tan": (-1.4, 1.4),
    "Reciprocal": (0.3, 4.0), "Pow": (0.1, 3.0), "Div": (0.5, 4.0), "Mod": (0.5, 4.0),
    "ThresholdedRelu": (-3.0, 3.0), "Gelu": (-2.0, 7.0), "GeluGradient": (-2.0, 7.0),
}  # fmt: skip
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Mod": {"fmod": 1},
    "BitShift": {"direction": "LEFT"},
}


def operand(op: str, *shape: int, **more: Any) -> Operand:
    low, high = _RANGES.get(op, (-7.0, 7.0))
    return Operand(tuple(shape), **{"low": low, "high": high, **more})


def inputs(op: str, *shapes: tuple[int, ...], **more: Any) -> tuple[Operand, ...]:
    row = ROWS[op]
    if row.kind == "bool":
        more = {"dtype": "bool"}
    if row.kind == "int":
        more = {"dtype": "int32", "low": -40, "high": 40, **more}
    kinds = [{"dtype": "bool"} if row.condition_first and not i else more for i in range(row.arity)]
    return tuple(operand(op, *s, **kind) for s, kind in zip(shapes, kinds, strict=False))


def every_row(op: str) -> tuple[Case, ...]:
    """Each row on an awkward image, on a vector that no width divides, and on a scalar."""
    attrs = _ATTRIBUTES.get(op, {})
    arity = 1 if op == "Clip" else ROWS[op].arity
    shapes = {
        "image": (2, 13, 7, 9),
        "vector": (263,),
        "scalar": (),
        "channels last": (1, 3, 5, 24),
    }
    return tuple(
        Case(op, label, inputs(op, *[shape] * arity), attrs) for label, shape in shapes.items()
    )


FLOAT_PAIRS: dict[str, tuple[Operand, Operand]] = {
    "literal": (data(1, 11, 5, 6), weight()),
    "literal first": (weight(1, 1), data(1, 11, 5, 6)),
    "channel": (data(2, 11, 5, 6), weight(11, 1, 1)),
    "channel first": (weight(1, 11, 1, 1), data(2, 11, 5, 6)),
    "gate": (data(2, 19, 5, 6), data(2, 19, 1, 1)),
    "gate of one image": (data(3, 19, 5, 6), data(1, 19, 1, 1)),
    "constant gate": (data(3, 19, 5, 6), weight(3, 19, 1, 1)),
    "mask": (data(2, 19, 5, 6), data(2, 1, 5, 6)),
    "constant image": (data(2, 19, 5, 6), weight(1, 19, 5, 6)),
    "gate and mask": (data(2, 19, 1, 1), data(1, 1, 5, 6)),
    "single": (data(2, 19, 5, 6), data(1)),
    "single 4-D": (data(1, 1, 1, 1), data(1, 9, 5, 6)),
    "row": (data(2, 3, 5, 37), data(37)),
    "column": (data(2, 3, 37, 5), data(37, 1)),
    "outer product": (data(41, 1), data(1, 67)),
    "both grow": (data(3, 1, 5, 1), data(7, 1, 19)),
    "vectors": (data(5, 17), weight(17)),
    "eight axes": (data(2, 1, 3, 1, 2, 1, 5, 3), data(1, 3, 1, 2, 1, 4, 1, 1)),
    "scalars": (data(), data()),
    "empty": (data(2, 0, 3), data(1, 1, 3)),
    "large": (data(1, 64, 40, 40), data(1, 64, 40, 40)),
}


def whole(op: str, label: str, *values: Any, dtype: str, second: str = "") -> Case:
    """Given integers against each other."""
    kinds = (dtype, second or dtype)
    operands = [Operand((len(v),), kind, values=v) for v, kind in zip(values, kinds, strict=True)]
    return Case(op, label, tuple(operands))


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def ends(dtype: str) -> tuple[int, ...]:
    """Integers of a dtype about 0 and at both ends, those that it has."""
    limits = np.iinfo(dtype)
    near = (0, 1, 2, 3, 5, 70, 71, 100)
    return tuple(
        dict.fromkeys(
            n
            for m in near
            for n in (m, -m, limits.min + m, limits.max - m)
            if limits.min <= n <= limits.max
        )
    )


def divided(dtype: str) -> tuple[Operand, Operand]:
    """Every dividend at the ends and about 0 by every divisor there, 0 and -1 among them."""
    numbers = ends(dtype)
    return (
        Operand((len(numbers), 1), dtype, values=numbers),
        Operand((1, len(numbers)), dtype, values=numbers),
    )


def overflow(dtype: str) -> tuple[int, ...]:
    limits = np.iinfo(dtype)
    return (limits.max, limits.min, limits.max // 2 + 7, limits.max - 1)


_LOW, _HIGH = -(2**31), 2**31 - 1
_DIVIDENDS = (7, -7, 7, -7, 5, 0, _LOW, _LOW, _HIGH)
_DIVISORS = (2, 2, -2, -2, 0, 0, -1, 0, -1)
_SPECIAL = (math.inf, -math.inf, math.nan, 0.0, -0.0, 1e-30, 1e30, -1e30, 88.0, -88.0, 104.0, 0.3)
_BASES = (math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 60.25)
_STEPS = weight(13, 1, 1, values=[2.0**-k for k in range(13)])
_ZEROS = weight(13, 1, 1, values=[20 * k for k in range(13)])
_BOUNDS = (weight(values=-0.5), weight(values=0.75))


def special(op: str, *second: Operand, label: str = "special values", **attrs: Any) -> Case:
    return Case(op, label, (Operand((12,), values=_SPECIAL), *second), attrs)


CASES = (
    *(case for op in ROWS if op != "FakeQuantize" for case in every_row(op)),
    *(
        Case("FakeQuantize", label, (data(*shape, low=-7.0, high=7.0), scale, zero), {"low": 0, "high": 255})
        for label, shape, scale, zero in (
            ("image", (2, 13, 7, 9), _STEPS, _ZEROS),
            ("one scale", (2, 13, 7, 9), weight(1, values=0.03), weight(1, values=120)),
            ("channels last", (1, 3, 5, 24), weight(values=0.0625), weight(values=3)),
            ("vector", (263,), weight(values=0.25), weight(values=128)),
            ("scalar", (), weight(values=2.0), weight(values=1)),
        )
    ),
    *(Case(op, label, pair) for op in ("Add", "Mul") for label, pair in FLOAT_PAIRS.items()),
    *(
        Case("Where", f"float {label}", (data(*pair[0].shape, dtype="bool"), *pair))
        for label, pair in FLOAT_PAIRS.items()
        if label in ("channel", "gate", "row", "both grow", "literal")
    ),
    Case("PRelu", "channel", (data(2, 13, 5, 7), weight(13, 1, 1))),
    Case("PRelu", "one slope", (data(2, 13, 5, 7), weight(1))),
    Case("LeakyRelu", "steep", (data(1, 5, 6, 7),), {"alpha": -1.5}),
    Case("Gelu", "tanh", (data(1, 5, 6, 7, low=-6.0, high=6.0),), {"approximate": "tanh"}),
    Case("Swish", "alpha", (data(1, 5, 6, 7, low=-9.0, high=9.0),), {"alpha": 1.7}),
    Case("GeluGradient", "tanh", (data(1, 5, 6, 7), data(1, 5, 6, 7, low=-6.0, high=6.0),), {"approximate": "tanh"}),
    Case("GeluGradient", "tanh of special values", (data(12), Operand((12,), values=_SPECIAL)), {"approximate": "tanh"}),
    Case("SwishGradient", "alpha", (data(1, 5, 6, 7), data(1, 5, 6, 7, low=-9.0, high=9.0)), {"alpha": 1.7}),
    Case("LeakyReluGradient", "steep", (data(1, 5, 6, 7), data(1, 5, 6, 7)), {"alpha": -1.5}),
    Case("ClipGradient", "both", (data(1, 5, 6, 7), data(1, 5, 6, 7)), {"low": -0.5, "high": 0.75}),
    Case("ClipGradient", "at the bounds", (data(5), Operand((5,), values=(-1.0, 0.0, 3.0, 6.0, 7.0))), {"low": 0.0, "high": 6.0}),
    Case("ReluGradient", "at zero", (data(4), Operand((4,), values=(-1.0, 0.0, -0.0, 1.0)))),
    Case("PReluGradient", "channel", (data(2, 13, 5, 7), data(2, 13, 5, 7), weight(13, 1, 1))),
    Case("IsInf", "negative", (Operand((12,), values=_SPECIAL),), {"detect_positive": 0}),
    Case("Clip", "both", (data(1, 13, 5, 6), *_BOUNDS)),
    Case("Clip", "upper", (data(1, 13, 5, 6), None, _BOUNDS[1])),
    Case("Clip", "lower", (data(1, 13, 5, 6), _BOUNDS[0])),
    Case("Clip", "crossed", (data(1, 13, 5, 6), _BOUNDS[1], _BOUNDS[0])),
    Case("Clip", "bounds at run time", (data(37), data(low=-0.5, high=0.0), data(low=0.0))),
    Case("Clip", "int64 upper", (data(37, dtype="int64", low=-9, high=9), None, Operand((), "int64", True, values=3))),
    *(
        Case(op, f"{count} operands", tuple(data(1, 11, 3, 5) for _ in range(count)))
        for op in ("Sum", "Max", "Min")
        for count in (1, 3, 7, 40)
    ),
    Case("Max", "3 that broadcast", (data(5, 1), data(1, 7), weight(3, 1, 1))),
    *(Case(op, dtype, inputs(op, (4, 5), (5,), dtype=dtype, low=low, high=100))
        for op in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Equal", "Less", "GreaterOrEqual", "Mod")
        for dtype, low in (("int64", -100), ("int32", -100), ("uint8", 1))),
    *(Case(op, dtype, inputs(op, (4, 5), dtype=dtype, low=low, high=100))
        for op in ("Neg", "Abs", "Relu", "Sign") for dtype, low in (("int64", -100), ("int32", -100))),
    *(whole(op, "int32 by zero and overflow", _DIVIDENDS, _DIVISORS, dtype="int32")
        for op in ("Div", "Mod")),
    *(Case(op, f"{dtype} at the limits{' fmod' if attrs else ''}", divided(dtype), attrs)
        for dtype in INTEGERS for op, attrs in (("Div", {}), ("Mod", {}), ("Mod", {"fmod": 1}))),
    *(Case("Shrink", f"{dtype} {bias:g} {lambd:g}", (Operand((len(ends(dtype)),), dtype, values=ends(dtype)),),
        {"bias": bias, "lambd": lambd})
        for dtype in INTEGERS
        for bias, lambd in ((0.1, 0.3), (1.5, 2.5), (-1.5, 0.5), (3.0, 1.0), (300.7, 70.2), (0.0, -2.5), (2.5, 1e30))),
    Case("Shrink", "float", (data(2, 13, 5, 7, low=-3.0, high=3.0),), {"bias": 0.3, "lambd": 1.2}),
    Case("Shrink", "crossed", (data(1, 3, 5, 7, low=-3.0, high=3.0),), {"bias": 0.3, "lambd": -1.2}),
    *(Case("Pow", f"{dtype} overflow by {second}", (Operand((8,), dtype, values=(2, 3, 7, 10, 2, 3, 0, 1)),
        Operand((8,), second, values=(6, 5, 3, 20, 63, 45, 0, 3))))
        for dtype in INTEGERS for second in ("int64", "float32")),
    *(Case(op, f"{dtype} overflow", (Operand((4,), dtype, values=overflow(dtype)), Operand((4,), dtype, values=overflow(dtype))))
        for dtype in INTEGERS for op in ("Add", "Sub", "Mul")),
    *(Case(op, f"{dtype} least", (Operand((3,), dtype, values=(np.iinfo(dtype).min, 0, np.iinfo(dtype).max)),))
        for dtype in INTEGERS for op in ("Neg", "Abs", "Sign")),
    Case("Mod", "float sign of divisor", (data(2, 7, 5, 6, low=-9.0, high=9.0), data(6, low=-3.0, high=-1.0)), tolerance=1e-4),
    Case("Mod", "int64 fmod", inputs("Mod", (4, 5), (5,), dtype="int64", low=-9, high=9), {"fmod": 1}),
    *(
        Case("Pow", f"literal {exponent:g}", (data(2, 11, 5, 6, low=0.1, high=3.0), weight(values=exponent)))
        for exponent in (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 2.5)
    ),
    Case("Pow", "square of negatives", (data(1, 11, 5, 6), weight(values=2.0))),
    Case("Pow", "special values", (Operand((144,), values=[x for x in _BASES for _ in _BASES]), Operand((144,), values=_BASES * 12))),
    Case("Pow", "int64 exponent", (data(41), data(41, dtype="int64", low=-3, high=9))),
    Case("Pow", "literal base", (weight(values=1.5), data(41, dtype="int64", low=-3, high=9))),
    whole("Pow", "int64", (2, -3, 1, -1, 7, 0, 3), (10, 3, -5, -3, 0, 0, 39), dtype="int64"),
    whole("Pow", "int32 float exponent", (2, -3, 9, 2), (10.0, 3.0, 0.5, 2.5), dtype="int32", second="float32"),
    Case("BitShift", "right", inputs("BitShift", (5, 7), (7,)), {"direction": "RIGHT"}),
    *(Case("BitShift", f"{dtype} {direction}", (Operand((4,), dtype, values=(3, 200, 255, 1)),
        Operand((4,), dtype, values=(1, 7, 8, 64))), {"direction": direction.upper()})
        for dtype in ("uint8", "uint16", "uint64", "int64") for direction in ("left", "right")),
    *(Case(op, dtype, inputs(op, (5, 7), (7,), dtype=dtype, low=low, high=99))
        for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor") for dtype, low in (("int8", -99), ("uint64", 0))),
    Case("BitwiseNot", "uint8", inputs("BitwiseNot", (5, 7), dtype="uint8", low=0, high=255)),
    Case("Equal", "bool", (data(5, 7, dtype="bool"), data(7, dtype="bool"))),
    Case("Equal", "float literal", (Operand((4,), values=(1.0, 2.0, 2.0, math.nan)), weight(values=2.0))),
    Case("Where", "int64", (data(5, 1, dtype="bool"), data(5, 7, dtype="int64", high=99), data(1, dtype="int64"))),
    Case("Where", "bool", (data(5, 7, dtype="bool"), data(7, dtype="bool"), data(5, 1, dtype="bool"))),
    Case("Where", "literals", (data(5, 7, dtype="bool"), weight(values=1.5), weight(values=-2.0))),
    Case("Add", "float64", (data(5, 7, dtype="float64"), data(7, dtype="float64"))),
    Case("Sigmoid", "float64", (data(5, 7, dtype="float64"),)),
    *(special(op) for op in ("Relu", "LeakyRelu", "HardSigmoid", "Tanh", "Sigmoid", "Elu", "Softplus",
        "Exp", "Erf", "Neg", "Abs", "Sign", "Floor", "Sqrt", "IsNaN", "IsInf", "Softsign", "HardSwish",
        "ThresholdedRelu", "Swish", "Celu", "Selu", "Reciprocal", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Round", "Ceil")),
    *(Case(op, "special values", (data(12), Operand((12,), values=_SPECIAL))) for op in ("SigmoidGradient", "TanhGradient", "SwishGradient", "GeluGradient", "MishGradient", "HardSwishGradient")),
    special("Clip", weight(values=math.nan), weight(values=0.75), label="a bound of NaN"),
    special("FakeQuantize", weight(values=0.25), weight(values=3.0), low=0, high=255),
    special("FakeQuantize", weight(values=0.25), weight(values=3.0), label="special values, int8", low=-128, high=127),
    special("Clip", *_BOUNDS),
    special("Max", weight(values=0.0)),
    special("Min", weight(values=0.0)),
)  # fmt: skip
