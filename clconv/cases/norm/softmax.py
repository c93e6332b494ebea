"""Cases of Softmax, LogSoftmax and Hardmax: every axis, one element, large values."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data

# Where the sum's logarithm is lost beside the largest element unless it is taken off last.
LARGE = tuple(
    Case("LogSoftmax", f"{label}, far from 0", (Operand(shape, low=39999.0, high=40001.0),), {"axis": axis}, tolerance=1e-6)
    for label, shape, axis in (("rows", (3, 67), -1), ("columns", (2, 19, 33), 1), ("long row", (1, 4 * 2053), -1))
)  # fmt: skip
CASES = LARGE + tuple(
    case
    for op in ("Softmax", "LogSoftmax", "Hardmax")
    for case in (
        Case(op, "classes", (data(1, 1000, low=-5.0, high=5.0),)),
        Case(op, "long row", (data(1, 9004, low=-5.0, high=5.0),)),
        Case(op, "long columns", (data(2, 1031, 3),), {"axis": 1}),
        Case(op, "rows", (data(7, 13),)),
        Case(op, "channels", (data(2, 21, 5, 7),), {"axis": 1}),
        Case(op, "first axis", (data(5, 3, 4),), {"axis": 0}),
        Case(op, "middle of 3-D", (data(3, 17, 5),), {"axis": -2}),
        Case(op, "one element", (data(6, 1),)),
        Case(op, "vector", (data(37),)),
        Case(op, "large values", (data(3, 19, low=-300.0, high=300.0),)),
        Case(op, "attention", (data(2, 3, 19, 67),)),
    )
)
