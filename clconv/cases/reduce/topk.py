"""Cases of TopK: ties, every axis, all elements, none."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, ints


def top(label: str, x: Operand, k: int, **attrs: Any) -> Case:
    return Case("TopK", label, (x, ints(k)), attrs, outputs=2)


INF, NAN = float("inf"), float("nan")
CASES = (
    top("classes", data(1, 1000), 5),
    top("smallest", data(3, 37), 4, largest=0),
    top("channels", data(2, 13, 3, 5), 3, axis=1),
    top("first axis", data(19, 4), 7, axis=0),
    top("all", data(5, 11), 11),
    top("one of one", data(4, 1), 1),
    top("not a number", Operand((2, 4), values=[1, NAN, 3, NAN, -INF, 2, NAN, INF]), 3),
    top(
        "not a number smallest",
        Operand((2, 4), values=[1, NAN, 3, NAN, -INF, 2, NAN, INF]),
        3,
        largest=0,
    ),
    top("none", data(3, 5), 0),
    *(
        case
        for largest, order in ((1, "largest"), (0, "smallest"))
        for case in (
            top(f"one of rows, {order}", data(5, 131), 1, largest=largest),
            top(f"one of channels, {order}", data(2, 13, 5, 7), 1, axis=1, largest=largest),
            top(
                f"one of ties, {order}",
                Operand((4, 67), values=[2, -1, 2, -1] * 67),
                1,
                largest=largest,
            ),
            top(
                f"one of integers, {order}",
                data(3, 29, dtype="int32", low=0, high=3),
                1,
                largest=largest,
            ),
            top(
                f"one beside NaN, {order}",
                Operand((5, 37), values=[1, NAN, 3, NAN, -INF, 2, 2, -3] * 23 + [1]),
                1,
                largest=largest,
            ),
            top(f"one of NaN, {order}", Operand((2, 33), values=[NAN] * 66), 1, largest=largest),
        )
    ),
    top("ties", data(3, 29, dtype="int32", low=0, high=3), 9),
    top("ties smallest", data(3, 29, dtype="int64", low=0, high=3), 9, largest=0),
)
