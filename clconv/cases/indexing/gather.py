"""Cases of Gather, GatherElements, GatherND and OneHot, negative indices included."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data


def places(
    *shape: int, low: int, high: int, constant: bool = False, dtype: str = "int64"
) -> Operand:
    """Random indices in [low, high)."""
    return Operand(tuple(shape), dtype, constant=constant, low=low, high=high)


def gather(label: str, x: Operand, indices: Operand, axis: int) -> Case:
    return Case("Gather", label, (x, indices), {"axis": axis})


def one_hot(label: str, indices: Operand, depth: int, dtype: str = "float32", **attrs: Any) -> Case:
    amount = Operand((), "int64", constant=True, values=depth)
    values = Operand((2,), dtype, constant=True, values=[-1, 3])
    return Case("OneHot", label, (indices, amount, values), attrs)


CASES = (
    gather("rows", data(11, 5), places(3, low=0, high=11), 0),
    gather("embedding", data(31, 7), places(2, 6, low=0, high=31), 0),
    gather("columns", data(5, 11), places(4, low=-11, high=11), 1),
    gather("channels", data(2, 13, 3, 5), places(7, low=0, high=13, constant=True), 1),
    gather("scalar index", data(3, 7, 5), places(low=-7, high=7, constant=True), -2),
    gather("int32 indices", data(9, 4), places(5, low=-9, high=9, dtype="int32"), 0),
    gather("int64 data", data(9, dtype="int64", high=99), places(3, low=0, high=9), 0),
    gather("no index", data(4, 3), Operand((0,), "int64"), 0),
    gather(
        "even channels",
        data(2, 13, 3, 5),
        Operand((4,), "int64", constant=True, values=[1, 4, 7, 10]),
        1,
    ),
    gather("backwards", data(7, 5), Operand((3,), "int64", constant=True, values=[-1, -2, -3]), 0),
    gather("one index again", data(7, 5), Operand((2,), "int64", constant=True, values=[3, 3]), 1),
    gather("long rows", data(5, 700), places(9, low=-5, high=5), 0),
    gather("scalar when running", data(3, 7, 5), places(low=-7, high=7), 1),
    gather("bool data", data(6, 4, dtype="bool"), places(3, low=0, high=6), 0),
    gather("uint8 data", data(6, 4, dtype="uint8", low=0, high=255), places(3, low=0, high=4), 1),
    Case("GatherElements", "rows", (data(5, 7), places(3, 7, low=-5, high=5))),
    Case("GatherElements", "columns", (data(5, 7), places(5, 9, low=0, high=7)), {"axis": 1}),
    Case(
        "GatherElements",
        "fewer elsewhere",
        (data(5, 7, 3), places(2, 4, 3, low=0, high=7)),
        {"axis": 1},
    ),
    Case(
        "GatherElements",
        "int32 data",
        (data(4, 3, dtype="int32", high=9), places(4, 5, low=0, high=3)),
        {"axis": -1},
    ),
    Case("GatherND", "elements", (data(3, 5), places(7, 2, low=-3, high=3))),
    Case("GatherND", "one element", (data(3, 5), places(2, low=-3, high=3))),
    Case("GatherND", "rows", (data(5, 4, 3), places(2, 3, 1, low=0, high=5))),
    Case("GatherND", "batched", (data(2, 5, 3), places(2, 4, 1, low=0, high=5)), {"batch_dims": 1}),
    Case(
        "GatherND",
        "two batch axes",
        (data(2, 3, 4, 5), places(2, 3, 2, low=0, high=4)),
        {"batch_dims": 2},
    ),
    Case(
        "GatherND", "int64 data", (data(4, 4, dtype="int64", high=99), places(5, 2, low=0, high=4))
    ),
    one_hot("last axis", places(5, low=-7, high=7), 7),
    one_hot("first axis", places(3, 4, low=0, high=5), 5, axis=0),
    one_hot("out of range", Operand((4,), "int64", values=[-9, 2, 5, -5]), 5),
    one_hot("int64 values", places(6, low=0, high=3, dtype="int32"), 3, "int64", axis=-1),
    one_hot("float indices", Operand((3,), "float32", values=[0, 2, 3]), 4, axis=-2),
)
