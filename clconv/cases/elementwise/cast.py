"""Cases of Cast and CastLike between the dtypes that kernels carry."""

from __future__ import annotations

import math

from clconv.cases.base import Case, Operand, data
from clconv.cases.elementwise.elementwise import INTEGERS, ends


def cast(source: str, target: str) -> Case:
    low, high = (0, 120) if "uint8" in (source, target) else (-120, 120)
    # Fractions of both signs: the cast must truncate, not floor or round.
    return Case(
        "Cast",
        f"{source} to {target}",
        (data(3, 37, dtype=source, low=low, high=high),),
        {"to": target},
    )


# About the ends of every integer's range, far beyond, and what is no number.
FAR = (math.nan, *(
    sign * value
    for value in (0.0, 0.5, 0.99, 1.0, 126.5, 127.5, 128.0, 128.9, 129.0, 255.5, 256.0, 300.0, 32767.5, 32768.0, 32769.0,
        65535.0, 65536.0, 2147483520.0, 2147483648.0, 4294967040.0, 4294967296.0, 9.2233715e18, 9.223372e18, 1.8446743e19,
        1.8446744e19, 1e30, math.inf)
    for sign in (1, -1)
))  # fmt: skip
# Sixteen in a row that are all small, and such of which one is not.
MANY_BITS = [
    sign * (value + more)
    for value in (5, 2**24, 2**31 - 2, 2**31, 2**53, 2**62)
    for more in range(20)
    for sign in (1, -1)
]
DTYPES = ("float32", "int64", "int32", "uint8", "bool")
CASES = (
    *(cast(source, target) for source in DTYPES for target in DTYPES),
    cast("int8", "float32"),
    cast("float32", "int8"),
    *(
        Case(
            "Cast",
            f"{source} out of range to {target}",
            (Operand((len(FAR),), source, values=FAR),),
            {"to": target},
        )
        for source in ("float32", "float16", "float64")
        for target in INTEGERS
    ),
    *(
        Case(
            "Cast",
            f"{source} out of range to {target}",
            (Operand((len(ends(source)),), source, values=ends(source)),),
            {"to": target},
        )
        for source in ("int64", "uint64", "int32")
        for target in INTEGERS
    ),
    Case(
        "Cast",
        "float32 in range and out of it to int64",
        (Operand((len(FAR) + 40,), values=(*range(-20, 20), *FAR)),),
        {"to": "int64"},
    ),
    Case("CastLike", "out of range", (Operand((len(FAR),), values=FAR), data(1, dtype="uint8"))),
    Case(
        "Cast",
        "fraction to bool",
        (Operand((5,), values=[0.0, -0.0, 0.3, -2.0, 1e-30]),),
        {"to": "bool"},
    ),
    Case(
        "Cast",
        "int64 of few and many bits to float32",
        (Operand((len(MANY_BITS),), "int64", values=MANY_BITS),),
        {"to": "float32"},
    ),
    Case("CastLike", "float32 to int64", (data(7, low=-9.0, high=9.0), data(1, dtype="int64"))),
    Case("CastLike", "int32 to float32", (data(7, dtype="int32", low=-9, high=9), data(2))),
)
