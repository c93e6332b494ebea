"""Cases of the reductions: inner, outer and middle axes, all of them, none, one element."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, ints

NAN = float("nan")

FLOAT_OPS = (
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
)
LAYOUTS: dict[str, tuple[tuple[int, ...], tuple[int, ...] | None, dict[str, Any]]] = {
    "spatial": ((2, 13, 7, 9), (2, 3), {}),
    "spatial flat": ((1, 16, 5, 6), (-1, -2), {"keepdims": 0}),
    "channels": ((2, 7, 4, 5), (1,), {}),
    "batch and columns": ((3, 5, 4, 6), (0, 3), {"keepdims": 0}),
    "last long": ((3, 517), (1,), {}),
    "first": ((61, 3), (0,), {"keepdims": 0}),
    "all": ((3, 5, 7), None, {}),
    "all flat": ((3, 5, 7), None, {"keepdims": 0}),
    "one element": ((1, 1), (0, 1), {}),
    "none": ((3, 4), None, {"noop_with_empty_axes": 1}),
}
# Long enough for several work-groups a line, for one operator of each kind of finish.
LONG: dict[str, tuple[tuple[int, ...], tuple[int, ...] | None, dict[str, Any]]] = {
    "whole image": ((1, 2, 61, 67), None, {}),
    "whole rows": ((2, 5, 1028), (-1, -2), {"keepdims": 0}),
    "few columns": ((2051, 3), (0,), {}),
    "each channel": ((3, 5, 31, 37), (0, 2, 3), {}),
    "each channel, long rows": ((37, 2, 4, 300), (0, 2, 3), {"keepdims": 0}),
}
# One sum a channel: blocks that are not full, few images of many pixels, pixels that do not halve.
EACH_CHANNEL: dict[str, tuple[tuple[int, ...], tuple[int, ...] | None, dict[str, Any]]] = {
    "each channel, of a batch": ((5, 37, 6, 7), (0, 2, 3), {"keepdims": 0}),
    "each channel, of large images": ((2, 17, 64, 66), (0, 2, 3), {"keepdims": 0}),
    "each channel, of one line": ((1, 3, 2053), (0, -1), {}),
}
LONG_OPS = ("ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp")


def _operand(op: str, shape: tuple[int, ...], **more: Any) -> Operand:
    # Positive where a logarithm is taken, near 1 where hundreds are multiplied.
    low, high = {"ReduceLogSum": (0.1, 1.0), "ReduceProd": (0.9, 1.1)}.get(op, (-1.0, 1.0))
    return data(*shape, low=low, high=high, **more)


def reduction(op: str, label: str) -> Case:
    shape, axes, attrs = (LAYOUTS | LONG | EACH_CHANNEL)[label]
    return Case(op, label, (_operand(op, shape), *([ints(*axes)] if axes else [])), attrs)


def integers(op: str, dtype: str, *axes: int) -> Case:
    low = 0 if dtype.startswith("u") else -9
    return Case(op, dtype, (data(3, 5, 4, dtype=dtype, low=low, high=9), ints(*axes)))


def arg(op: str, label: str, shape: tuple[int, ...], dtype: str = "float32", **attrs: Any) -> Case:
    return Case(op, label, (data(*shape, dtype=dtype, low=-3, high=3),), attrs)


# Three rows of 37.
EQUALS = [1, -2, 3, 1, 3, -2, 3] * 15 + [3, -2, 3, 1, 0, 3]
NANS = [1, NAN, 5, 2] * 27 + [1, 2, 3]
CASES = (
    *(reduction(op, label) for op in FLOAT_OPS for label in LAYOUTS),
    *(reduction(op, label) for op in LONG_OPS for label in LONG),
    *(reduction("ReduceSum", label) for label in EACH_CHANNEL),
    Case("ReduceMax", "long with nan", (Operand((1, 2300), values=[NAN, *range(2299)]), ints(1))),
    Case(
        "ReduceLogSumExp",
        "long with infinity",
        (Operand((1, 2300), values=[*range(2299), float("inf")]), ints(1)),
    ),
    *(integers(op, "int32", 1) for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")),
    *(integers(op, "int64", 0, 2) for op in ("ReduceSum", "ReduceMax", "ReduceMin")),
    *(
        Case(
            op,
            f"{dtype} that leaves the range",
            (Operand((3, 4), dtype, values=[0] * 4 + [120] * 4 + [1, 2, 3, 4]), ints(1)),
        )
        for op in ("ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSum", "ReduceSumSquare")
        for dtype in ("int8", "uint8", "int32")
    ),
    Case(
        "ReduceLogSum",
        "int32 of negatives",
        (Operand((2, 2), "int32", values=[-3, 1, 2, 2]), ints(1)),
    ),
    integers("ReduceMax", "uint8", 2),
    integers("ReduceMin", "uint8", 2),
    Case("ReduceMax", "bool", (data(3, 5, dtype="bool"), ints(1))),
    Case("ReduceMin", "bool", (data(3, 5, dtype="bool"), ints(1))),
    *(
        case
        for op in ("ArgMax", "ArgMin")
        for case in (
            arg(op, "first axis", (7, 5)),
            arg(op, "channels", (2, 21, 5, 6), axis=1, keepdims=0),
            arg(op, "last long", (3, 517), axis=-1),
            arg(op, "ties first", (4, 37), "int32", axis=1),
            arg(op, "ties last", (4, 37), "int32", axis=1, select_last_index=1),
            arg(op, "many rows", (9, 43), axis=1, keepdims=0),
            Case(op, "rows of equals", (Operand((3, 37), values=EQUALS),), {"axis": 1}),
            Case(
                op,
                "rows of equals, last",
                (Operand((3, 37), values=EQUALS),),
                {"axis": 1, "select_last_index": 1},
            ),
            arg(op, "vector", (13,), axis=0, keepdims=0),
            arg(op, "one element", (3, 1), axis=1),
            Case(op, "nan", (Operand((2, 4), values=[1, NAN, 5, NAN, 2, -3, 4, 4]),), {"axis": 1}),
            Case(op, "nan rows", (Operand((3, 37), values=NANS),), {"axis": 1}),
            Case(
                op,
                "nan rows, last",
                (Operand((3, 37), values=NANS),),
                {"axis": 1, "select_last_index": 1},
            ),
            Case(op, "nan columns", (Operand((3, 9), values=[1, NAN, 5] * 9),), {"axis": 0}),
        )
    ),
)
