"""Cases of ConstantOfShape, Range and EyeLike."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data, ints


def number(value: float, dtype: str) -> Operand:
    return Operand((), dtype, constant=True, values=value)


def numbers(label: str, dtype: str, start: float, limit: float, delta: float) -> Case:
    return Case("Range", label, tuple(number(v, dtype) for v in (start, limit, delta)))


CASES = (
    Case("ConstantOfShape", "zeros", (ints(3, 5),)),
    Case("ConstantOfShape", "value", (ints(2, 7),), {"value": -2.5}),
    Case("ConstantOfShape", "int64", (ints(4),), {"value": 7, "dtype": "int64"}),
    Case("ConstantOfShape", "bool", (ints(3, 3),), {"value": True, "dtype": "bool"}),
    Case("ConstantOfShape", "scalar", (ints(),), {"value": 1.0}),
    Case("ConstantOfShape", "empty", (ints(0, 3),)),
    numbers("float", "float32", 1.0, 7.3, 0.5),
    numbers("int64 down", "int64", 9, -4, -3),
    numbers("int32", "int32", 0, 37, 1),
    numbers("nothing", "int64", 3, 1, 1),
    Case("EyeLike", "square", (data(5, 5),)),
    Case("EyeLike", "wide above", (data(3, 7),), {"k": 2}),
    Case("EyeLike", "tall below int64", (data(7, 3),), {"k": -3, "dtype": "int64"}),
    Case("EyeLike", "outside", (data(2, 2, dtype="int32"),), {"k": 5}),
)
