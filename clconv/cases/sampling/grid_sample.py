"""Cases of GridSample (every mode, positions beyond the borders) and AffineGrid."""

from __future__ import annotations

from clconv.cases.base import Case, data, ints
from clconv.graph.ops.sampling.grid_sample import MODES, PADDING_MODES

CASES = (
    *(
        Case(
            "GridSample",
            f"{mode} {padding} {'corners' if corners else 'pixels'}",
            (data(2, 5, 6, 7), data(2, 4, 9, 2, low=-1.7, high=1.7)),
            {"mode": mode, "padding_mode": padding, "align_corners": corners},
        )
        for mode in MODES
        for padding in PADDING_MODES
        for corners in (0, 1)
    ),
    Case(
        "GridSample",
        "one pixel",
        (data(1, 3, 1, 1), data(1, 3, 3, 2, low=-2.0, high=2.0)),
        {"padding_mode": "reflection", "align_corners": 1},
    ),
    Case("GridSample", "3-D", (data(1, 3, 3, 4, 5), data(1, 2, 3, 4, 3, low=-1.3, high=1.3))),
    Case(
        "GridSample",
        "3-D nearest",
        (data(1, 3, 3, 4, 5), data(1, 2, 3, 4, 3, low=-1.3, high=1.3)),
        {"mode": "nearest", "padding_mode": "border"},
    ),
    *(
        Case(
            "AffineGrid",
            f"{label} {'corners' if corners else 'pixels'}",
            (theta, ints(*size)),
            {"align_corners": corners},
        )
        for label, theta, size in (
            ("2-D", data(2, 2, 3), (2, 3, 5, 7)),
            ("3-D", data(1, 3, 4), (1, 2, 3, 4, 5)),
            ("one pixel", data(1, 2, 3), (1, 1, 1, 1)),
        )
        for corners in (0, 1)
    ),
)
