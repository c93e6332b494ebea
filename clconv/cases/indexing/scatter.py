"""Cases of ScatterElements and ScatterND. Places are distinct where there is no reduction."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data


def at(*shape: int, values: Any) -> Operand:
    return Operand(tuple(shape), "int64", values=values)


def random_places(*shape: int, high: int) -> Operand:
    return Operand(tuple(shape), "int64", low=-high, high=high)


CASES = (
    Case("ScatterElements", "rows", (data(5, 3), at(2, 3, values=[0, 4, 2, 3, 1, -5]), data(2, 3))),
    Case(
        "ScatterElements",
        "columns",
        (data(2, 7), at(2, 3, values=[6, 0, 3, -1, 2, 4]), data(2, 3)),
        {"axis": 1},
    ),
    Case(
        "ScatterElements",
        "int64",
        (data(6, dtype="int64", high=9), at(2, values=[5, 1]), data(2, dtype="int64", high=9)),
    ),
    *(
        Case(
            "ScatterElements",
            f"{reduction} repeated",
            (data(5, 7), random_places(5, 11, high=7), data(5, 11, low=0.5, high=1.5)),
            {"axis": 1, "reduction": reduction},
        )
        for reduction in ("add", "mul", "max", "min")
    ),
    Case("ScatterND", "elements", (data(4, 5), at(3, 2, values=[0, 0, 3, -1, 2, 2]), data(3))),
    Case("ScatterND", "rows", (data(7, 3), at(2, 1, values=[6, 1]), data(2, 3))),
    Case(
        "ScatterND",
        "two axes of indices",
        (data(6, 2), at(2, 2, 1, values=[5, 0, 2, 3]), data(2, 2, 2)),
    ),
    Case(
        "ScatterND",
        "int32",
        (data(5, dtype="int32", high=9), at(2, 1, values=[4, 0]), data(2, dtype="int32", high=9)),
    ),
    Case(
        "ScatterND",
        "bool add",
        (data(5, 2, dtype="bool"), at(3, 1, values=[4, 0, 4]), data(3, 2, dtype="bool")),
        {"reduction": "add"},
    ),
    Case(
        "ScatterND",
        "no update",
        (data(5, 3), Operand((0, 1), "int64"), Operand((0, 3))),
    ),
    *(
        Case(
            "ScatterND",
            f"{reduction} repeated",
            (data(5, 3), random_places(13, 1, high=5), data(13, 3, low=0.5, high=1.5)),
            {"reduction": reduction},
        )
        for reduction in ("add", "mul", "max", "min")
    ),
)
