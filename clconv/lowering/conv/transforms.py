"""The matrices of Winograd's minimal filtering F(m, r): y = A' [(G g) * (B' d)].

With stride 2 the even and the odd inputs of a row are filtered apart, by the even and the odd elements of the
window: for three of them F(m, 2) on the even ones, plain products with the odd ones, 2 m + 1 in all for 3 m.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Made by Toom and Cook's method
from the points 0, 1, -1, 2, -2 and infinity (0, 1, -1 and infinity for n = 4).
"""

from __future__ import annotations

import dataclasses

import numpy as np

Matrix = tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class Transform:
    """F(m x m, r x r) on tiles of n x n: y = A' [(G g G') * (B' d B)] A. Tiles begin m * stride apart."""

    input: Matrix  # B', n x n
    weights: Matrix  # G, n x r
    output: Matrix  # A', m x n
    stride: int = 1

    @property
    def m(self) -> int:
        return len(self.output)

    @property
    def n(self) -> int:
        return len(self.input)

    @property
    def both_weights(self) -> np.ndarray:
        """G along rows and columns, (n * n, r * r) float32: one product with a filter's elements instead of two."""
        g = np.asarray(self.weights, np.float64)
        return np.kron(g, g).astype(np.float32)

    @property
    def window(self) -> int:
        """r: rows and columns of the window."""
        return len(self.weights[0])


def _three_taps_stride_2(even: Transform) -> Transform:
    """F(m, 3) with stride 2 from F(m, 2): its rows act on the even inputs, the others pass the odd ones."""
    m, n = even.m, even.n + even.m
    spread = [tuple(0 if i % 2 else row[i // 2] for i in range(n)) for row in even.input]
    odd = [tuple(float(i == 2 * j + 1) for i in range(n)) for j in range(m)]
    return Transform(
        (*spread, *odd),
        (*((first, 0, last) for first, last in even.weights), *(((0, 1, 0),) * m)),
        tuple((*row, *(float(i == j) for i in range(m))) for j, row in enumerate(even.output)),
        stride=2,
    )


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
F2_3_STRIDE_2 = _three_taps_stride_2(
    Transform(((1, -1, 0), (0, 1, 0), (0, -1, 1)), ((1, 0), (1, 1), (0, 1)), ((1, 1, 0), (0, 1, 1)))
)
# From the points 0, 1, -1, 2 and infinity.
F4_3_STRIDE_2 = _three_taps_stride_2(
    Transform(
        (
            (2, -1, -2, 1, 0),
            (0, -2, -1, 1, 0),
            (0, 2, -3, 1, 0),
            (0, -1, 0, 1, 0),
            (0, 2, -1, -2, 1),
        ),
        ((1 / 2, 0), (-1 / 2, -1 / 2), (-1 / 6, 1 / 6), (1 / 6, 1 / 3), (0, 1)),
        ((1, 1, 1, 1, 0), (0, 1, -1, 2, 0), (0, 1, 1, 4, 0), (0, 1, -1, 8, 1)),
    )
)
