"""Cases of Cast and CastLike between the dtypes that kernels carry."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data


def cast(source: str, target: str) -> Case:
    low, high = (0, 120) if "uint8" in (source, target) else (-120, 120)
    # Fractions of both signs: the cast must truncate, not floor or round.
    return Case(
        "Cast",
        f"{source} to {target}",
        (data(3, 37, dtype=source, low=low, high=high),),
        {"to": target},
    )


DTYPES = ("float32", "int64", "int32", "uint8", "bool")
CASES = (
    *(cast(source, target) for source in DTYPES for target in DTYPES),
    cast("int8", "float32"),
    cast("float32", "int8"),
    Case(
        "Cast",
        "fraction to bool",
        (Operand((5,), values=[0.0, -0.0, 0.3, -2.0, 1e-30]),),
        {"to": "bool"},
    ),
    Case("CastLike", "float32 to int64", (data(7, low=-9.0, high=9.0), data(1, dtype="int64"))),
    Case("CastLike", "int32 to float32", (data(7, dtype="int32", low=-9, high=9), data(2))),
)
