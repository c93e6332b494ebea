"""Cases of global pooling: few pixels, many pixels, odd channel counts, 1-D to 3-D."""

from __future__ import annotations

from clconv.cases.base import Case, data

SHAPES = {
    "7x7": (1, 64, 7, 7),
    "primes": (2, 13, 17, 19),
    "one pixel": (1, 5, 1, 1),
    "one channel": (1, 1, 31, 2),
    "many pixels": (1, 3, 61, 67),
    "1-D": (2, 7, 23),
    "3-D": (1, 6, 3, 5, 2),
}
CASES = (
    *(
        Case(op, label, (data(*shape),))
        for op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
        for label, shape in SHAPES.items()
    ),
    Case("GlobalLpPool", "p 1", (data(1, 5, 6, 7),), {"p": 1}),
    Case("GlobalLpPool", "p 3", (data(1, 5, 6, 7),), {"p": 3}),
)
