"""The matrices of Winograd's minimal filtering F(m, r): y = A' [(G g) * (B' d)].

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Made by Toom and Cook's method
from the points 0, 1, -1, 2, -2 and infinity (0, 1, -1 and infinity for n = 4).
"""

from __future__ import annotations

import dataclasses

Matrix = tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class Transform:
    """F(m x m, r x r) on tiles of n x n: y = A' [(G g G') * (B' d B)] A."""

    input: Matrix  # B', n x n
    weights: Matrix  # G, n x r
    output: Matrix  # A', m x n

    @property
    def m(self) -> int:
        return len(self.output)

    @property
    def n(self) -> int:
        return len(self.input)

    @property
    def window(self) -> int:
        """r: rows and columns of the window."""
        return len(self.weights[0])


_SIX_POINTS: Matrix = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
F2_3 = Transform(
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    ((1, 1, 1, 0), (0, 1, -1, -1)),
)
F4_3 = Transform(
    _SIX_POINTS,
    (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
    ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
)
F2_5 = Transform(
    _SIX_POINTS,
    (
        (1 / 4, 0, 0, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6, 1 / 3, 2 / 3),
        (1 / 24, -1 / 12, 1 / 6, -1 / 3, 2 / 3),
        (0, 0, 0, 0, 1),
    ),
    ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 1)),
)
