"""Cases of DepthToSpace, SpaceToDepth, Trilu, ReverseSequence, CumSum and CumProd."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, weight


def one(value: int) -> Operand:
    return weight(dtype="int64", values=value)


def cumulative(op: str, label: str, shape: tuple[int, ...], axis: int, **attrs: Any) -> Case:
    low, high = (-1.0, 1.0) if op == "CumSum" else (0.8, 1.2)
    return Case(op, label, (data(*shape, low=low, high=high), one(axis)), attrs)


CASES = (
    *(
        case
        for mode in ("DCR", "CRD")
        for case in (
            Case("DepthToSpace", f"{mode} 2", (data(1, 16, 5, 7),), {"blocksize": 2, "mode": mode}),
            Case("DepthToSpace", f"{mode} 3", (data(2, 27, 2, 3),), {"blocksize": 3, "mode": mode}),
            Case("SpaceToDepth", f"{mode} 2", (data(1, 5, 6, 8),), {"blocksize": 2, "mode": mode}),
            Case("SpaceToDepth", f"{mode} 3", (data(2, 3, 6, 9),), {"blocksize": 3, "mode": mode}),
        )
    ),
    Case("DepthToSpace", "block 1", (data(1, 3, 4, 5),), {"blocksize": 1}),
    Case("DepthToSpace", "one pixel", (data(1, 4, 1, 1),), {"blocksize": 2}),
    Case(
        "SpaceToDepth",
        "uint8",
        (data(1, 2, 4, 4, dtype="uint8", low=0, high=255),),
        {"blocksize": 2},
    ),
    Case("Trilu", "upper", (data(5, 7),)),
    Case("Trilu", "lower", (data(2, 7, 5),), {"upper": 0}),
    Case("Trilu", "upper above", (data(6, 6), one(2))),
    Case("Trilu", "lower below", (data(6, 4), one(-2)), {"upper": 0}),
    Case("Trilu", "k when running", (data(2, 5, 9), Operand((), "int64", values=-1))),
    Case("Trilu", "k far outside", (data(4, 5), one(-(2**40))), {"upper": 0}),
    Case("Trilu", "int64", (data(4, 4, dtype="int64", low=1, high=9),)),
    Case("Trilu", "bool", (data(5, 5, dtype="bool"), one(1)), {"upper": 0}),
    Case(
        "ReverseSequence", "time first", (data(5, 3, 4), weight(3, dtype="int64", values=[5, 1, 3]))
    ),
    Case(
        "ReverseSequence",
        "lengths when running",
        (data(5, 3, 4), Operand((3,), "int64", values=[2, 5, 0])),
    ),
    Case(
        "ReverseSequence",
        "batch first",
        (data(3, 5), weight(3, dtype="int64", values=[0, 4, 5])),
        {"batch_axis": 0, "time_axis": 1},
    ),
    *(
        case
        for op in ("CumSum", "CumProd")
        for case in (
            cumulative(op, "rows", (5, 37), 1),
            cumulative(op, "first axis", (19, 10), 0),
            cumulative(op, "middle negative axis", (2, 11, 5), -2),
            cumulative(op, "exclusive", (3, 13), 1, exclusive=1),
            cumulative(op, "reverse", (3, 13), 1, reverse=1),
            cumulative(op, "exclusive reverse", (2, 7, 11), 1, exclusive=1, reverse=1),
            Case(op, "int64", (data(3, 7, dtype="int64", low=-3, high=3), one(1))),
            Case(
                op, "int32", (data(3, 7, dtype="int32", low=-3, high=3), one(1)), {"exclusive": 1}
            ),
        )
    ),
)
