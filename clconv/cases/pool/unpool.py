"""Cases of MaxUnpool and Col2Im: larger outputs, overlapping windows, 1-D and 3-D."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data, ints


def places(*shape: int, values: list[int]) -> Operand:
    return Operand(tuple(shape), "int64", values=values)


UNPOOL = {"kernel_shape": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0)}
FOUR = places(1, 1, 2, 2, values=[5, 7, 13, 15])
SEGNET = places(1, 1, 2, 2, values=[6, 8, 16, 18])  # of a 5 x 5 image
OVERLAPPING = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}
CASES = (
    Case(
        "MaxUnpool",
        "indices of the given shape",
        (data(1, 1, 2, 2), SEGNET, ints(1, 1, 5, 5)),
        UNPOOL,
    ),
    Case(
        "MaxUnpool",
        "channels of the given shape",
        (
            data(1, 2, 2, 2),
            places(1, 2, 2, 2, values=[6, 8, 16, 18, 25, 32, 35, 37]),
            ints(1, 2, 5, 5),
        ),
        UNPOOL,
    ),
    Case(
        "MaxUnpool",
        "smaller",
        (
            data(1, 1, 3, 3),
            places(1, 1, 3, 3, values=[6, 8, 9, 16, 18, 19, 21, 23, 24]),
            ints(1, 1, 5, 5),
        ),
        UNPOOL,
    ),
    Case(
        "MaxUnpool",
        "padded windows",
        (data(1, 1, 2, 3), places(1, 1, 2, 3, values=[7, 1, 3, 15, 16, 18]), ints(1, 1, 4, 6)),
        OVERLAPPING,
    ),
    Case(
        "MaxUnpool",
        "out of all windows",
        (data(1, 1, 2, 2), places(1, 1, 2, 2, values=[24, 0, 3, 9]), ints(1, 1, 5, 5)),
        UNPOOL,
    ),
    Case("MaxUnpool", "2x2", (data(1, 1, 2, 2), FOUR), UNPOOL),
    Case("MaxUnpool", "larger", (data(1, 1, 2, 2), FOUR, ints(1, 1, 5, 6)), UNPOOL),
    Case(
        "MaxUnpool",
        "channels",
        (data(2, 3, 1, 1), places(2, 3, 1, 1, values=[0, 5, 10, 15, 16, 23])),
        UNPOOL,
    ),
    Case(
        "MaxUnpool",
        "1-D",
        (data(1, 1, 3), places(1, 1, 3, values=[1, 2, 6])),
        {"kernel_shape": (3,), "strides": (2,), "pads": (0, 0)},
    ),
    Case("Col2Im", "disjoint", (data(1, 5, 5), ints(5, 5), ints(1, 5))),
    Case("Col2Im", "overlapping", (data(2, 12, 12), ints(5, 4), ints(2, 2))),
    Case(
        "Col2Im",
        "strides and pads",
        (data(1, 18, 6), ints(6, 5), ints(3, 3)),
        {"strides": (2, 2), "pads": (1, 0, 0, 0)},
    ),
    Case("Col2Im", "dilations", (data(1, 4, 9), ints(5, 5), ints(2, 2)), {"dilations": (2, 2)}),
    Case("Col2Im", "1-D", (data(1, 6, 5), ints(7), ints(3))),
    Case("Col2Im", "3-D", (data(1, 8, 8), ints(3, 3, 3), ints(2, 2, 2))),
)
