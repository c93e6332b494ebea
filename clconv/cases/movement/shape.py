"""Cases of Reshape, Flatten, Squeeze, Unsqueeze, Identity, Shape and Size."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, ints


def reshape(label: str, shape: tuple[int, ...], *wanted: int, **attrs: Any) -> Case:
    return Case("Reshape", label, (data(*shape), ints(*wanted)), attrs)


CASES = (
    reshape("to matrix", (2, 13, 5, 3), 2, -1),
    reshape("copied axes", (2, 3, 5, 4), 0, 0, -1),
    reshape("split channels", (1, 24, 5, 7), 1, 2, 12, 5, 7),
    reshape("to scalar", (1, 1)),
    reshape("from vector", (30,), 2, 3, 5),
    reshape("allowzero", (0, 3), 3, 0, allowzero=1),
    Case("Reshape", "int64", (data(6, dtype="int64", high=9), ints(2, 3))),
    Case("Reshape", "bool", (data(6, dtype="bool"), ints(3, 2))),
    Case("Flatten", "default", (data(2, 13, 3, 5),)),
    Case("Flatten", "axis 0", (data(3, 4),), {"axis": 0}),
    Case("Flatten", "axis at the end", (data(3, 4),), {"axis": 2}),
    Case("Flatten", "negative axis", (data(2, 3, 4),), {"axis": -1}),
    Case("Squeeze", "given", (data(1, 13, 1, 1), ints(2, -1))),
    Case("Squeeze", "all", (data(1, 3, 1, 5),)),
    Case("Unsqueeze", "both ends", (data(3, 4), ints(0, -1))),
    Case("Unsqueeze", "unordered", (data(5), ints(2, 0))),
    Case("Unsqueeze", "scalar", (data(), ints(0))),
    Case("Identity", "image", (data(1, 5, 3, 4),)),
    Case("Identity", "int32", (data(4, dtype="int32", high=9),)),
    Case("Shape", "whole", (data(2, 3, 5),)),
    Case("Shape", "part", (data(2, 3, 5, 7),), {"start": 1, "end": -1}),
    Case("Size", "image", (data(2, 3, 5),)),
    Case("Size", "empty", (Operand((0, 3)),)),
)
